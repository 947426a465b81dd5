/** The records of a body in msgpack: maps, and arrays of maps, one after the other. However it is cut. */
import { NEED_MORE, readContainerHeader, SCAN_LIMITS, scanValue, ValueScan } from '../../server/core/msgpack.ts'
import type { EntryWriter } from '../encoding/entry-writer.ts'
import { BodyFault, LIMITS, tooLarge } from './limits.ts'
import { PendingBytes } from './pending-bytes.ts'
import type { RecordEntry } from './record-entry.ts'
import type { RecordReader } from './record-reader.ts'

const MALFORMED = 'this is no map that can be taken: not msgpack, too deep, or with too many or too long keys'

export class MsgpackRecords implements RecordReader {
  readonly #entry: RecordEntry
  readonly #pending = new PendingBytes()
  readonly #scan = new ValueScan()
  readonly #head = { start: 0, end: 0 }
  /** Maps to come of the array that is read. */
  #left = 0
  /** Where the record that is not whole began, when the scan stood in it last; -1: no record is begun. */
  #scanFrom = -1

  constructor(entry: RecordEntry) {
    this.#entry = entry
  }

  get heldBytes(): number {
    return this.#pending.heldBytes
  }

  push(chunk: Buffer): void {
    this.#pending.append(chunk)
  }

  next(to: EntryWriter): boolean {
    while (this.#pending.start < this.#pending.end) {
      if (this.#scanFrom >= 0 || isMapStart(this.#pending.bytes[this.#pending.start]!)) return this.#map(to)
      if (!this.#array()) return false
    }
    return false
  }

  end(): void {
    if (this.#pending.start < this.#pending.end) throw this.#fault('the body ends within this value')
    if (this.#left > 0) throw this.#fault('the body ends within an array')
  }

  /** Reads the head of an array. @returns false when it is not whole. */
  #array(): boolean {
    const { bytes, start, end } = this.#pending
    if (this.#left > 0 || !readContainerHeader(bytes, start, end, 'array', this.#head)) {
      throw this.#fault('a record must be a map')
    }
    if (this.#head.end === NEED_MORE) return false
    this.#left = this.#head.end
    this.#pending.use(this.#head.start - start)
    return true
  }

  #map(to: EntryWriter): boolean {
    const pending = this.#pending
    if (this.#scanFrom < 0) this.#scan.start(pending.start)
    else this.#scan.shift(pending.start - this.#scanFrom)
    this.#scanFrom = pending.start
    const next = this.#advance()
    if (next === NEED_MORE) {
      if (this.#scan.need - pending.start > LIMITS.recordBytes) throw tooLarge(LIMITS.recordBytes, 'records')
      return false
    }
    const { bytes, start } = pending
    if (scanValue(bytes, start, next, SCAN_LIMITS, SCAN_LIMITS.depth) !== next) throw this.#fault(MALFORMED)
    this.#entry.begin(to)
    to.room(next - start)
    bytes.copy(to.bytes, to.length, start, next)
    to.length += next - start
    this.#entry.finish(to)
    pending.use(next - start)
    this.#scanFrom = -1
    this.#left = Math.max(0, this.#left - 1)
    return true
  }

  #advance(): number {
    try {
      return this.#scan.advance(this.#pending.bytes, this.#pending.end)
    } catch {
      throw this.#fault(MALFORMED)
    }
  }

  #fault(reason: string): BodyFault {
    return new BodyFault(reason, this.#pending.offset)
  }
}

function isMapStart(byte: number): boolean {
  return (byte & 0xf0) === 0x80 || byte === 0xde || byte === 0xdf
}
