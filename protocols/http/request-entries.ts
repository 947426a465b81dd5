/** The entries of one request until all of them are known to be good: in memory while they are few, else in a spool. */
import type { Spool, SpooledEntries } from '../../server/core/event.ts'
import { EntryWriter } from '../encoding/entry-writer.ts'
import { LIMITS } from './limits.ts'

/** The first memory of a request, in bytes. */
const FIRST_BYTES = 4 * 1024

export class RequestEntries {
  readonly writer = new EntryWriter(FIRST_BYTES)
  /** Entries, those in the spool too. */
  count = 0
  readonly #openSpool: () => Promise<Spool>
  #spool: Spool | undefined
  #pieceCount = 0

  constructor(openSpool: () => Promise<Spool>) {
    this.#openSpool = openSpool
  }

  get heldBytes(): number {
    return this.writer.bytes.length
  }

  /** An entry was written. */
  add(): void {
    this.count += 1
    this.#pieceCount += 1
  }

  /** Then `spill`. */
  get isFull(): boolean {
    return this.writer.length >= LIMITS.pieceBytes
  }

  /** Moves what is in memory to the spool. */
  async spill(): Promise<void> {
    if (this.#pieceCount === 0) return
    this.#spool ??= await this.#openSpool()
    await this.#spool.write(this.writer.bytes.subarray(0, this.writer.length), this.#pieceCount)
    this.writer.length = 0
    this.#pieceCount = 0
  }

  /** All of them, to be emitted. */
  async finish(): Promise<Uint8Array | SpooledEntries> {
    if (this.#spool === undefined) return this.writer.bytes.subarray(0, this.writer.length)
    await this.spill()
    return this.#spool.finish()
  }

  /** Deletes the spool, whatever became of the request. */
  async discard(): Promise<void> {
    await this.#spool?.discard()
  }
}
