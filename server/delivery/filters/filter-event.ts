/** One event on its way through the filters: where it came from, its tag, its time, and the record they change. */
import type { Position, StoredStream } from '../../core/event.ts'
import { entryRecordAt, entryTimeAt, readTimeNanoseconds, readTimeSeconds } from '../../core/packed-entries.ts'
import type { EntryBytes } from './entry-bytes.ts'
import { createEntryBytes } from './entry-bytes.ts'
import { EventRecord } from './event-record.ts'
import { fieldName } from './field-path.ts'
import { packText, textOf } from './packed-value.ts'

/** The key that says what a filter could not do; the event is otherwise as it was. */
export const ERROR_FIELD = '_filter_error'
const ERROR_PATH = [fieldName(ERROR_FIELD)] as const

const NOTHING_JOINED: readonly Position[] = []

/** A time that a filter has set. */
interface NewTime {
  readonly seconds: number
  readonly nanoseconds: number
}

export class FilterEvent {
  tag = ''
  position: Position = 0
  idBase = ''
  idIndex = 0
  receivedMs = 0
  /** Positions of other events that became part of this one. */
  joined: readonly Position[] = NOTHING_JOINED
  readonly record = new EventRecord()
  /** The stream it is a view of; undefined when its bytes are its own. */
  stream: StoredStream | undefined
  /** Where its entry stands in the bytes. */
  start = 0
  end = 0
  #bytes: Uint8Array = new Uint8Array(0)
  #recordAt = 0
  #time: NewTime | undefined

  /** Moves it to an event of a stream: `index` within it, its entry between `start` and `end` of the packed bytes. */
  enter(stream: StoredStream, index: number, start: number, end: number): void {
    this.tag = stream.tag
    this.position = stream.position + index
    this.idBase = stream.idBase
    this.idIndex = stream.idIndex + index
    this.receivedMs = stream.receivedMs
    this.joined = NOTHING_JOINED
    this.stream = stream
    this.#load(stream.packed, start, end)
  }

  /** Whether its entry must be written anew. */
  get isChanged(): boolean {
    return this.record.isChanged || this.#time !== undefined || this.stream === undefined
  }

  /** Seconds from 0 to 2^32 - 1: what an EventTime can say. */
  setTime(seconds: number, nanoseconds: number): void {
    this.#time = { seconds, nanoseconds }
  }

  /** ms since 1970, of the time it has now; that of its receipt where it came without one. */
  timeMs(): number {
    const at = entryTimeAt(this.#bytes, this.start)
    const seconds = this.#time?.seconds ?? readTimeSeconds(this.#bytes, at)
    const nanoseconds = this.#time?.nanoseconds ?? readTimeNanoseconds(this.#bytes, at)
    return seconds > 0 ? seconds * 1000 + Math.floor(nanoseconds / 1e6) : this.receivedMs
  }

  /** Says in the event what could not be done; what was said before stays. */
  mark(words: string): void {
    const before = textOf(this.record.get(ERROR_PATH))
    this.record.set(ERROR_PATH, packText(before === undefined ? words : `${before}; ${words}`))
  }

  /** Takes back every change of its record and time. */
  restore(): void {
    this.#load(this.#bytes, this.start, this.end)
  }

  /** `[time, record]`. */
  write(out: EntryBytes): void {
    out.byte(0x92)
    if (this.#time === undefined)
      out.copy(this.#bytes, this.start + entryHead(this.#bytes[this.start]!), this.#recordAt)
    else out.eventTime(this.#time.seconds, this.#time.nanoseconds)
    this.record.write(out)
  }

  /** Another one like it, with bytes of its own: it outlives the batch. */
  copy(): FilterEvent {
    const out = createEntryBytes(this.end - this.start + 64)
    this.write(out)
    const bytes = out.taken()
    const event = new FilterEvent()
    event.tag = this.tag
    event.position = this.position
    event.idBase = this.idBase
    event.idIndex = this.idIndex
    event.receivedMs = this.receivedMs
    event.joined = this.joined
    event.#load(bytes, 0, bytes.length)
    return event
  }

  #load(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes
    this.start = start
    this.end = end
    this.#time = undefined
    this.#recordAt = entryRecordAt(bytes, start, end)
    this.record.load(bytes, this.#recordAt, end)
  }
}

/** Bytes of the array header of an entry: `92`, `dc 00 02` or `dd 00 00 00 02`. */
function entryHead(first: number): number {
  return first === 0x92 ? 1 : first === 0xdc ? 3 : 5
}
