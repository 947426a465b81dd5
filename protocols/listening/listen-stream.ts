/**
 * Stream listeners: TCP, TLS and Unix sockets. Who may come in is decided here, before a protocol sees a byte; what is
 * spoken is the protocol's matter.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls'
import { formatAddress } from '../../server/core/address.ts'
import { type ErrorDetails, type KnockCode, LogboomError } from '../../server/core/errors.ts'
import type { Address, HostPort } from '../../server/core/fields.ts'
import type { InputContext } from '../protocol.ts'
import { ACCEPT_OPTIONS } from './accept-options.ts'
import { type AllowList, peerAddress } from './allow-list.ts'
import { leavesFiles, openFilesLimit } from './open-files.ts'
import { type CertificateWatch, readCertificates, type TlsConfig, watchCertificates } from './tls.ts'
import { handshakeFault } from './tls-faults.ts'
import { listenUnix, UNIX_MODE } from './unix-socket.ts'

/** Somebody who was not let in, and why: for the doorbell, which adds `input` and `peer` to the details. */
export interface Knock {
  readonly peer: string
  readonly code: KnockCode
  readonly details: ErrorDetails
}

export interface StreamListenOptions {
  readonly listen: Address
  /** Where the address stands in the configuration, `inputs.<name>.listen`, for errors. */
  readonly key: string
  readonly tls: TlsConfig | undefined
  readonly allow: AllowList | undefined
  /** Connections at a time, unfinished TLS handshakes included. */
  readonly connectionLimit: number
  /** The same of one address; a Unix socket has none. */
  readonly connectionLimitPerAddress?: number
  /** Permissions of a Unix socket's file. */
  readonly unixMode?: number
  readonly context: InputContext
  /** Takes a socket that is open, and with TLS has its handshake behind it. It allows half-open connections. */
  readonly accept: (socket: Socket) => AcceptedConnection
  readonly knocked: (knock: Knock) => void
}

export interface AcceptedConnection {
  /** Resolves when its socket is closed. */
  readonly closed: Promise<void>
  /** Stops reading, finishes what is in flight, closes. */
  end(): void
}

export interface StreamListener {
  /** With the port that the system gave where port 0 was asked for. */
  readonly address: Address
  /** For the operator: `127.0.0.1:24224 tcp`, `127.0.0.1:24224 tls`, `unix:/run/logboom.sock`. */
  readonly addresses: readonly string[]
  /** Reads the certificates again. */
  reload(): Promise<void>
  /** Stops accepting, ends the connections, and resolves when all are closed. */
  close(): Promise<void>
}

/** How long a TLS handshake may take, in ms. */
const HANDSHAKE_MS = 10_000
/** What a peer without an address is called. */
const LOCAL_PEER = 'a local process'

/** The name of a peer in the log and in errors: its address. */
export function peerName(socket: { readonly remoteAddress?: string | undefined }): string {
  return peerAddress(socket) ?? LOCAL_PEER
}

/**
 * Rejects with LogboomError: LB-S001 the address is taken, LB-S002 it may not be opened, LB-S010 the certificates
 * cannot be used.
 */
export async function listenStream(options: StreamListenOptions): Promise<StreamListener> {
  const { listen, key, tls } = options
  const door = new Door(options)
  const tlsOptions = tls === undefined ? undefined : await readCertificates(tls, key.replace(/\.listen$/, ''))
  const secure = tlsOptions && createTlsServer({ ...tlsOptions, handshakeTimeout: HANDSHAKE_MS })
  if (secure !== undefined) door.secure(secure)
  const { address, stop } = await open(options, (socket) => door.knock(socket))
  const certificates = tls && secure && watch(tls, secure, options)
  const kind = 'path' in listen ? '' : secure === undefined ? ' tcp' : ' tls'
  return {
    address,
    addresses: [`${formatAddress(address)}${kind}`],
    reload: async () => certificates?.reload(),
    close: async () => {
      certificates?.close()
      await Promise.all([stop(), door.close()])
    },
  }
}

function watch(tls: TlsConfig, secure: TlsServer, { key, context }: StreamListenOptions): CertificateWatch {
  const use = secure.setSecureContext.bind(secure)
  return watchCertificates(tls, { key: key.replace(/\.listen$/, ''), log: context.log, use })
}

interface Accepting {
  readonly address: Address
  /** Resolves when no more is accepted. */
  stop(): Promise<void>
}

async function open(options: StreamListenOptions, accept: (socket: Socket) => void): Promise<Accepting> {
  const { listen, key, context } = options
  try {
    const inherited = await context.inherited?.stream(listen)
    if (inherited === undefined) return await openOwn(options, accept)
    await inherited.take(accept)
    return { address: listen, stop: async () => inherited.leave() }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const details = { address: formatAddress(listen), key, reason: message }
    throw new LogboomError(code === 'EADDRINUSE' ? 'LB-S001' : 'LB-S002', details, { cause: error })
  }
}

