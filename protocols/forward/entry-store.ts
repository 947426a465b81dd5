/**
 * The entries of one message that come piece by piece: checked as they come, kept in memory while they are few, else
 * in a spool. An entry that crosses pieces is carried over.
 */
import type { Spool, SpooledEntries } from '../../server/core/event.ts'
import { MalformedError, NEED_MORE, ValueScan } from '../../server/core/msgpack.ts'
import { BAD_ENTRIES_MAX, checkEntries, createEntriesCheck, keepGoodEntries } from '../../server/core/packed-entries.ts'
import { LIMITS, OversizeError } from './limits.ts'

const BLOCK_BYTES = 256 * 1024

export interface EntryStoreOptions {
  readonly openSpool: () => Promise<Spool>
  /** Bytes that are kept in memory before the spool is opened. */
  readonly memoryBytes: number
  /** Entries to take: those of a Forward message, else as many as come. */
  readonly wanted: number
}

export class EntryStore {
  /** Good entries; entries that are no events. */
  count = 0
  bad = 0
  readonly #options: EntryStoreOptions
  #left: number
  /** Checked entries up to `#checked`, then the part of one that is not whole. */
  #block = Buffer.allocUnsafeSlow(BLOCK_BYTES)
  #length = 0
  #checked = 0
  #blockCount = 0
  readonly #check = createEntriesCheck()
  /** Follows the entry that is not whole, so that it is not looked through again at every piece. */
  readonly #scan = new ValueScan()
  #cut = false
  #pieces: Uint8Array[] = []
  #pieceBytes = 0
  #piecesCount = 0
  #spool: Spool | undefined
  #stored: SpooledEntries | undefined

  constructor(options: EntryStoreOptions) {
    this.#options = options
    this.#left = options.wanted
  }

  /** Bytes of memory it holds. */
  get heldBytes(): number {
    return this.#block.length + this.#pieceBytes
  }

  get isFull(): boolean {
    return this.#left === 0
  }

  /**
   * Takes a piece. @returns how many of its last bytes are not of the entries wanted: 0 unless the last one was found.
   * Rejects with MalformedError or OversizeError; then `discard`.
   */
  async write(piece: Uint8Array): Promise<number> {
    let at = 0
    while (at < piece.length && this.#left > 0) {
      if (this.#length === this.#block.length) await this.#makeRoom()
      const count = Math.min(piece.length - at, this.#block.length - this.#length)
      this.#block.set(piece.subarray(at, at + count), this.#length)
      this.#length += count
      at += count
      this.#checkBlock()
    }
    if (this.#left > 0) return 0
    const unused = this.#length - this.#checked + piece.length - at
    this.#length = this.#checked
    return unused
  }

  /** @returns all good entries. Rejects with MalformedError when the last one is not whole. */
  async finish(): Promise<Uint8Array | SpooledEntries> {
    if (this.#checked < this.#length) throw new MalformedError('the last entry is not whole')
    if (this.#spool === undefined && this.#pieces.length === 0) return this.#block.subarray(0, this.#checked)
    await this.#storeBlock()
    if (this.#spool === undefined) return Buffer.concat(this.#pieces)
    this.#stored = await this.#spool.finish()
    return this.#stored
  }

  /** Deletes the spool, if there is one; whatever became of the message. */
  async discard(): Promise<void> {
    const spool = this.#stored ?? this.#spool
    this.#spool = undefined
    this.#stored = undefined
    this.#pieces = []
    await spool?.discard()
  }

  #checkBlock(): void {
    if (this.#cut && this.#scan.advance(this.#block, this.#length) === NEED_MORE) {
      this.#boundCut()
      return
    }
    this.#cut = false
    const check = this.#check
    checkEntries(this.#block, this.#checked, this.#length, LIMITS.scan, check, this.#left)
    this.#left -= check.count + check.bad + check.markers
    this.count += check.count
    this.#blockCount += check.count
    this.bad += check.bad
    if (this.bad > BAD_ENTRIES_MAX) throw new MalformedError('too many entries that are no events')
    if (check.bad + check.markers > 0) this.#leaveOut(check.at)
    else this.#checked = check.at
    if (this.#left === 0 || this.#checked === this.#length) return
    this.#cut = true
    this.#scan.start(this.#checked)
    this.#scan.advance(this.#block, this.#length)
    this.#boundCut()
  }

  #boundCut(): void {
    if (this.#scan.need - this.#checked > LIMITS.eventBytes) throw new OversizeError(LIMITS.eventBytes, 'event')
  }

  /** Keeps only the good ones of the entries that end at `end`. */
  #leaveOut(end: number): void {
    const kept = keepGoodEntries(this.#block, this.#checked, end, LIMITS.scan)
    this.#block.set(kept, this.#checked)
    this.#checked += kept.length
    this.#block.copyWithin(this.#checked, end, this.#length)
    this.#length -= end - this.#checked
  }

  async #makeRoom(): Promise<void> {
    if (this.#checked === 0) {
      const grown = Buffer.allocUnsafeSlow(Math.min(this.#block.length * 2, LIMITS.eventBytes + BLOCK_BYTES))
      grown.set(this.#block)
      this.#block = grown
      return
    }
    await this.#storeBlock()
    this.#block.copyWithin(0, this.#checked, this.#length)
    this.#length -= this.#checked
    this.#scan.shift(-this.#checked)
    this.#checked = 0
    this.#blockCount = 0
  }

  /** Hands the checked entries of the block on; the block is free for others afterwards. */
  async #storeBlock(): Promise<void> {
    if (this.#checked === 0) return
    const whole = this.#block.subarray(0, this.#checked)
    if (this.#spool === undefined && this.#pieceBytes + whole.length <= this.#options.memoryBytes) {
      this.#pieces.push(Uint8Array.prototype.slice.call(whole))
      this.#pieceBytes += whole.length
      this.#piecesCount += this.#blockCount
      return
    }
    if (this.#spool === undefined) {
      this.#spool = await this.#options.openSpool()
      if (this.#pieces.length > 0) await this.#spool.write(Buffer.concat(this.#pieces), this.#piecesCount)
      this.#pieces = []
      this.#pieceBytes = 0
    }
    await this.#spool.write(whole, this.#blockCount)
  }
}
