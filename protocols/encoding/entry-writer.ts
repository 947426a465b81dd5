/**
 * A growing piece of memory that msgpack is written into: heads, strings, numbers, the time of an event. What is
 * written, and in what order, is the caller's matter.
 */
import { BufferPool } from './buffer-pool.ts'

/** The array of two that an entry is: `0x92 time record`. [Forward spec v1, "Entry"] */
const ENTRY = 0x92
/** Strings up to this long are copied by a loop: cheaper than the call. */
const LOOP_BYTES = 32
const sharedPool = new BufferPool()

/** Every write grows `bytes` when it has to: do not keep a reference to it over a write. */
export class EntryWriter {
  /** What was written is `bytes[0, length)`. */
  bytes: Buffer
  length = 0
  readonly #pool: BufferPool

  /** @param bytes to begin with; the pool gives what more is needed. */
  constructor(bytes: number, pool: BufferPool = sharedPool) {
    this.#pool = pool
    this.bytes = pool.take(bytes)
  }

  /** Makes room for `count` more bytes, which the caller may then write by itself from `length` on. */
  room(count: number): void {
    if (this.length + count > this.bytes.length) this.#grow(count)
  }

  #grow(count: number): void {
    const grown = this.#pool.take(Math.max(this.length + count, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.length))
    this.#pool.give(this.bytes)
    this.bytes = grown
  }

  byte(value: number): void {
    this.room(1)
    this.bytes[this.length] = value
    this.length += 1
  }

  /** Opens an entry; an EventTime and a map must follow. */
  entry(): void {
    this.byte(ENTRY)
  }

  /** EventTime: `d7 00`, seconds u32, nanoseconds u32. [Forward spec v1, "EventTime Ext Format"] */
  eventTime(seconds: number, nanoseconds: number): void {
    this.room(10)
    const { bytes, length } = this
    bytes[length] = 0xd7
    bytes[length + 1] = 0
    bytes.writeUInt32BE(seconds, length + 2)
    bytes.writeUInt32BE(nanoseconds, length + 6)
    this.length = length + 10
  }

  nil(): void {
    this.byte(0xc0)
  }

  boolean(value: boolean): void {
    this.byte(value ? 0xc3 : 0xc2)
  }

  /** A whole number up to 2^53, in its shortest form: fixint, uint32, uint64, int64. */
  integer(value: number): void {
    this.room(9)
    const { bytes, length } = this
    if (value >= 0 && value < 128) {
      bytes[length] = value
      this.length = length + 1
    } else if (value >= 0 && value < 2 ** 32) {
      bytes[length] = 0xce
      this.length = bytes.writeUInt32BE(value, length + 1)
    } else {
      bytes[length] = value < 0 ? 0xd3 : 0xcf
      bytes.writeInt32BE(Math.floor(value / 2 ** 32), length + 1)
      this.length = bytes.writeUInt32BE(value - Math.floor(value / 2 ** 32) * 2 ** 32, length + 5)
    }
  }

  /** A whole number from -2^63 to 2^64 - 1, in the form that `integer` has. */
  bigInteger(value: bigint): void {
    if (value >= -(2n ** 53n) && value <= 2n ** 53n) {
      this.integer(Number(value))
      return
    }
    this.room(9)
    const { bytes, length } = this
    bytes[length] = value < 0n ? 0xd3 : 0xcf
    this.length = bytes.writeBigUInt64BE(BigInt.asUintN(64, value), length + 1)
  }

  double(value: number): void {
    this.room(9)
    this.bytes[this.length] = 0xcb
    this.length = this.bytes.writeDoubleBE(value, this.length + 1)
  }

  mapHead(count: number): void {
    this.#head(count, 16, 0x80, 0xde)
  }

  arrayHead(count: number): void {
    this.#head(count, 16, 0x90, 0xdc)
  }

  /** The head of a string of so many bytes, which must follow. */
  stringHead(length: number): void {
    if (length < 32) this.byte(0xa0 | length)
    else if (length < 256) {
      this.room(2)
      this.bytes[this.length] = 0xd9
      this.bytes[this.length + 1] = length
      this.length += 2
    } else this.#head(length, 0, 0, 0xda)
  }

  /** A string that holds these bytes as they are, UTF-8 or not. */
  string(from: Buffer, start: number, end: number): void {
    const count = end - start
    this.room(count + 5)
    this.stringHead(count)
    const { bytes, length } = this
    if (count > LOOP_BYTES) from.copy(bytes, length, start, end)
    else for (let i = 0; i < count; i += 1) bytes[length + i] = from[start + i]!
    this.length = length + count
  }

  /** A string in UTF-8. */
  text(text: string): void {
    const count = Buffer.byteLength(text)
    this.room(count + 5)
    this.stringHead(count)
    this.length += this.bytes.write(text, this.length)
  }

  /** One byte for the head of a container whose count is not known yet. `closeMap` and `closeArray` make it right. */
  open(): number {
    this.byte(0)
    return this.length - 1
  }

  closeMap(opened: number, count: number): void {
    this.#close(opened, count, 0x80, 0xde)
  }

  closeArray(opened: number, count: number): void {
    this.#close(opened, count, 0x90, 0xdc)
  }

  #close(opened: number, count: number, fixed: number, wide: number): void {
    const end = this.length
    if (count < 16) {
      this.bytes[opened] = fixed | count
      return
    }
    const more = count < 65_536 ? 2 : 4
    this.room(more)
    this.bytes.copyWithin(opened + 1 + more, opened + 1, end)
    this.length = opened
    this.#head(count, 16, fixed, wide)
    this.length = end + more
  }

  /** Below `least` a head of one byte; else `wide` and 16 bits, or the next code and 32. */
  #head(count: number, least: number, fixed: number, wide: number): void {
    this.room(5)
    const { bytes, length } = this
    if (count < least) {
      bytes[length] = fixed | count
      this.length = length + 1
    } else if (count < 65_536) {
      bytes[length] = wide
      this.length = bytes.writeUInt16BE(count, length + 1)
    } else {
      bytes[length] = wide + 1
      this.length = bytes.writeUInt32BE(count, length + 1)
    }
  }

  /** Hands over what was written and begins anew with memory of `room` bytes. The pool may get it back one day. */
  take(room: number): Buffer {
    const taken = this.bytes
    this.bytes = this.#pool.take(room)
    this.length = 0
    return taken
  }
}
