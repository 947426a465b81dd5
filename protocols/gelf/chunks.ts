/**
 * Puts messages together that come in chunks, in any order, among those of others. No socket, no timer: `sweep` is told
 * the time.
 *
 *   +-- 2 ---+----- 8 ------+---- 1 -----+-- 1 --+---- … ----+
 *   | 1e 0f  |  message id  |  sequence  | count |  payload  |      sequence 0 to count - 1, count 1 to 128
 *   +--------+--------------+------------+-------+-----------+      [GELF, "Chunking"]
 *
 * A message is known by its id and the address of its sender, so that two senders with one id are two messages; with
 * peers by its id alone, since a balancer may show another address to each of them. Its
 * chunks have to come within a time that begins with the first one. Memory is bounded, in all and for each address:
 * who needs more loses the oldest of the messages that are not whole, and those of others stay.
 */
import { crc32 } from 'node:zlib'
import { Fault, LIMITS, malformed } from './limits.ts'

const HEAD = 12
const SEQUENCE = 10
const COUNT = 11

export interface ChunkLimits {
  /** From the first chunk of a message to its last. */
  readonly timeoutMs: number
  /** Of one message. */
  readonly messageBytes: number
  /** Of all that is not whole. */
  readonly pendingBytes: number
  /** A message is known by its id alone. */
  readonly isIdEnough: boolean
}

/** A message that is lost, since chunks of it are missing. */
export interface LostMessage {
  readonly peer: string
  /** The first chunk that did not come, from 1. */
  readonly missing: number
  readonly count: number
}

export interface ChunkReport {
  /** Its time is over. */
  missing(message: LostMessage): void
  /** Its memory was needed. */
  evicted(message: LostMessage): void
}

interface Source {
  messages: number
  bytes: number
}

interface Pending {
  readonly key: string
  readonly peer: string
  readonly source: Source
  readonly firstMs: number
  readonly parts: (Buffer | undefined)[]
  /** Chunks that came. */
  have: number
  bytes: number
  /** Whole, lost or too large: nothing is held for it. */
  isDone: boolean
}

/** CRC-32 of each chunk of a message that was whole, so that its chunks are known when they come again. */
type Sums = Uint32Array
/** Of a message that was given up: whatever of it still comes is nothing new. */
const GIVEN_UP: Sums = new Uint32Array(0)

export function isChunk(datagram: Uint8Array): boolean {
  return datagram[0] === 0x1e && datagram[1] === 0x0f
}

/** Whether it can be part of a message. @returns how many parts that has. @throws Fault LB-G003. */
export function countOf(chunk: Uint8Array): number {
  if (chunk.length < HEAD) throw malformed(`a chunk of ${chunk.length} bytes`)
  const sequence = chunk[SEQUENCE]!
  const count = chunk[COUNT]!
  if (count === 0 || count > LIMITS.chunks || sequence >= count) {
    throw malformed(`chunk ${sequence + 1} of ${count}`)
  }
  return count
}

export class ChunkAssembly {
  readonly #limits: ChunkLimits
  readonly #report: ChunkReport
  readonly #pending = new Map<string, Pending>()
  /** In two parts, the older of which is thrown away as a whole. */
  #finished = new Map<string, Sums>()
  #finishedBefore = new Map<string, Sums>()
  #finishedSinceMs = 0
  readonly #sources = new Map<string, Source>()
  /** By the time of the first chunk, done ones among them. */
  #order: Pending[] = []
  #head = 0
  #bytes = 0

  constructor(limits: ChunkLimits, report: ChunkReport) {
    this.#limits = limits
    this.#report = report
  }

  get pendingMessages(): number {
    return this.#pending.size
  }

  get pendingBytes(): number {
    return this.#bytes
  }

