/**
 * The beginning of a message whose rest comes with the next read: memory that grows with it up to a limit, and is let
 * go when the message is whole.
 */

const EMPTY = Buffer.alloc(0)
/** The first memory, in bytes. */
const HELD_MIN = 512

export class HeldBytes {
  readonly #limit: number
  #memory: Buffer = EMPTY
  length = 0

  /** @param limit bytes of a message. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** What is held is `memory[0, length)`. After `release` it stays whole for whoever has it. */
  get memory(): Buffer {
    return this.#memory
  }

  /** Keeps `input[start, end)`, as far as the limit allows. @returns false when some of it did not fit. */
  add(input: Buffer, start: number, end: number): boolean {
    const count = Math.min(end - start, this.#limit - this.length)
    this.#makeRoom(this.length + count)
    this.#memory.set(input.subarray(start, start + count), this.length)
    this.length += count
    return count === end - start
  }

  release(): void {
    this.#memory = EMPTY
    this.length = 0
  }

  #makeRoom(length: number): void {
    if (length <= this.#memory.length) return
    const grown = Buffer.allocUnsafeSlow(Math.min(this.#limit, Math.max(HELD_MIN, 2 * length)))
    grown.set(this.#memory.subarray(0, this.length))
    this.#memory = grown
  }
}
