/**
 * The Fluent Forward input: what it is called, what can be set, and how it listens. Connections live in their own
 * file.
 */
import { formatAddress } from '../../server/core/address.ts'
import { LogboomError } from '../../server/core/errors.ts'
import type { ConfigFault, ConfigOf, Fields, HostPort } from '../../server/core/fields.ts'
import { BufferPool } from '../encoding/buffer-pool.ts'
import { allowField, badNetworks, createAllowList, NETWORK_EXPECTED } from '../listening/allow-list.ts'
import { listenStream, type StreamListener } from '../listening/listen-stream.ts'
import { checkTls, tlsFields } from '../listening/tls.ts'
import type { InputContext, Listener, Protocol } from '../protocol.ts'
import { Budget } from './budget.ts'
import { Connection } from './connection.ts'
import { answerHeartbeats } from './heartbeat.ts'
import { createRefusals } from './refusals.ts'

const fields = {
  listen: {
    kind: 'address',
    unix: true,
    default: '127.0.0.1:24224',
    doc: 'Where it listens, for TCP and for the UDP heartbeat; or a Unix socket, `unix:/path`.',
    example: '0.0.0.0:24224',
  },
  chunk_size_limit: {
    kind: 'size',
    default: '256MiB',
    doc: 'The largest message; the connection of one that is larger is closed without an ack.',
  },
  decompression_size_limit: {
    kind: 'size',
    default: '256MiB',
    doc: 'The most that one compressed message may unpack to.',
  },
  connection_limit: {
    kind: 'integer',
    default: 10_000,
    min: 1,
    doc: 'Connections that may be open at a time; more are turned away.',
  },
  connection_limit_per_address: {
    kind: 'integer',
    optional: true,
    min: 1,
    doc: 'The same from one address; three quarters of `connection_limit` where it is left out.',
    example: '100',
  },
  unix_perm: {
    kind: 'string',
    default: '660',
    pattern: '^0?[0-7]{3}$',
    doc: 'Permissions of the file of a Unix socket, in octal; who may write to it may connect.',
    example: '"660"',
  },
  allow: allowField,
  tls: tlsFields,
} as const satisfies Fields

type Config = ConfigOf<typeof fields>

export const protocol: Protocol<typeof fields> = {
  name: 'forward',
  summary: 'Takes events from fluentd, Fluent Bit, the fluentd log driver of Docker and the fluent-logger libraries.',
  fields,
  example: 'forward: { listen: 0.0.0.0:24224 }',
  check,
  listen,
}

function check({ listen, allow, tls }: Config): ConfigFault[] {
  const faults = checkTls(tls)
  for (const { index, text } of badNetworks(allow ?? [])) {
    faults.push({ key: ['allow', index], code: 'LB-C002', details: { ...NETWORK_EXPECTED, found: `\`${text}\`` } })
  }
  if (allow !== undefined && 'path' in listen) {
    const why = 'A Unix socket has no networks; `unix_perm` says who may connect.'
    faults.push({ key: ['allow'], code: 'LB-C014', details: { other: 'listen: host:port', why } })
  }
  return faults
}

/** Tries at a port that the system chooses until its UDP side is free too. */
const FREE_PORT_TRIES = 5

async function listen(config: Config, context: InputContext): Promise<Listener> {
  const { listener, closeHeartbeat } = await bind(config, context)
  const { address, addresses } = listener
  const close = async () => {
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

async function bind(config: Config, context: InputContext): Promise<Bound> {
  for (let tries = 1; ; tries += 1) {
    const listener = await listenStreams(config, context)
    const { address } = listener
    if ('path' in address) return { listener, closeHeartbeat: async () => {} }
    try {
      return { listener, closeHeartbeat: await answerHeartbeats(address) }
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

function listenStreams(config: Config, context: InputContext): Promise<StreamListener> {
  const refusals = createRefusals(context)
  const budget = new Budget()
  const pool = new BufferPool()
  const { listen, tls, connection_limit: connectionLimit } = config
  return listenStream({
    ...{ listen, tls, context, connectionLimit },
    key: `inputs.${context.name}.listen`,
    allow: config.allow && createAllowList(config.allow),
    connectionLimitPerAddress: config.connection_limit_per_address ?? Math.ceil(connectionLimit * 0.75),
    unixMode: Number.parseInt(config.unix_perm, 8),
    knocked: (knock) => refusals.knocked(knock),
    accept: (socket) =>
      new Connection(socket, {
        ...{ context, budget, refusals, pool },
        messageBytes: config.chunk_size_limit,
        decompressionBytes: config.decompression_size_limit,
      }),
  })
}
