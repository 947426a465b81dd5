/** The Fluent Forward input: what it is called, and how it listens. Settings and connections have their own files. */
import { formatAddress } from '../../server/core/address.ts'
import { LogboomError } from '../../server/core/errors.ts'
import type { HostPort } from '../../server/core/fields.ts'
import { BufferPool } from '../encoding/buffer-pool.ts'
import { createAllowList, peerAddress } from '../listening/allow-list.ts'
import { listenStream, type StreamListener } from '../listening/listen-stream.ts'
import type { InputContext, Listener, Protocol } from '../protocol.ts'
import { Budget } from './budget.ts'
import { Connection } from './connection.ts'
import { watchFarTimes } from './far-times.ts'
import { checkForward, type ForwardConfig, forwardFields } from './forward-config.ts'
import type { GateKeeper } from './gate.ts'
import { answerHeartbeats } from './heartbeat.ts'
import { type KnownClients, knowClients } from './known-clients.ts'
import { createRefusals } from './refusals.ts'
import { createRewriting } from './rewrite-streams.ts'
import { createSecurity } from './security.ts'

export const protocol: Protocol<typeof forwardFields> = {
  name: 'forward',
  summary: 'Takes events from fluentd, Fluent Bit, the fluentd log driver of Docker and the fluent-logger libraries.',
  fields: forwardFields,
  example: 'forward: { listen: 0.0.0.0:24224 }',
  check: checkForward,
  listen,
}

/** Tries at a port that the system chooses until its UDP side is free too. */
const FREE_PORT_TRIES = 5

async function listen(config: ForwardConfig, context: InputContext): Promise<Listener> {
  const clients = await knowClients(config.clients ?? [], context.log)
  const { listener, closeHeartbeat } = await bind(config, context, clients).catch((error: unknown) => {
    clients.close()
    throw error
  })
  const { address, addresses } = listener
  const close = async () => {
    clients.close()
    await Promise.all([listener.close(), closeHeartbeat()])
  }
  let closing: Promise<void> | undefined
  return {
    addresses: 'path' in address ? addresses : [...addresses, `${formatAddress(address)} udp`],
    reload: () => listener.reload(),
    close: () => (closing ??= close()),
  }
}

interface Bound {
  readonly listener: StreamListener
  readonly closeHeartbeat: () => Promise<void>
}

async function bind(config: ForwardConfig, context: InputContext, clients: KnownClients): Promise<Bound> {
  for (let tries = 1; ; tries += 1) {
    const listener = await listenStreams(config, context, clients)
    const { address } = listener
    if ('path' in address) return { listener, closeHeartbeat: async () => {} }
    try {
      return {
        listener,
        closeHeartbeat: await answerHeartbeats(address, {
          allow: config.allow && createAllowList(config.allow),
          inherited: context.inherited,
        }),
      }
    } catch (error) {
      await listener.close()
      const isFreePort = (config.listen as HostPort).port === 0
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'EADDRINUSE' && isFreePort && tries < FREE_PORT_TRIES) continue
      const details = { address: formatAddress(address), key: `inputs.${context.name}.listen`, reason: message }
      throw new LogboomError(code === 'EADDRINUSE' ? 'LB-S001' : 'LB-S002', details, { cause: error })
    }
  }
}

function listenStreams(config: ForwardConfig, context: InputContext, clients: KnownClients): Promise<StreamListener> {
  const refusals = createRefusals(context)
  const shared = {
    ...{ context, refusals, budget: new Budget(), pool: new BufferPool() },
    messageBytes: config.chunk_size_limit,
    decompressionBytes: config.decompression_size_limit,
    keeper: createKeeper(config, clients, context),
    denyKeepalive: config.deny_keepalive,
  }
  const watched = watchFarTimes(context.emit, (peer) => refusals.farTime(peer))
  const plainStore = { emit: watched }
  const storeFor = createRewriting(config, { ...context, emit: watched }, shared.budget)
  const { listen, tls, connection_limit: connectionLimit } = config
  return listenStream({
    ...{ listen, tls, context, connectionLimit },
    key: `inputs.${context.name}.listen`,
    allow: config.allow && createAllowList(config.allow),
    connectionLimitPerAddress: config.connection_limit_per_address ?? Math.ceil(connectionLimit * 0.75),
    unixMode: Number.parseInt(config.unix_perm, 8),
    knocked: (knock) => refusals.knocked(knock),
    accept: (socket) => {
      const store = storeFor === undefined ? plainStore : storeFor(peerAddress(socket))
      return new Connection(socket, { ...shared, context: { ...context, ...store } })
    },
  })
}

/** Undefined where nobody has to show a key. */
function createKeeper(config: ForwardConfig, clients: KnownClients, { log }: InputContext): GateKeeper | undefined {
  const security = createSecurity(config)
  if (security === undefined) return undefined
  if (config.shared_key === '') log.warn({}, 'the shared_key is empty: whoever tries it gets in')
  return {
    selfHostname: security.selfHostname,
    keepalive: !config.deny_keepalive,
    demandOf: (address) => security.demandOf(clients.find(address)),
  }
}
