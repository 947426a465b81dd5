/** One connection to a server: opened, let in, messages out, acks in. What bytes mean is the reader's matter. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls'
import { OutputError } from '../output.ts'
import { type Answer, AnswerReader } from './answers.ts'
import { classifySocketError } from './classify.ts'
import type { ClientHandshake } from './handshake.ts'
import type { WireMessage } from './messages.ts'

/** Bytes that are given to the kernel at a time: each that it takes is a sign of life. */
const WRITE_BYTES = 256 * 1024

export interface Target {
  readonly host: string
  readonly port: number
  /** Undefined: plain TCP. */
  readonly tls: TlsOptions | undefined
  /** Undefined: the server asks for no key. */
  readonly handshake: ClientHandshake | undefined
}

/** How long nothing may happen, in ms: while bytes are to be written, and while acks are waited for. */
export interface Patience {
  readonly sendMs: number
  readonly answerMs: number
}

export interface Sent {
  /** What was not acknowledged, in order. */
  readonly left: readonly WireMessage[]
  /** Why; the connection is closed then. */
  readonly failure: OutputError | undefined
}

/** What is waited for. */
interface Turn {
  readonly take: (answer: Answer) => void
  readonly reject: (fault: OutputError) => void
  readonly patienceMs: () => number
}

/**
 * Resolves when messages may be sent.
 * @throws OutputError with the reason `timeout` when the server says nothing, `blocked` when it refuses.
 */
export async function openConnection(target: Target, limitMs: number, signal: AbortSignal): Promise<Connection> {
  const { host, port, tls } = target
  const socket = tls === undefined ? connect({ host, port }) : connectTls({ ...tls, host, port })
  socket.setNoDelay(true)
  socket.setKeepAlive(true)
  const connection = new Connection(socket)
  await connection.greet(target, limitMs, signal)
  return connection
}

export class Connection {
  readonly openedMs = performance.now()
  readonly #socket: Socket
  readonly #answers = new AnswerReader()
  #turn: Turn | undefined
  #timer: NodeJS.Timeout | undefined
  #fault: OutputError | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (read) => this.#read(read))
    socket.on('error', (error) => this.#end(classifySocketError(error)))
    const closed = () => this.#end(new OutputError('retry', 'network', 'it closed the connection'))
    socket.on('end', closed)
    socket.on('close', closed)
  }

  get isOpen(): boolean {
    return this.#fault === undefined
  }

