/** Sends events to other servers that speak the Forward protocol. What goes over the wire stands in messages.ts. */
import { hostname } from 'node:os'
import { LogboomError } from '../../server/core/errors.ts'
import { ALL_ACCEPTED, type Output, type OutputContext, OutputError, type WriteResult, type Writer } from '../output.ts'
import { checkForward, type ForwardConfig, forwardFields, type ServerConfig } from './forward-config.ts'
import { watchServers } from './heartbeats.ts'
import { LoadBalancer } from './load-balancer.ts'
import { encodeMessages, type WireMessage } from './messages.ts'
import { Server, type ServerOptions } from './server.ts'
import { ServerState } from './server-state.ts'
import { createTlsOptions, type TlsOptions } from './tls.ts'

export const output: Output<typeof forwardFields> = {
  name: 'forward',
  summary: 'Send events on to another Logboom, fluentd or Fluent Bit, and to another one when that fails.',
  fields: forwardFields,
  example:
    'next: { type: forward, match: "docker.**", servers: [ { host: primary }, { host: secondary, standby: true } ] }',
  check: checkForward,
  concurrency: (config) => config.concurrency,
  open,
}

async function open(config: ForwardConfig, context: OutputContext): Promise<Writer> {
  try {
    const tlsFor = await createTlsOptions(config.tls, context)
    const losses = new Losses()
    const servers = config.servers.map(
      (server) => new Server(serverOptions(server, config, tlsFor(server), { ...context, losses })),
    )
    return createWriter(servers, config, losses)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new LogboomError('LB-O004', { output: context.name, reason }, { cause: error })
  }
}

/** Which servers are lost, and why. */
class Losses {
  readonly #why = new Map<string, string>()
  #tell: (words: string | undefined) => void = () => {}

  watch(tell: (words: string | undefined) => void): void {
    this.#tell = tell
    this.#show()
  }

  set(label: string, why: string | undefined): void {
    if (why === undefined) this.#why.delete(label)
    else this.#why.set(label, why)
    this.#show()
  }

  #show(): void {
    const words = [...this.#why].map(([label, why]) => lostWords(label, why))
    this.#tell(words.length === 0 ? undefined : words.join('; '))
  }
}

const lostWords = (label: string, why: string) => `server ${label} is lost: ${why}`

function serverOptions(
  server: ServerConfig,
  config: ForwardConfig,
  tls: TlsOptions | undefined,
  { log, losses }: OutputContext & { readonly losses: Losses },
): ServerOptions {
  const { host, port, name, weight, standby, username = '', password = '' } = server
  const sharedKey = server.shared_key ?? config.shared_key
  const selfHostname = config.self_hostname ?? hostname()
  const hardTimeoutMs = config.hard_timeout
  const state = new ServerState(
    {
      ...{ weight, standby, hardTimeoutMs },
      heartbeatMs: config.heartbeat_type === 'none' ? undefined : config.heartbeat_interval,
      recoverWaitMs: config.recover_wait,
      phiThreshold: config.phi_failure_detector ? config.phi_threshold : undefined,
    },
    performance.now(),
  )
  return {
    ...{ host, port, tls, state, hardTimeoutMs },
    label: name ?? `${host}:${port}`,
    proofs: sharedKey === undefined ? undefined : { selfHostname, sharedKey, username, password },
    asksForAcks: config.require_ack_response,
    keepalive: config.keepalive,
    patience: {
      sendMs: Math.min(config.send_timeout, hardTimeoutMs),
      answerMs: Math.min(config.ack_response_timeout, hardTimeoutMs),
    },
    changed: ({ options: { label } }, news, why) => {
      losses.set(label, news === 'lost' ? why : undefined)
      if (news === 'lost') log.warn({ server: label, reason: why }, lostWords(label, why))
      else log.info({ server: label }, `server ${label} is back: ${why}`)
    },
  }
}

function createWriter(servers: readonly Server[], config: ForwardConfig, losses: Losses): Writer {
  const balancer = new LoadBalancer(servers, Math.random)
  const stopWatching = watchServers(servers, { type: config.heartbeat_type, intervalMs: config.heartbeat_interval })
  const options = {
    compress: config.compress,
    chunkBytes: config.chunk_limit_size,
    asksForAcks: config.require_ack_response,
    givesIds: servers.every(({ options: { proofs } }) => proofs !== undefined),
  }
  return {
    write: (batch, signal) => deliver(encodeMessages(batch, options), balancer.order(), signal),
    watchParts: (changed) => losses.watch(changed),
    async close() {
      stopWatching()
      for (const server of servers) server.dropIdle()
    },
  }
}

interface Failure {
  readonly label: string
  readonly failure: OutputError
}

/**
 * What one server does not acknowledge goes to the next.
 * @throws OutputError when nothing was acknowledged.
 */
async function deliver(
  messages: readonly WireMessage[],
  servers: readonly Server[],
  signal: AbortSignal,
): Promise<WriteResult> {
  const failures: Failure[] = []
  let left = messages
  for (const server of servers) {
    const sent = await server.deliver(left, signal)
    if (sent.failure === undefined) return ALL_ACCEPTED
    left = sent.left
    failures.push({ label: server.options.label, failure: sent.failure })
    if (signal.aborted) break
  }
  const failure = failureOf(failures)
  if (left.length === messages.length) throw failure
  const pending = left.flatMap(({ first, count }) => Array.from({ length: count }, (_, index) => first + index))
  return { rejected: [], pending, pendingReason: failure.fault === 'blocked' ? 'blocked' : 'unavailable' }
}

/** What keeps all of them is for the operator only where none may come back by itself. */
function failureOf(failures: readonly Failure[]): OutputError {
  const words = failures.map(({ label, failure }) => `${label}: ${failure.message}`).join('; ')
  const { fault, reason } = (failures.find(({ failure }) => failure.fault !== 'blocked') ?? failures[0]!).failure
  return new OutputError(fault, reason, words)
}
