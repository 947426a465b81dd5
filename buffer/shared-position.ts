/** How far the buffer is durable, in memory that the writer and every reader share. One writes, many look. */

/** What a reader may read. */
export interface Durable {
  /** The next position: every event before it is durable. */
  readonly next: number
  /** The oldest event that is stored; `next` when there is none. */
  readonly oldest: number
  /** First position of the chunk that is being written and how many of its bytes are durable; -1 and 0: none is. */
  readonly activeFirst: number
  readonly activeBytes: number
}

const MEMORY_BYTES = 8 + 4 * 8

export class SharedPosition {
  readonly memory: SharedArrayBuffer
  /** Odd while the writer changes the numbers; readers wait on it. */
  readonly #version: Int32Array
  readonly #numbers: BigInt64Array

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(MEMORY_BYTES)) {
    this.memory = memory
    this.#version = new Int32Array(memory, 0, 1)
    this.#numbers = new BigInt64Array(memory, 8, 4)
  }

  publish(durable: Durable): void {
    Atomics.add(this.#version, 0, 1)
    Atomics.store(this.#numbers, 0, BigInt(durable.next))
    Atomics.store(this.#numbers, 1, BigInt(durable.oldest))
    Atomics.store(this.#numbers, 2, BigInt(durable.activeFirst))
    Atomics.store(this.#numbers, 3, BigInt(durable.activeBytes))
    Atomics.add(this.#version, 0, 1)
    Atomics.notify(this.#version, 0)
  }

  /** All four numbers as they were at one moment, and the version for `changed`. */
  look(): Durable & { readonly version: number } {
    for (;;) {
      const version = Atomics.load(this.#version, 0)
      const [next, oldest, activeFirst, activeBytes] = [0, 1, 2, 3].map((slot) =>
        Number(Atomics.load(this.#numbers, slot)),
      ) as [number, number, number, number]
      if ((version & 1) === 0 && Atomics.load(this.#version, 0) === version) {
        return { next, oldest, activeFirst, activeBytes, version }
      }
    }
  }

  /** Resolves once the numbers are no longer those of `version`, or after `timeoutMs`. */
  async changed(version: number, timeoutMs: number): Promise<void> {
    const wait = Atomics.waitAsync(this.#version, 0, version, timeoutMs)
    if (wait.async) await wait.value
  }
}

/** One output's durable cursor, in memory that its reader writes and the main thread looks at before it deletes. */
export class SharedCursor {
  readonly memory: SharedArrayBuffer
  readonly #position: BigInt64Array
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(8)) {
    this.memory = memory
    this.#position = new BigInt64Array(memory)
  }
  get(): number {
    return Number(Atomics.load(this.#position, 0))
  }
  set(position: number): void {
    Atomics.store(this.#position, 0, BigInt(position))
  }
}
