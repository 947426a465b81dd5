/**
 * A listening stream socket that was handed over. Node closes the descriptor of a server that stops, so this one goes
 * on while inputs come and go; who connects in between waits for the next input.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { Address } from '../../server/core/fields.ts'
import type { Logger } from '../../server/core/log.ts'
import { ACCEPT_OPTIONS } from './accept-options.ts'

export interface InheritedOptions<A extends Address> {
  readonly fd: number
  /** What its unit calls it. */
  readonly name: string
  readonly address: A
  readonly log: Logger
}

type Accept = (socket: Socket) => void

/** Connections that wait while a reload replaces the input; more are closed. */
const WAITING_MAX = 1_024
/** Connections that the kernel keeps while nobody accepts, if net.core.somaxconn allows as many. */
const BACKLOG = 4_096

export class InheritedStream {
  readonly kind = 'stream'
  readonly address: Address
  readonly name: string
  readonly #fd: number
  readonly #server: Server
  /** Accepted while no input was there: neither is read. */
  readonly #waiting = new Set<Socket>()
  #accept: Accept | undefined
  #opening: Promise<void> | undefined

  constructor({ fd, name, address, log }: InheritedOptions<Address>) {
    this.#fd = fd
    this.name = name
    this.address = address
    // Not read until somebody has taken it: readers that take the handle over would miss what was read before.
    this.#server = createServer({ ...ACCEPT_OPTIONS, pauseOnConnect: true }, (socket) => this.#connected(socket))
    this.#server.on('error', (error) => log.warn({ reason: error.message }, 'a connection could not be accepted'))
  }

  get isTaken(): boolean {
    return this.#accept !== undefined
  }

  /** Hands sockets to `accept` from now on. Rejects with the system's error when the descriptor cannot be used. */
  async take(accept: Accept): Promise<void> {
    this.#accept = accept
    await (this.#opening ??= this.#open())
    for (const socket of this.#waiting) hand(socket, accept)
    this.#waiting.clear()
  }

  /** The input is done with it. */
  leave(): void {
    this.#accept = undefined
  }

  /** Accepts no more: who connects waits in the kernel. */
  async close(): Promise<void> {
    for (const socket of this.#waiting) socket.destroy()
    // Not awaited: a server is closed when its connections are, and those belong to the inputs.
    if (this.#server.listening) this.#server.close()
  }

  #open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ fd: this.#fd, backlog: BACKLOG }, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
  }

  #connected(socket: Socket): void {
    if (this.#accept !== undefined) {
      hand(socket, this.#accept)
      return
    }
    socket.on('error', () => {})
    if (this.#waiting.size === WAITING_MAX) {
      socket.destroy()
      return
    }
    this.#waiting.add(socket)
    socket.on('close', () => this.#waiting.delete(socket))
  }
}

function hand(socket: Socket, accept: Accept): void {
  accept(socket)
  socket.resume()
}
