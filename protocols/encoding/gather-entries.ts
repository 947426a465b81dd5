/**
 * Entries that come one by one, gathered to one stream per tag, so that many cost few appends: what came within a turn
 * of the event loop, and more while the disk is busy. For inputs whose clients ask for no ack.
 */
import type { Emit } from '../../server/core/event.ts'
import type { BufferPool } from './buffer-pool.ts'
import { EntryWriter } from './entry-writer.ts'

export interface GatherOptions {
  readonly emit: Emit
  readonly pool: BufferPool
  /** Bytes of entries that are not durable yet: from there on `isFull`, until a quarter of them is stored. */
  readonly inFlightBytes: number
  readonly stored: (events: number) => void
  /** The buffer could not take these: they are gone. */
  readonly lost: (events: number, error: unknown) => void
  /** It was full and is not any more. */
  readonly drained?: () => void
}

interface Slot {
  readonly tag: Uint8Array
  readonly writer: EntryWriter
  count: number
}

/** Tags that are gathered by at a time. */
const SLOTS_MAX = 64
/** Bytes at which a stream is emitted however busy the disk is. */
const STREAM_BYTES = 256 * 1024
const FIRST_BYTES = 16 * 1024
/** Streams in flight; further entries wait for one of them to settle, and become a longer stream. */
const STREAMS_MAX = 2

export class GatherEntries {
  readonly #options: GatherOptions
  readonly #emits = new Set<Promise<void>>()
  #slots: Slot[] = []
  #open: Slot | undefined
  #openedAt = 0
  #bytes = 0
  #isFull = false
  #isScheduled = false

  constructor(options: GatherOptions) {
    this.#options = options
  }

  /** Take no more in: stop reading, or count what has to be dropped. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Where the next entry of this tag is to be written (`0x92 time record`); `commit` or `abandon` must follow. */
  begin(tag: Uint8Array): EntryWriter {
    const slot = this.#open !== undefined && isSame(this.#open.tag, tag) ? this.#open : this.#slotOf(tag)
    this.#open = slot
    this.#openedAt = slot.writer.length
    return slot.writer
  }

  /** The entry is whole. It is emitted soon. */
  commit(): void {
    const slot = this.#open!
    slot.count += 1
    this.#add(slot.writer.length - this.#openedAt)
    this.#openedAt = slot.writer.length
    if (slot.writer.length >= STREAM_BYTES) this.#emit(slot)
    else if (!this.#isScheduled) this.#schedule()
  }

  /** The entry is given up, and what was written of it since `begin`. */
  abandon(): void {
    if (this.#open !== undefined) this.#open.writer.length = this.#openedAt
  }

  /**
   * Resolves once all that was committed is durable, and rejects with what kept some of it from it. What others
   * committed meanwhile is not waited for.
   */
  async stored(): Promise<void> {
    this.#flush()
    await Promise.all(this.#emits)
  }

  /** Resolves when nothing is in flight any more, whatever became of it. */
  async settled(): Promise<void> {
    this.#flush()
    await Promise.allSettled(this.#emits)
  }

  #schedule(): void {
    this.#isScheduled = true
    setImmediate(() => {
      // Else the next stream to settle flushes.
      if (this.#emits.size < STREAMS_MAX) this.#flush()
    })
  }

  #flush(): void {
    this.#isScheduled = false
    for (const slot of this.#slots) if (slot.count > 0) this.#emit(slot)
  }

  #emit(slot: Slot): void {
    const { count } = slot
    const { length } = slot.writer
    const memory = slot.writer.take(FIRST_BYTES)
    slot.count = 0
    this.#openedAt = 0
    const emitted = this.#options.emit({ tag: slot.tag, packed: memory.subarray(0, length), count })
    this.#emits.add(emitted)
    emitted.then(
      () => {
        // Memory of what could not be stored may still be on its way to the disk: only this one is used again.
        this.#options.pool.give(memory)
        this.#options.stored(count)
        this.#settle(emitted, length)
      },
      (error: unknown) => {
        this.#options.lost(count, error)
        this.#settle(emitted, length)
      },
    )
  }

  #settle(emitted: Promise<void>, bytes: number): void {
    this.#emits.delete(emitted)
    this.#add(-bytes)
    if (this.#isScheduled) this.#flush()
  }

  #add(bytes: number): void {
    this.#bytes += bytes
    const { inFlightBytes, drained } = this.#options
    const isFull = this.#bytes >= (this.#isFull ? inFlightBytes * 0.75 : inFlightBytes)
    if (isFull === this.#isFull) return
    this.#isFull = isFull
    if (!isFull) drained?.()
  }

  #slotOf(tag: Uint8Array): Slot {
    const known = this.#slots.find((slot) => isSame(slot.tag, tag))
    if (known !== undefined) return known
    if (this.#slots.length === SLOTS_MAX) this.#forgetSlots()
    const slot = { tag: new Uint8Array(tag), writer: new EntryWriter(FIRST_BYTES, this.#options.pool), count: 0 }
    this.#slots.push(slot)
    return slot
  }

  #forgetSlots(): void {
    this.#flush()
    for (const { writer } of this.#slots) this.#options.pool.give(writer.bytes)
    this.#slots = []
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false
  for (let i = 0; i < one.length; i += 1) if (one[i] !== other[i]) return false
  return true
}
