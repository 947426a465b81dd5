/** The chunk files that are on disk, oldest first, and which of them every output has passed. */

export interface StoredChunk {
  readonly first: number
  /** The position behind its last event. */
  next: number
  bytes: number
}

export class ChunkList {
  /** Sum over the chunks. Counted from the files, never kept on disk. */
  bytes = 0
  readonly #chunks: StoredChunk[]

  constructor(chunks: readonly StoredChunk[]) {
    this.#chunks = [...chunks]
    for (const chunk of chunks) this.bytes += chunk.bytes
  }

  get length(): number {
    return this.#chunks.length
  }
  get oldest(): StoredChunk | undefined {
    return this.#chunks[0]
  }
  get newest(): StoredChunk | undefined {
    return this.#chunks.at(-1)
  }

  /** The newest chunk has grown, or there is a new one. */
  grow(grown: StoredChunk): void {
    let chunk = this.newest
    if (chunk === undefined || chunk.first !== grown.first) {
      chunk = { first: grown.first, next: grown.next, bytes: 0 }
      this.#chunks.push(chunk)
    }
    this.bytes += grown.bytes - chunk.bytes
    chunk.bytes = grown.bytes
    chunk.next = grown.next
  }

  /**
   * The oldest chunk, when every event in it lies before `cursor`. The newest is kept: it shows which positions were
   * used.
   */
  passed(cursor: number): StoredChunk | undefined {
    const oldest = this.#chunks[0]
    return this.#chunks.length > 1 && oldest !== undefined && oldest.next <= cursor ? oldest : undefined
  }

  removeOldest(): void {
    const chunk = this.#chunks.shift()
    if (chunk !== undefined) this.bytes -= chunk.bytes
  }
}
