/**
 * The messages of a TCP connection, however its bytes are cut: each ends with a zero byte, the last one maybe with the
 * connection. Empty ones are passed over; what is larger than the limit is thrown away, and found as such.
 */
import type { Framing } from '../listening/frame-connections.ts'

const EMPTY = Buffer.alloc(0)
/** The first memory of a frame that is cut by a read, in bytes. */
const HELD_MIN = 512

export class Frames implements Framing {
  readonly #limit: number
  #input: Buffer = EMPTY
  #at = 0
  /** The beginning of a frame that goes on in the next read. */
  #held: Buffer = EMPTY
  #heldLength = 0
  #skips = false
  bytes: Buffer = EMPTY
  start = 0
  end = 0
  /** The frame that was found was larger than the limit: there is nothing of it. */
  isOversize = false

  /** @param limit bytes of a frame. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get heldBytes(): number {
    return this.#held.length
  }

  push(read: Buffer): void {
    this.#input = read
    this.#at = 0
  }

  next(): boolean {
    for (;;) {
      const end = this.#input.indexOf(0, this.#at)
      if (end === -1) {
        this.#hold(this.#input.length)
        this.#input = EMPTY
        this.#at = 0
        return false
      }
      if (this.#heldLength > 0 || this.#skips || end - this.#at > this.#limit) {
        this.#hold(end)
        this.#give(this.#held, 0, this.#heldLength)
      } else this.#give(this.#input, this.#at, end)
      this.#at = end + 1
      if (this.end > this.start || this.isOversize) return true
    }
  }

  rest(): boolean {
    this.#give(this.#held, 0, this.#heldLength)
    return this.end > this.start || this.isOversize
  }

  #give(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.isOversize = this.#skips
    this.#letGo()
    this.#skips = false
  }

  #letGo(): void {
    this.#held = EMPTY
    this.#heldLength = 0
  }

  /** Keeps the input up to `stop`, unless the frame becomes too large by it. */
  #hold(stop: number): void {
    const length = this.#heldLength + stop - this.#at
    if (length > this.#limit) this.#skips = true
    if (this.#skips) {
      this.#letGo()
      return
    }
    if (length > this.#held.length) {
      const size = Math.min(this.#limit, Math.max(HELD_MIN, 2 * length))
      const grown = Buffer.allocUnsafeSlow(size)
      grown.set(this.#held.subarray(0, this.#heldLength))
      this.#held = grown
    }
    this.#held.set(this.#input.subarray(this.#at, stop), this.#heldLength)
    this.#heldLength = length
  }
}
