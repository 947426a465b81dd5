/**
 * A datagram socket that was handed over. It is read as long as the program runs, whichever input is there; what comes
 * while a reload replaces the input is kept for the next one.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import type { HostPort } from '../../server/core/fields.ts'
import type { Logger } from '../../server/core/log.ts'
import type { InheritedOptions } from './inherited-stream.ts'
import { KernelDrops } from './kernel-drops.ts'

/** The datagram is the receiver's own. It must not throw. */
export type Receive = (datagram: Buffer, from: RemoteInfo) => void

/** Datagrams that wait while a reload replaces the input, in bytes; more are dropped. */
const WAITING_BYTES = 8 * 1024 * 1024
/** What a datagram costs beside its bytes. */
const OVERHEAD_BYTES = 512

export class InheritedDatagrams {
  readonly kind = 'datagram'
  readonly address: HostPort
  readonly name: string
  /** To send on, and to give memory to; what it receives comes to who has taken it. */
  readonly socket: Socket
  /** What was dropped while nobody ran counts too. */
  readonly drops: KernelDrops
  readonly #fd: number
  readonly #log: Logger
  readonly #waiting: [Buffer, RemoteInfo][] = []
  #waitingBytes = 0
  #dropped = 0
  #receive: Receive | undefined
  #opening: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor({ fd, name, address, log }: InheritedOptions<HostPort>) {
    this.#fd = fd
    this.#log = log
    this.name = name
    this.address = address
    this.drops = new KernelDrops(address.port)
    this.socket = createSocket(isIPv6(address.host) ? 'udp6' : 'udp4')
    this.socket.on('message', (datagram, from) => this.#received(datagram, from))
  }

  get isTaken(): boolean {
    return this.#receive !== undefined
  }

  /**
   * Hands datagrams to `receive` from now on. Rejects with the system's error when the descriptor cannot be used.
   * @returns how many were dropped since they were too much to keep.
   */
  async take(receive: Receive): Promise<number> {
    this.#receive = receive
    await (this.#opening ??= this.#open())
    for (const [datagram, from] of this.#waiting.splice(0)) receive(datagram, from)
    const dropped = this.#dropped
    this.#waitingBytes = 0
    this.#dropped = 0
    return dropped
  }

  /** The input is done with it. */
  leave(): void {
    this.#receive = undefined
  }

  /** Receives no more: what is sent waits in the kernel. */
  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => this.socket.close(() => resolve()))
    return this.#closing
  }

  #open(): Promise<void> {
    const { socket } = this
    return new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ fd: this.#fd, exclusive: true }, () => {
        socket.off('error', reject)
        socket.on('error', (error) => this.#log.warn({ reason: error.message }, 'a datagram could not be received'))
        resolve()
      })
    })
  }

  #received(datagram: Buffer, from: RemoteInfo): void {
    if (this.#receive !== undefined) this.#receive(datagram, from)
    else if (this.#waitingBytes + datagram.length + OVERHEAD_BYTES > WAITING_BYTES) this.#dropped += 1
    else {
      this.#waiting.push([datagram, from])
      this.#waitingBytes += datagram.length + OVERHEAD_BYTES
    }
  }
}
