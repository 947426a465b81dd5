/**
 * Buffers that are used again: fresh memory costs a page fault for every 4 KiB, more than copying into it (`npm run
 * bench`).
 */

const SMALLEST = 4 * 1024
const LARGEST = 1024 * 1024
/** Bytes that wait here to be used again. */
const FREE_BYTES_MAX = 16 * 1024 * 1024

export class BufferPool {
  readonly #free = new Map<number, Buffer[]>()
  #freeBytes = 0

  /** A buffer of at least so many bytes, which hold anything. */
  take(bytes: number): Buffer {
    if (bytes < SMALLEST) return Buffer.allocUnsafe(bytes)
    if (bytes > LARGEST) return Buffer.allocUnsafeSlow(bytes)
    let size = SMALLEST
    while (size < bytes) size *= 2
    const buffer = this.#free.get(size)?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size)
    this.#freeBytes -= size
    return buffer
  }

  /** Gives back what `take` gave: only when nobody will look at it again. */
  give(buffer: Buffer): void {
    const size = buffer.length
    const isPooled = size >= SMALLEST && size <= LARGEST && (size & (size - 1)) === 0
    if (!isPooled || this.#freeBytes + size > FREE_BYTES_MAX) return
    this.#freeBytes += size
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [buffer])
    else free.push(buffer)
  }
}
