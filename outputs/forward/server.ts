/** One server of the list: the connections to it, and what becomes of messages that are sent to it. */
import { randomBytes } from 'node:crypto'
import type { OutputError } from '../output.ts'
import { type Connection, openConnection, type Patience, type Sent } from './connection.ts'
import { ClientHandshake, type HandshakeOptions } from './handshake.ts'
import { encodeQuestion, type WireMessage } from './messages.ts'
import type { ServerState } from './server-state.ts'
import type { TlsOptions } from './tls.ts'

/** A connection is not used for longer: names are looked up anew, and balancers may choose again. */
const CONNECTION_AGE_MS = 60_000
/** Longest wait for the answer to a heartbeat over a connection, if it is less than `hard_timeout`. */
const HEARTBEAT_MS = 5_000

const ALL_SENT: Sent = { left: [], failure: undefined }

export interface ServerOptions {
  /** As it is called in the log. */
  readonly label: string
  readonly host: string
  readonly port: number
  /** Undefined: plain TCP. */
  readonly tls: TlsOptions | undefined
  readonly proofs: Omit<HandshakeOptions, 'salt'> | undefined
  readonly state: ServerState
  readonly asksForAcks: boolean
  readonly keepalive: boolean
  readonly hardTimeoutMs: number
  readonly patience: Patience
  /** It has become known to be lost, or to be back. */
  readonly changed: (server: Server, news: 'lost' | 'back', why: string) => void
}

export class Server {
  readonly state: ServerState
  readonly options: ServerOptions
  #idle: Connection[] = []

  constructor(options: ServerOptions) {
    this.options = options
    this.state = options.state
  }

  get weight(): number {
    return this.state.weight
  }
  get standby(): boolean {
    return this.state.standby
  }
  get isAvailable(): boolean {
    return this.state.isAvailable
  }

  /** Sends, and says what is left. Where something is, the server is lost from now on, unless the signal aborted. */
  async deliver(messages: readonly WireMessage[], signal: AbortSignal): Promise<Sent> {
    const sent = await this.#deliver(messages, signal)
    if (sent.failure === undefined) {
      if (this.state.worked()) this.options.changed(this, 'back', 'it takes messages')
    } else if (!signal.aborted) this.#lost(sent.failure)
    return sent
  }

  /**
   * Connects, signs in, and closes; where the server has kept silent before, it must answer a question too. Rejects
   * with an OutputError.
   */
  async probe(signal: AbortSignal): Promise<void> {
    const limitMs = Math.min(HEARTBEAT_MS, this.options.hardTimeoutMs)
    const connection = await this.#open(limitMs, signal)
    try {
      if (this.state.wasSilent)
        await connection.ask(encodeQuestion(randomBytes(18).toString('base64')), limitMs, signal)
    } finally {
      connection.close()
    }
  }

  dropIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }

  /**
   * All over one connection where it may be kept, else one message over each. What a connection that is closed has left
   * goes over the next one, as long as that helps.
   */
  async #deliver(messages: readonly WireMessage[], signal: AbortSignal): Promise<Sent> {
    let left = messages
    while (left.length > 0) {
      const part = this.options.keepalive ? left : left.slice(0, 1)
      const reused = this.#takeIdle()
      const sent = await this.#sendOver(reused, part, signal)
      // It may have been closed while it was not used, and a server may close after each message.
      const mayGoOn = sent.failure?.reason === 'network' && (reused !== undefined || sent.left.length < part.length)
      left = [...sent.left, ...left.slice(part.length)]
      if (sent.failure !== undefined && !mayGoOn) return { left, failure: sent.failure }
    }
    return ALL_SENT
  }

  async #sendOver(
    reused: Connection | undefined,
    messages: readonly WireMessage[],
    signal: AbortSignal,
  ): Promise<Sent> {
    const { patience, asksForAcks, hardTimeoutMs } = this.options
    try {
      const connection = reused ?? (await this.#open(hardTimeoutMs, signal))
      const sent = asksForAcks
        ? await connection.send(messages, patience, signal)
        : await connection.write(messages, patience, signal).then(() => ALL_SENT)
      this.#putBack(connection)
      return sent
    } catch (error) {
      return { left: messages, failure: error as OutputError }
    }
  }

  async #open(limitMs: number, signal: AbortSignal): Promise<Connection> {
    const { host, port, proofs } = this.options
    const tls = await this.options.tls?.()
    const handshake = proofs && new ClientHandshake({ ...proofs, salt: randomBytes(16).toString('hex') })
    return openConnection({ host, port, tls, handshake }, limitMs, signal)
  }

  #takeIdle(): Connection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.isOpen && performance.now() - connection.openedMs < CONNECTION_AGE_MS) return connection
      connection.close()
    }
    return undefined
  }

  #putBack(connection: Connection): void {
    if (connection.isOpen && this.options.keepalive && this.isAvailable) this.#idle.push(connection)
    else connection.close()
  }

  #lost(failure: OutputError): void {
    this.dropIdle()
    const isNews = this.state.lost(performance.now(), failure.reason === 'timeout')
    if (isNews) this.options.changed(this, 'lost', failure.message)
  }
}
