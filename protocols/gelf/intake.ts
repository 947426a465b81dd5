/** What becomes of datagrams and frames: put together, unpacked, written as entries, or counted. No socket here. */
import { MalformedError } from '../../server/core/msgpack.ts'
import type { GatherEntries } from '../encoding/gather-entries.ts'
import type { Doorbell } from '../listening/doorbell.ts'
import { recognise, type Spoken } from '../listening/first-bytes.ts'
import { type FrameIntake, TOO_FAST } from '../listening/frame-input.ts'
import { ChunkAssembly, type ChunkLimits, countOf, isChunk } from './chunks.ts'
import type { Frames } from './frames.ts'
import { Fault, malformed } from './limits.ts'
import { MessageReader, skipBetween } from './message.ts'
import { unpack } from './unpack.ts'

export interface GelfIntakeOptions extends ChunkLimits {
  readonly tag: string
  /** Bytes that a compressed message may unpack to. */
  readonly inflatedBytes: number
  readonly gather: GatherEntries
  readonly doorbell: Doorbell
  /** ms since 1970. */
  readonly now: () => number
  readonly monotonic: () => number
  /** Where instances share a balancer: hands a chunk to the one that owns its message. False: that is this one. */
  readonly handOn?: (chunk: Buffer, sender: string) => boolean
}

/** What begins so is no GELF, on TCP and as a datagram. */
export const FOREIGN: ReadonlySet<Spoken> = new Set(['tls', 'http', 'ssh', 'proxy', 'forward', 'syslog'])
/** TCP takes JSON as it is alone, since what is compressed has zero bytes within. [GELF, "GELF via TCP"] */
export const FOREIGN_TO_TCP: ReadonlySet<Spoken> = new Set([...FOREIGN, 'gelf-chunk', 'gzip', 'zlib'])

export class GelfIntake implements FrameIntake<Frames> {
  readonly #options: GelfIntakeOptions
  readonly #tag: Buffer
  readonly #reader = new MessageReader()
  readonly #chunks: ChunkAssembly

  constructor(options: GelfIntakeOptions) {
    this.#options = options
    this.#tag = Buffer.from(options.tag)
    const { doorbell } = options
    this.#chunks = new ChunkAssembly(options, {
      missing: ({ peer, missing, count }) => doorbell.knocked(peer, 'LB-G001', { missing, count }),
      evicted: ({ peer, missing, count }) => doorbell.knocked(peer, 'LB-G002', { missing, count }),
    })
  }

  takeFrame({ bytes, start, end, isOversize }: Frames, peer: string): void {
    try {
      if (isOversize) throw new Fault('LB-G004', { limit: this.#options.messageBytes })
      this.#takeText(bytes, start, end)
    } catch (error) {
      this.#refuse(error, peer)
    }
  }

  takeDatagram(datagram: Buffer, peer: string): void {
    this.#takeDatagram(datagram, peer, this.#options.handOn)
  }

  /** Takes a chunk that another instance has handed on. It stays here, whoever owns its message. */
  takeHandedOn(chunk: Buffer, sender: string): void {
    const { gather, doorbell } = this.#options
    if (!isChunk(chunk)) doorbell.knocked(sender, 'LB-G003', { reason: 'what was handed on is no chunk' })
    else if (gather.isFull) doorbell.knocked(sender, 'LB-L004', { reason: TOO_FAST })
    else this.#takeDatagram(chunk, sender, undefined)
  }

  #takeDatagram(datagram: Buffer, peer: string, handOn: GelfIntakeOptions['handOn']): void {
    try {
      const message = isChunk(datagram) ? this.#takeChunk(datagram, peer, handOn) : datagram
      if (message === undefined) return
      const text = unpack(message, this.#options.inflatedBytes)
      if (this.#takeText(text, 0, text.length) === 0) throw malformed('it is empty')
    } catch (error) {
      const spoken = error instanceof MalformedError ? recognise(datagram) : undefined
      if (spoken !== undefined && FOREIGN.has(spoken)) this.#options.doorbell.stranger(peer, spoken, 'GELF')
      else this.#refuse(error, peer)
    }
  }

  /** @returns the message, when it is whole and this instance's. What is whole by itself stays where it came. */
  #takeChunk(chunk: Buffer, peer: string, handOn: GelfIntakeOptions['handOn']): Buffer | undefined {
    if (handOn !== undefined && countOf(chunk) > 1 && handOn(chunk, peer)) return undefined
    return this.#chunks.add(chunk, peer, this.#options.monotonic())
  }

  /** Gives up messages whose chunks have not come in time. */
  sweep(): void {
    this.#chunks.sweep(this.#options.monotonic())
  }

  /** @returns how many messages there were; what comes before one that is no GELF is taken. */
  #takeText(text: Buffer, start: number, end: number): number {
    const { gather, now } = this.#options
    let count = 0
    for (let at = skipBetween(text, start, end); at < end; at = skipBetween(text, at, end)) {
      const to = gather.begin(this.#tag)
      try {
        at = this.#reader.read(text, at, end, to, now())
      } catch (error) {
        gather.abandon()
        throw error
      }
      gather.commit()
      count += 1
    }
    return count
  }

  #refuse(error: unknown, peer: string): void {
    const { doorbell } = this.#options
    if (error instanceof Fault) doorbell.knocked(peer, error.code, error.details)
    else if (error instanceof MalformedError) doorbell.knocked(peer, 'LB-G003', { reason: error.message })
    else throw error
  }
}