async function openOwn(options: StreamListenOptions, accept: (socket: Socket) => void): Promise<Accepting> {
  const { listen, unixMode = UNIX_MODE, context } = options
  const server = createServer(ACCEPT_OPTIONS, accept)
  const stop = () => new Promise<void>((resolve) => server.close(() => resolve()))
  // Accepting can fail for want of open files; it goes on when some are closed.
  const warn = () =>
    server.on('error', (error) => context.log.warn({ reason: error.message }, 'a connection could not be accepted'))
  if ('path' in listen) {
    await listenUnix(server, listen.path, unixMode)
    warn()
    return { address: listen, stop }
  }
  const port = await listenTcp(server, listen)
  warn()
  return { address: { host: listen.host, port }, stop }
}

function listenTcp(server: Server, { host, port }: HostPort): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 511 }, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function shortage(socket: Socket): Pick<Knock, 'code' | 'details'> | undefined {
  return leavesFiles(socket) ? undefined : { code: 'LB-D013', details: { limit: openFilesLimit ?? 0 } }
}

/** Lets sockets in or not, and knows those that are inside. */
class Door {
  readonly #options: StreamListenOptions
  readonly #connections = new Set<AcceptedConnection>()
  /** Sockets whose TLS handshake is not finished. */
  readonly #handshaking = new Set<Socket>()
  readonly #perAddress = new Map<string, number>()
  #open = 0
  #secure: TlsServer | undefined
  #closing = false

  constructor(options: StreamListenOptions) {
    this.#options = options
  }

  /** From now on sockets are handed to this server first, which listens nowhere itself. */
  secure(server: TlsServer): void {
    this.#secure = server
    server.on('secureConnection', (socket) => this.#shaken(socket))
    server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
  }

  knock(socket: Socket): void {
    const address = peerAddress(socket)
    const refusal = this.#refusal(address) ?? shortage(socket)
    if (refusal !== undefined) {
      this.#turnAway(socket, refusal)
      return
    }
    this.#count(address, 1)
    if (this.#secure === undefined) {
      this.#admit(socket).then(() => this.#count(address, -1))
      return
    }
    this.#handshaking.add(socket)
    socket.on('close', () => {
      this.#handshaking.delete(socket)
      this.#count(address, -1)
    })
    // Who leaves before the handshake is over is done with.
    socket.allowHalfOpen = false
    this.#secure.emit('connection', socket)
  }

  async close(): Promise<void> {
    this.#closing = true
    for (const socket of this.#handshaking) socket.destroy()
    for (const connection of this.#connections) connection.end()
    await Promise.all([...this.#connections].map((connection) => connection.closed))
  }

  #refusal(address: string | undefined): Pick<Knock, 'code' | 'details'> | undefined {
    const { allow, connectionLimit, connectionLimitPerAddress = connectionLimit } = this.#options
    if (allow !== undefined && !allow.has(address)) return { code: 'LB-D010', details: {} }
    if (this.#open >= connectionLimit) {
      return { code: 'LB-D011', details: { limit: connectionLimit, setting: 'connection_limit' } }
    }
    if (address === undefined || (this.#perAddress.get(address) ?? 0) < connectionLimitPerAddress) return undefined
    const setting = 'connection_limit_per_address'
    return { code: 'LB-D011', details: { limit: connectionLimitPerAddress, setting } }
  }

  #turnAway(socket: Socket, refusal: Pick<Knock, 'code' | 'details'>): void {
    const peer = peerName(socket)
    socket.on('error', () => {})
    socket.destroy()
    this.#options.knocked({ peer, ...refusal })
  }

  async #admit(socket: Socket): Promise<void> {
    const connection = this.#options.accept(socket)
    this.#connections.add(connection)
    await connection.closed
    this.#connections.delete(connection)
  }

  #shaken(socket: TLSSocket): void {
    const raw = rawSocket(socket)
    if (raw !== undefined) this.#handshaking.delete(raw)
    socket.allowHalfOpen = true
    if (this.#closing) socket.destroy()
    else void this.#admit(socket)
  }

  /** Who only looks whether the port is open says nothing, and is no news. */
  #failed(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    const reason = handshakeFault(error, socket)
    socket.on('error', () => {})
    socket.destroy()
    const peer = peerName(rawSocket(socket) ?? socket)
    if (reason === undefined) this.#options.context.log.debug({ peer, reason: error.message }, 'no TLS handshake')
    else this.#options.knocked({ peer, code: 'LB-D012', details: { reason } })
  }

  #count(address: string | undefined, by: 1 | -1): void {
    this.#open += by
    this.#options.context.stats.connections = this.#open
    if (address === undefined) return
    const count = (this.#perAddress.get(address) ?? 0) + by
    if (count === 0) this.#perAddress.delete(address)
    else this.#perAddress.set(address, count)
  }
}

/** The socket beneath, which still knows its peer when the handshake has failed; where Node does not show it, none. */
function rawSocket(socket: TLSSocket): Socket | undefined {
  return (socket as unknown as { readonly _parent?: Socket })._parent ?? undefined
}