  /** Waits until it is connected, and let in where a key is asked for; `limitMs` in all. */
  async greet({ tls, handshake }: Target, limitMs: number, signal: AbortSignal): Promise<void> {
    const until = performance.now() + limitMs
    await this.#wait(
      signal,
      () => until - performance.now(),
      (resolve) => {
        if (handshake === undefined) this.#socket.once(tls === undefined ? 'connect' : 'secureConnect', resolve)
        return (answer) => {
          if (handshake === undefined) throw unexpected(answer)
          const reply = handshake.take(answer)
          if (reply === 'done') resolve()
          else this.#socket.write(reply)
        }
      },
    )
  }

  /** Settles when all is acknowledged (taken by the kernel, where no acks are asked for), or with what is not. */
  async send(messages: readonly WireMessage[], patience: Patience, signal: AbortSignal): Promise<Sent> {
    const waiting = byChunk(messages)
    try {
      await this.#exchange(messages, waiting, patience, signal)
      return { left: [], failure: undefined }
    } catch (error) {
      const left = new Set([...waiting.values()].flat())
      return { left: messages.filter((message) => left.has(message)), failure: error as OutputError }
    }
  }

  /** The same where nothing is asked: resolves when the kernel has taken the bytes. Rejects with an OutputError. */
  async write(messages: readonly WireMessage[], patience: Patience, signal: AbortSignal): Promise<void> {
    await this.#wait(
      signal,
      () => patience.sendMs,
      (resolve) => {
        this.#writeAll(messages, resolve)
        return (answer) => {
          throw unexpected(answer)
        }
      },
    )
  }

  /** Resolves when the server answers a question, in whatever way. Rejects with an OutputError when it does not. */
  async ask(question: Uint8Array, limitMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#wait(
        signal,
        () => limitMs,
        (resolve) => {
          this.#socket.write(question)
          return () => resolve()
        },
      )
    } catch (error) {
      // It does not take the question, but it is there.
      if ((error as OutputError).reason !== 'network') throw error
    }
  }

  /** What was written is still sent. */
  close(): void {
    this.#fault ??= new OutputError('retry', 'network', 'the connection is closed')
    this.#socket.destroySoon()
  }

  /** The memory of what was not sent is the caller's again. */
  destroy(): void {
    this.#end(new OutputError('retry', 'network', 'the connection is closed'))
  }

  #exchange(
    messages: readonly WireMessage[],
    waiting: Map<string, WireMessage[]>,
    { sendMs, answerMs }: Patience,
    signal: AbortSignal,
  ): Promise<void> {
    let isWritten = false
    const patienceMs = () => (isWritten ? answerMs : Math.min(sendMs, answerMs))
    return this.#wait(signal, patienceMs, (resolve) => {
      this.#writeAll(messages, () => {
        isWritten = true
      })
      return (answer) => {
        if (answer.kind !== 'ack') throw unexpected(answer)
        const chunks = waiting.get(answer.chunk)
        if (chunks === undefined) throw new OutputError('retry', 'other', 'an ack for what was not sent')
        chunks.shift()
        if (chunks.length === 0) waiting.delete(answer.chunk)
        if (waiting.size === 0) resolve()
      }
    })
  }

  /** Gives all to the socket at once; the batch is in memory anyway. */
  #writeAll(messages: readonly WireMessage[], done: () => void): void {
    let bytes = 0
    this.#socket.cork()
    for (const [index, message] of messages.entries()) {
      const { pieces } = message
      bytes += message.bytes
      const isLast = index === messages.length - 1
      const isPart = isLast || bytes >= WRITE_BYTES
      for (const piece of pieces.slice(0, -1)) this.#socket.write(piece)
      this.#socket.write(pieces.at(-1)!, isPart ? () => this.#written(isLast ? done : undefined) : undefined)
      if (!isPart) continue
      bytes = 0
      this.#socket.uncork()
      if (!isLast) this.#socket.cork()
    }
  }

  #written(done: (() => void) | undefined): void {
    if (this.#fault !== undefined) return
    done?.()
    this.#watch()
  }

  #wait(signal: AbortSignal, patienceMs: () => number, begin: (resolve: () => void) => Turn['take']): Promise<void> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const stop = () => this.#end(new OutputError('retry', 'other', 'the write was stopped'))
    const over = () => {
      clearTimeout(this.#timer)
      this.#turn = undefined
      signal.removeEventListener('abort', stop)
    }
    this.#turn = {
      take: begin(() => {
        over()
        resolve()
      }),
      reject: (fault) => {
        over()
        reject(fault)
      },
      patienceMs,
    }
    this.#watch()
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    return promise
  }

  /** Begins to wait anew. */
  #watch(): void {
    clearTimeout(this.#timer)
    const turn = this.#turn
    if (turn === undefined) return
    const silent = () => this.#end(new OutputError('retry', 'timeout', 'it gave no sign in time'))
    this.#timer = setTimeout(silent, Math.max(0, turn.patienceMs()))
  }

  #read(read: Buffer): void {
    try {
      for (const answer of this.#answers.push(read)) {
        if (this.#turn === undefined) throw unexpected(answer)
        this.#turn.take(answer)
      }
      this.#watch()
    } catch (error) {
      const { message } = error as Error
      this.#end(error instanceof OutputError ? error : new OutputError('retry', 'other', message, { cause: error }))
    }
  }

  #end(fault: OutputError): void {
    if (this.#fault === undefined) this.#fault = fault
    this.#socket.destroy()
    this.#turn?.reject(fault)
  }
}

/** Two messages of a batch may be the same to the byte. */
function byChunk(messages: readonly WireMessage[]): Map<string, WireMessage[]> {
  const waiting = new Map<string, WireMessage[]>()
  for (const message of messages) {
    const same = waiting.get(message.chunk)
    if (same === undefined) waiting.set(message.chunk, [message])
    else same.push(message)
  }
  return waiting
}

function unexpected({ kind }: Answer): OutputError {
  if (kind === 'helo') return new OutputError('blocked', 'blocked', 'it asks for a `shared_key`, and none is set')
  return new OutputError('retry', 'other', `an unexpected ${kind}`)
}
