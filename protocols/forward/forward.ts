/**
 * The Fluent Forward input: what it is called, what can be set, and how it listens. Connections live in their own
 * file.
 */
import { type AddressInfo, createServer, type Server } from 'node:net'
import { LogboomError } from '../../server/core/errors.ts'
import type { Address, ConfigOf, Fields } from '../../server/core/fields.ts'
import { BufferPool } from '../encoding/buffer-pool.ts'
import type { InputContext, Listener, Protocol } from '../protocol.ts'
import { Budget } from './budget.ts'
import { Connection } from './connection.ts'
import { answerHeartbeats } from './heartbeat.ts'
import { createRefusals } from './refusals.ts'

const fields = {
  listen: {
    kind: 'address',
    default: '127.0.0.1:24224',
    doc: 'Where it listens, for TCP and for the UDP heartbeat.',
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
} as const satisfies Fields

type Config = ConfigOf<typeof fields>

export const protocol: Protocol<typeof fields> = {
  name: 'forward',
  summary: 'Takes events from fluentd, Fluent Bit, the fluentd log driver of Docker and the fluent-logger libraries.',
  fields,
  example: 'forward: { listen: 0.0.0.0:24224 }',
  listen,
}

/** Tries at a port that the system chooses until its UDP side is free too. */
const FREE_PORT_TRIES = 5

async function listen(config: Config, context: InputContext): Promise<Listener> {
  const connections = new Set<Connection>()
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true })
  accept(server, { config, context, connections })
  const { address, closeHeartbeat } = await bind(server, config.listen, context.name)
  // Accepting can fail for want of open files; it goes on when some are closed.
  server.on('error', (error) => context.log.warn({ reason: error.message }, 'a connection could not be accepted'))
  const close = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const connection of connections) connection.end()
    await Promise.all([closed, closeHeartbeat(), ...[...connections].map((connection) => connection.closed)])
  }
  let closing: Promise<void> | undefined
  return {
    addresses: [`${addressText(address)} tcp`, `${addressText(address)} udp`],
    close: () => (closing ??= close()),
  }
}

interface Accepting {
  readonly config: Config
  readonly context: InputContext
  readonly connections: Set<Connection>
}

function accept(server: Server, { config, context, connections }: Accepting): void {
  const refusals = createRefusals(context)
  const budget = new Budget()
  const pool = new BufferPool()
  server.on('connection', (socket) => {
    if (connections.size >= config.connection_limit) {
      refusals.tooManyConnections(socket.remoteAddress ?? '', config.connection_limit)
      socket.on('error', () => {})
      socket.destroy()
      return
    }
    const connection = new Connection(socket, {
      context,
      budget,
      refusals,
      pool,
      messageBytes: config.chunk_size_limit,
      decompressionBytes: config.decompression_size_limit,
    })
    connections.add(connection)
    context.stats.connections = connections.size
    connection.closed.then(() => {
      connections.delete(connection)
      context.stats.connections = connections.size
    })
  })
}

interface Bound {
  readonly address: Address
  readonly closeHeartbeat: () => Promise<void>
}

async function bind(server: Server, wanted: Address, input: string): Promise<Bound> {
  for (let tries = 1; ; tries += 1) {
    try {
      const { port } = await listenTcp(server, wanted)
      const address = { host: wanted.host, port }
      try {
        return { address, closeHeartbeat: await answerHeartbeats(address) }
      } catch (error) {
        await new Promise((resolve) => server.close(resolve))
        throw error
      }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'EADDRINUSE' && wanted.port === 0 && tries < FREE_PORT_TRIES) continue
      const details = { address: addressText(wanted), key: `inputs.${input}.listen`, reason: message }
      throw new LogboomError(code === 'EADDRINUSE' ? 'LB-S001' : 'LB-S002', details, { cause: error })
    }
  }
}

function listenTcp(server: Server, { host, port }: Address): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 511 }, () => {
      server.off('error', reject)
      resolve(server.address() as AddressInfo)
    })
  })
}

function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