  /** Takes a chunk, and keeps its memory. @returns the message when it is whole. @throws Fault LB-G003, LB-G004. */
  add(chunk: Buffer, peer: string, nowMs: number): Buffer | undefined {
    const count = countOf(chunk)
    const sequence = chunk[SEQUENCE]!
    this.sweep(nowMs)
    const id = chunk.toString('latin1', 2, SEQUENCE)
    const key = this.#limits.isIdEnough ? id : `${peer} ${id}`
    const payload = chunk.subarray(HEAD)
    const known = this.#pending.get(key)
    if (known === undefined && this.#isDouble(key, sequence, count, payload)) return undefined
    const pending = known ?? this.#open(key, peer, count, nowMs)
    if (pending.parts.length !== count) throw malformed(`chunks of one message that count ${count} and others`)
    if (pending.isDone || pending.parts[sequence] !== undefined) return undefined
    return this.#place(pending, sequence, payload)
  }

  /** Gives up the messages whose time is over. */
  sweep(nowMs: number): void {
    const until = nowMs - this.#limits.timeoutMs
    for (let oldest = this.#order[this.#head]; oldest !== undefined; oldest = this.#order[this.#head]) {
      if (!oldest.isDone && oldest.firstMs > until) break
      this.#head += 1
      if (!oldest.isDone) this.#report.missing(this.#giveUp(oldest))
    }
    if (this.#finishedSinceMs <= until) this.#forgetFinished(nowMs)
    this.#compact()
  }

  #place(pending: Pending, sequence: number, payload: Buffer): Buffer | undefined {
    pending.parts[sequence] = payload
    pending.have += 1
    this.#hold(pending, payload.length + LIMITS.chunkOverheadBytes)
    if (pending.bytes - pending.have * LIMITS.chunkOverheadBytes > this.#limits.messageBytes) {
      this.#giveUp(pending)
      throw new Fault('LB-G004', { limit: this.#limits.messageBytes })
    }
    const count = pending.parts.length
    if (pending.have < count) {
      this.#evict(pending.source)
      return undefined
    }
    const parts = pending.parts as Buffer[]
    const message = count === 1 ? parts[0]! : Buffer.concat(parts)
    this.#finished.set(
      pending.key,
      Uint32Array.from(parts, (part) => crc32(part)),
    )
    this.#close(pending)
    return message
  }

  #open(key: string, peer: string, count: number, nowMs: number): Pending {
    let source = this.#sources.get(peer)
    if (source === undefined) this.#sources.set(peer, (source = { messages: 0, bytes: 0 }))
    if (this.#finished.size >= LIMITS.finishedMessages) this.#forgetFinished(nowMs)
    const parts = new Array<Buffer | undefined>(count).fill(undefined)
    const pending = { key, peer, source, firstMs: nowMs, parts, have: 0, bytes: 0, isDone: false }
    source.messages += 1
    this.#pending.set(key, pending)
    this.#order.push(pending)
    return pending
  }

  #hold(pending: Pending, bytes: number): void {
    pending.bytes += bytes
    pending.source.bytes += bytes
    this.#bytes += bytes
  }

  /** Nothing is held for it any more. */
  #close(pending: Pending): void {
    pending.isDone = true
    pending.parts.length = 0
    this.#hold(pending, -pending.bytes)
    pending.source.messages -= 1
    if (pending.source.messages === 0) this.#sources.delete(pending.peer)
    this.#pending.delete(pending.key)
  }

  /** After a chunk of this source was held. */
  #evict(source: Source): void {
    const { pendingBytes } = this.#limits
    while (source.messages > LIMITS.pendingMessagesPerSource || source.bytes > pendingBytes / LIMITS.sourceShare) {
      this.#evictOldest(source)
    }
    while (this.#pending.size > LIMITS.pendingMessages || this.#bytes > pendingBytes) this.#evictOldest(undefined)
  }

  #evictOldest(source: Source | undefined): void {
    for (let at = this.#head; at < this.#order.length; at += 1) {
      const pending = this.#order[at]!
      if (pending.isDone || (source !== undefined && pending.source !== source)) continue
      this.#report.evicted(this.#giveUp(pending))
      return
    }
  }

  #giveUp(pending: Pending): LostMessage {
    const { key, peer, parts } = pending
    const lost = { peer, missing: parts.indexOf(undefined) + 1, count: parts.length }
    this.#finished.set(key, GIVEN_UP)
    this.#close(pending)
    return lost
  }

  #isDouble(key: string, sequence: number, count: number, payload: Buffer): boolean {
    const sums = this.#finished.get(key) ?? this.#finishedBefore.get(key)
    if (sums === undefined || sums === GIVEN_UP) return sums === GIVEN_UP
    return sums.length === count && sums[sequence] === crc32(payload)
  }

  #forgetFinished(nowMs: number): void {
    this.#finishedBefore = this.#finished
    this.#finished = new Map()
    this.#finishedSinceMs = nowMs
  }

  /** Forgets those that are done, when they are more than half of the order. */
  #compact(): void {
    if (this.#order.length <= 2 * this.#pending.size + 64) return
    this.#order = this.#order.slice(this.#head).filter(({ isDone }) => !isDone)
    this.#head = 0
  }
}
