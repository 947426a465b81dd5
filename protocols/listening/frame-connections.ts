/**
 * The connections of an input that only listens: bytes come, frames are found in them, each is taken. When they are
 * read, and when not, is decided here; what a frame means is the protocol's matter. No client waits for an answer.
 */
import type { Socket } from 'node:net'
import type { InputContext } from '../protocol.ts'
import type { Doorbell } from './doorbell.ts'
import { FirstBytes, type Spoken, StrangerError } from './first-bytes.ts'
import { type AcceptedConnection, peerName } from './listen-stream.ts'

/** Finds frames in the bytes of one connection, however they are cut. */
export interface Framing {
  /** The frame that was found is `bytes[start, end)`, until the next call. */
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  /** Bytes of memory that an unfinished frame takes. */
  readonly heldBytes: number
  /** Feeds what was read; only after `next` has said false. */
  push(read: Buffer): void
  next(): boolean
  /** At the end of the connection: what is there of the last frame is one. @returns false when there is nothing. */
  rest(): boolean
}

export interface FrameConnectionsOptions<F extends Framing> {
  readonly context: InputContext
  readonly doorbell: Doorbell
  /** What the port takes, in the operator's words: `syslog`. */
  readonly takes: string
  /** Protocols whose first bytes cannot be frames: such a connection is closed at once. */
  readonly foreign: ReadonlySet<Spoken>
  readonly createFraming: () => F
  /** Takes the frame that `framing` has found. @throws StrangerError when the connection is of another protocol. */
  readonly take: (framing: F, peer: string) => void
  /** Too much is not stored yet: no connection is read. Call `steer` when that is over. */
  readonly isFull: () => boolean
}

/** Bytes that the unfinished frames of all connections may hold. */
const HELD_BYTES = 64 * 1024 * 1024
/** How long a connection that was ended is still read, for what its client has sent already, in ms. */
const LINGER_MS = 1_000

export class FrameConnections<F extends Framing> {
  readonly #options: FrameConnectionsOptions<F>
  /** In the order in which they were read last, the longest ago first. */
  readonly #connections = new Set<FrameConnection<F>>()
  #held = 0

  constructor(options: FrameConnectionsOptions<F>) {
    this.#options = options
  }

  accept(socket: Socket): AcceptedConnection {
    const connection = new FrameConnection(socket, this.#options, (more) => this.#account(connection, more))
    this.#connections.add(connection)
    connection.closed.then(() => this.#connections.delete(connection))
    return connection
  }

  /** Looks again which connections may be read. */
  steer(): void {
    for (const connection of this.#connections) connection.steer()
  }

  /** Beyond the limit the connections that have been silent longest within a frame are closed. */
  #account(connection: FrameConnection<F>, more: number): void {
    this.#held += more
    if (this.#connections.delete(connection)) this.#connections.add(connection)
    if (this.#held <= HELD_BYTES) return
    for (const silent of this.#connections) {
      if (silent.heldBytes > 0) silent.evict()
      if (this.#held <= HELD_BYTES) return
    }
  }
}

class FrameConnection<F extends Framing> implements AcceptedConnection {
  /** Resolves when the socket is closed. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  readonly #options: FrameConnectionsOptions<F>
  readonly #account: (more: number) => void
  readonly #peer: string
  readonly #framing: F
  readonly #firstBytes = new FirstBytes()
  #held = 0
  #ended = false
  #lingering: NodeJS.Timeout | undefined

  constructor(socket: Socket, options: FrameConnectionsOptions<F>, account: (more: number) => void) {
    this.#socket = socket
    this.#options = options
    this.#account = account
    this.#peer = peerName(socket)
    this.#framing = options.createFraming()
    const { log } = options.context
    socket.on('data', (read) => this.#read(read as Buffer))
    socket.on('end', () => this.#close())
    // A reset is no news: nobody waits for an answer.
    socket.on('error', (error) => log.debug({ peer: this.#peer, reason: error.message }, 'connection error'))
    this.closed = new Promise((resolve) =>
      socket.on('close', () => {
        clearTimeout(this.#lingering)
        this.#takeRest()
        this.#ended = true
        resolve()
      }),
    )
    this.steer()
  }

  get heldBytes(): number {
    return this.#held
  }

  steer(): void {
    const isFull = this.#options.isFull()
    if (isFull && !this.#socket.isPaused()) this.#socket.pause()
    else if (!isFull && this.#socket.isPaused()) this.#socket.resume()
  }

  /** Ends our side; what the client has sent by then is still taken. */
  end(): void {
    this.#socket.end()
    this.#lingering ??= setTimeout(() => this.#socket.destroy(), LINGER_MS)
  }

  /** For one that stalls within a frame while memory is short: what it holds is taken as it is. */
  evict(): void {
    this.#options.doorbell.knocked(this.#peer, 'LB-L005', {})
    this.#close()
  }

  #read(read: Buffer): void {
    if (this.#ended) return
    const { context, foreign, take } = this.#options
    context.stats.bytes += read.length
    try {
      const spoken = this.#firstBytes.look(read)
      if (spoken !== undefined && foreign.has(spoken)) throw new StrangerError(spoken)
      this.#framing.push(read)
      while (this.#framing.next()) take(this.#framing, this.#peer)
    } catch (error) {
      if (!(error instanceof StrangerError)) throw error
      this.#refuse(error)
      return
    }
    this.#hold(this.#framing.heldBytes)
    this.steer()
  }

  #refuse({ spoken }: StrangerError): void {
    const { doorbell, takes } = this.#options
    doorbell.stranger(this.#peer, spoken, takes)
    this.#ended = true
    this.#hold(0)
    this.#socket.destroy()
  }

  #close(): void {
    this.#takeRest()
    this.#ended = true
    this.#socket.end()
    this.#lingering ??= setTimeout(() => this.#socket.destroy(), LINGER_MS)
  }

  #takeRest(): void {
    if (!this.#ended && this.#framing.rest()) this.#options.take(this.#framing, this.#peer)
    this.#hold(0)
  }

  #hold(bytes: number): void {
    const more = bytes - this.#held
    if (more === 0) return
    this.#held = bytes
    this.#account(more)
  }
}
