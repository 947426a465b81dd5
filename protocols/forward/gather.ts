/**
 * Gathers the single events of Message mode to one stream per tag, so that a read costs few appends however many
 * events it has.
 */
import type { BufferPool } from '../encoding/buffer-pool.ts'
import type { ForwardMessage } from './message.ts'

/** Takes a gathered stream: `length` bytes of a buffer, which is its own from now on. */
export type TakeStream = (tag: Uint8Array, packed: Buffer, length: number, count: number) => void

interface Slot {
  readonly tag: Uint8Array
  packed: Buffer
  length: number
  count: number
}

/** Tags that one connection is gathered by at a time. */
const SLOTS_MAX = 64
const NO_BYTES = Buffer.alloc(0)
const ENTRY_OF_TWO = 0x92

export class Gather {
  readonly #pool: BufferPool
  readonly #take: TakeStream
  #slots: Slot[] = []
  #last: Slot | undefined

  constructor(pool: BufferPool, take: TakeStream) {
    this.#pool = pool
    this.#take = take
  }

  /** Copies the event. `room` is how many bytes of events may follow it before the next `flush`: an estimate. */
  add(message: ForwardMessage, room: number): void {
    const { bytes, bodyStart, bodyEnd } = message
    const slot = this.#slotOf(bytes, message.tagStart, message.tagEnd)
    const length = slot.length + 1 + bodyEnd - bodyStart
    if (length > slot.packed.length) this.#grow(slot, Math.max(length, slot.length === 0 ? room : slot.length * 2))
    slot.packed[slot.length] = ENTRY_OF_TWO
    bytes.copy(slot.packed, slot.length + 1, bodyStart, bodyEnd)
    slot.length = length
    slot.count += 1
  }

  /** Hands out what was gathered, a stream per tag. */
  flush(): void {
    if (this.#last === undefined) return
    for (const slot of this.#slots) {
      if (slot.count === 0) continue
      const { packed, length, count } = slot
      slot.packed = NO_BYTES
      slot.length = 0
      slot.count = 0
      this.#take(slot.tag, packed, length, count)
    }
    this.#last = undefined
  }

  #grow(slot: Slot, size: number): void {
    const packed = this.#pool.take(size)
    packed.set(slot.packed.subarray(0, slot.length))
    this.#pool.give(slot.packed)
    slot.packed = packed
  }

  #slotOf(bytes: Uint8Array, start: number, end: number): Slot {
    if (this.#last !== undefined && isSame(this.#last.tag, bytes, start, end)) return this.#last
    let slot = this.#slots.find(({ tag }) => isSame(tag, bytes, start, end))
    if (slot === undefined) {
      if (this.#slots.length === SLOTS_MAX) {
        this.flush()
        this.#slots = []
      }
      slot = { tag: new Uint8Array(bytes.subarray(start, end)), packed: NO_BYTES, length: 0, count: 0 }
      this.#slots.push(slot)
    }
    this.#last = slot
    return slot
  }
}

function isSame(tag: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (tag.length !== end - start) return false
  for (let i = 0; i < tag.length; i += 1) if (tag[i] !== bytes[start + i]) return false
  return true
}
