/** Memory that chunk files are read into; lent to batches as views, and used again once these are committed. */
import { viewOf } from './chunk-format.ts'

/** Read from a chunk file at a time. */
export const BLOCK_BYTES = 2 * 1024 * 1024
/** Free blocks that are kept. */
const FREE_BLOCKS_MAX = 4

export interface Block {
  readonly bytes: Buffer
  readonly view: DataView
  /** The reader while it reads into it, and the batches that look into it. */
  users: number
}

export class BlockPool {
  readonly #free: Block[] = []

  /** A block of at least `bytes`, with one user. */
  take(bytes: number): Block {
    const free = bytes <= BLOCK_BYTES ? this.#free.pop() : undefined
    if (free !== undefined) {
      free.users = 1
      return free
    }
    const memory = Buffer.allocUnsafeSlow(Math.max(bytes, BLOCK_BYTES))
    return { bytes: memory, view: viewOf(memory), users: 1 }
  }

  release(block: Block): void {
    block.users -= 1
    if (block.users > 0 || block.bytes.length !== BLOCK_BYTES || this.#free.length >= FREE_BLOCKS_MAX) return
    this.#free.push(block)
  }
}
