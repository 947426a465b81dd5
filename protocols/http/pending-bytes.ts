/** The bytes of a body that came and were not used yet, as one piece: each byte is copied a bounded number of times. */

const EMPTY = Buffer.alloc(0)

export class PendingBytes {
  /** What is pending is `bytes[start, end)`. */
  bytes: Buffer = EMPTY
  start = 0
  end = 0
  /** Where `start` stands in the body. */
  offset = 0
  /** The memory is ours, so that it may be written to. */
  #isOwn = false

  /** Bytes of memory it holds. */
  get heldBytes(): number {
    return this.#isOwn ? this.bytes.length : this.end - this.start
  }

  /** The chunk is lent until all of it is used or the next one comes. */
  append(chunk: Buffer): void {
    const rest = this.end - this.start
    if (rest === 0) {
      this.bytes = chunk
      this.start = 0
      this.end = chunk.length
      this.#isOwn = false
      return
    }
    if (!this.#isOwn || this.end + chunk.length > this.bytes.length) this.#makeRoom(rest, rest + chunk.length)
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  /** Moves what is left to the front: of memory that is larger, or of the same when less than half is left. */
  #makeRoom(rest: number, needed: number): void {
    const fits = this.#isOwn && needed <= this.bytes.length && rest <= this.start
    const room = fits ? this.bytes : Buffer.allocUnsafeSlow(Math.max(needed, 2 * rest))
    this.bytes.copy(room, 0, this.start, this.end)
    this.bytes = room
    this.start = 0
    this.end = rest
    this.#isOwn = true
  }

  use(count: number): void {
    this.start += count
    this.offset += count
  }
}
