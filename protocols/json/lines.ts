/**
 * The lines of a TCP connection, however its bytes are cut: each ends with LF, or CR LF. No socket, no meaning.
 * A line that is longer than the limit is cut there: what is over is skipped.
 */
import { HeldBytes } from '../listening/held-bytes.ts'

const LF = 0x0a
const CR = 0x0d
const EMPTY = Buffer.alloc(0)

export class Lines {
  readonly #limit: number
  #input: Buffer = EMPTY
  #at = 0
  /** The beginning of a line that goes on in the next read. */
  readonly #held: HeldBytes
  #isCut = false

  /** The line that `next` found is `bytes[start, end)`, until the next call. */
  bytes: Buffer = EMPTY
  start = 0
  end = 0
  /** It was longer than the limit, and is cut. */
  cut = false

  /** `limit`: bytes of a line. */
  constructor(limit: number) {
    this.#limit = limit
    this.#held = new HeldBytes(limit)
  }

  get heldBytes(): number {
    return this.#held.memory.length
  }

  /** What was read. Only after `next` has given false; it is not kept over that. */
  push(read: Buffer): void {
    this.#input = read
    this.#at = 0
  }

  /** Finds the next line that is not empty. @returns false when there is none that is whole: feed the next read. */
  next(): boolean {
    for (;;) {
      const lineEnd = this.#input.indexOf(LF, this.#at)
      if (lineEnd === -1) {
        this.#hold(this.#input.length)
        this.#input = EMPTY
        this.#at = 0
        return false
      }
      if (this.#held.length > 0 || this.#isCut) {
        this.#hold(lineEnd)
        this.#give(this.#held.memory, 0, this.#held.length)
      } else {
        this.#isCut = lineEnd - this.#at > this.#limit
        this.#give(this.#input, this.#at, Math.min(lineEnd, this.#at + this.#limit))
      }
      this.#at = lineEnd + 1
      if (this.end > this.start) return true
    }
  }

  /** At the end of the connection: a line that has no end. @returns false when there is none. */
  rest(): boolean {
    this.#give(this.#held.memory, 0, this.#held.length)
    return this.end > this.start
  }

  #give(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes
    this.start = start
    this.end = end > start && bytes[end - 1] === CR ? end - 1 : end
    this.cut = this.#isCut
    this.#held.release()
    this.#isCut = false
  }

  #hold(stop: number): void {
    if (!this.#held.add(this.#input, this.#at, stop)) this.#isCut = true
    this.#at = stop
  }
}
