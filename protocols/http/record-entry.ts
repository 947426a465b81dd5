/**
 * The entry of one record: `[time, record]`, and which time it has. As fluentd's in_http does it:
 *
 *   1. the parameter `time` of the request, for all of its records; a key `time` then stays what it is
 *   2. the record's own `time`: seconds since 1970 or RFC 3339, which is taken out of the record
 *   3. none: 0 is written, and the time of storing counts, so that the same request is the same bytes
 */
import type { EntryWriter } from '../encoding/entry-writer.ts'
import { findPair, type Pair, readTimeValue, removePair } from '../encoding/record-time.ts'
import type { Instant } from '../encoding/rfc3339.ts'

const TIME_KEY = Buffer.from('time')
/** Bytes before the record: the array of two, and an EventTime. */
const ENTRY_HEAD = 11

export class RecordEntry {
  /** The parameter `time`; undefined: none was given. */
  readonly #given: Instant | undefined
  readonly #found: Instant = { seconds: 0, nanoseconds: 0 }
  readonly #pair: Pair = { start: 0, valueStart: 0, end: 0 }
  #opened = 0

  constructor(given: Instant | undefined) {
    this.#given = given
  }

  /** Begins an entry; the record has to be written next. */
  begin(to: EntryWriter): void {
    this.#opened = to.length
    to.entry()
    to.eventTime(this.#given?.seconds ?? 0, this.#given?.nanoseconds ?? 0)
  }

  /** The record is written. */
  finish(to: EntryWriter): void {
    if (this.#given !== undefined) return
    const record = this.#opened + ENTRY_HEAD
    if (!findPair(to.bytes, record, to.length, TIME_KEY, this.#pair)) return
    if (!readTimeValue(to.bytes, this.#pair.valueStart, this.#pair.end, this.#found)) return
    to.bytes.writeUInt32BE(this.#found.seconds, this.#opened + 3)
    to.bytes.writeUInt32BE(this.#found.nanoseconds, this.#opened + 7)
    to.length = removePair(to.bytes, record, to.length, this.#pair)
  }
}
