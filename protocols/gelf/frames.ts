/**
 * The messages of a TCP connection, however its bytes are cut: each ends with a zero byte, the last one maybe with the
 * connection. Empty ones are passed over; what is larger than the limit is thrown away, and found as such.
 */
import type { Framing } from '../listening/frame-connections.ts'
import { HeldBytes } from '../listening/held-bytes.ts'

const EMPTY = Buffer.alloc(0)

export class Frames implements Framing {
  readonly #limit: number
  #input: Buffer = EMPTY
  #at = 0
  /** The beginning of a frame that goes on in the next read. */
  readonly #held: HeldBytes
  #skips = false
  bytes: Buffer = EMPTY
  start = 0
  end = 0
  /** The frame that was found was larger than the limit: there is nothing of it. */
  isOversize = false

  /** @param limit bytes of a frame. */
  constructor(limit: number) {
    this.#limit = limit
    this.#held = new HeldBytes(limit)
  }

  get heldBytes(): number {
    return this.#held.memory.length
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
      if (this.#held.length > 0 || this.#skips || end - this.#at > this.#limit) {
        this.#hold(end)
        this.#give(this.#held.memory, 0, this.#held.length)
      } else this.#give(this.#input, this.#at, end)
      this.#at = end + 1
      if (this.end > this.start || this.isOversize) return true
    }
  }

  rest(): boolean {
    this.#give(this.#held.memory, 0, this.#held.length)
    return this.end > this.start || this.isOversize
  }

  #give(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.isOversize = this.#skips
    this.#held.release()
    this.#skips = false
  }

  /** Keeps the input up to `stop`, unless the frame becomes too large by it. */
  #hold(stop: number): void {
    if (this.#held.length + stop - this.#at > this.#limit) this.#skips = true
    if (this.#skips) this.#held.release()
    else this.#held.add(this.#input, this.#at, stop)
  }
}
