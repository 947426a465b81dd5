/**
 * An event as the document that destinations get: the record's own keys and beside them `@timestamp`, `tag` and
 * `sequence`, where a key of the record with that name wins.
 */
import type { Sequence, StoredStream } from '../../server/core/event.ts'
import { entryRecordAt, entryTimeAt, readTimeNanoseconds, readTimeSeconds } from '../../server/core/packed-entries.ts'
import { type ByteSink, copyTemplate, createTemplate, reserve, type Template } from './byte-sink.ts'
import { SECOND_LENGTH, writeSecond } from './iso-time.ts'
import { copyUnsigned, writePadded } from './json-number.ts'
import { writeKey, writeValue } from './json-value.ts'

/**
 * The end of the times that are taken as sent, seconds since 1970: 2262-04-11, the last day that 64 bits of nanoseconds
 * (Elasticsearch's `date_nanos`) can say. Milliseconds sent as seconds lie far beyond it.
 */
const SECONDS_END = 9_223_372_036

/** A key of the record that stands in the place of ours. */
export const FOUND_TIMESTAMP = 1
const FOUND_TAG = 2
const FOUND_SEQUENCE = 4

const TIMESTAMP_KEY = ',"@timestamp":"'
const TIMESTAMP_AT = TIMESTAMP_KEY.length
/** `,"@timestamp":"2026-11-20T12:00:00.123456789Z","sequence":18446744073709551615}`, rounded up. */
const OWN_KEYS_ROOM = 96

/** What the documents of one output are written with: made once, moved from event to event. */
export interface DocumentCursor {
  /** Memory of the stream, whole; positions count from its start. */
  from: DataView
  bytes: Uint8Array
  end: number
  /** The time of the event at hand: seconds since 1970 from 1 to SECONDS_END, and nanoseconds within the second. */
  seconds: number
  nanoseconds: number
  receivedSeconds: number
  receivedNanoseconds: number
  tag: string | undefined
  readonly sequence: Sequence
  /** `,"@timestamp":"2026-11-20T12:00:00` of this second. */
  readonly timestamp: Template
  timestampSecond: number
  /** `,"tag":"…"` of this tag. */
  tagPart: Template
  readonly sequencePart: Template
}

const NO_BYTES = new Uint8Array(0)
const NO_VIEW = new DataView(NO_BYTES.buffer)

export function createDocumentCursor(sequence: Sequence): DocumentCursor {
  return {
    from: NO_VIEW,
    bytes: NO_BYTES,
    end: 0,
    seconds: 0,
    nanoseconds: 0,
    receivedSeconds: 0,
    receivedNanoseconds: 0,
    tag: undefined,
    sequence,
    timestamp: createTemplate(TIMESTAMP_KEY + ' '.repeat(SECOND_LENGTH)),
    timestampSecond: -1,
    tagPart: createTemplate(''),
    sequencePart: createTemplate(',"sequence":'),
  }
}

/** Goes to a stream. Returns the position of its first entry. */
export function enterStream(cursor: DocumentCursor, stream: StoredStream): number {
  const { packed, receivedMs, tag } = stream
  if (cursor.from.buffer !== packed.buffer) {
    cursor.from = new DataView(packed.buffer)
    cursor.bytes = new Uint8Array(packed.buffer)
  }
  cursor.end = packed.byteOffset + packed.byteLength
  cursor.receivedSeconds = Math.floor(receivedMs / 1000)
  cursor.receivedNanoseconds = Math.round((receivedMs % 1000) * 1_000_000)
  if (cursor.tag !== tag) {
    cursor.tag = tag
    cursor.tagPart = createTemplate(`,"tag":${JSON.stringify(tag)}`)
  }
  return packed.byteOffset
}

/** Lets go of the stream's memory, which is the buffer's again. */
export function leaveStream(cursor: DocumentCursor): void {
  cursor.bytes = NO_BYTES
  cursor.from = NO_VIEW
}

/**
 * Reads the time of the entry at `pos` into the cursor. An event without a time (0), from before 1970, or from later
 * than SECONDS_END gets the time it was received.
 * @returns the position of the record.
 */
export function readEventTime(cursor: DocumentCursor, pos: number): number {
  let record: number
  // 0x92, then EventTime as d7 00: what nearly all clients send.
  if (cursor.from.getUint16(pos) === 0x92d7) {
    cursor.seconds = cursor.from.getUint32(pos + 3)
    cursor.nanoseconds = Math.min(cursor.from.getUint32(pos + 7), 999_999_999)
    record = pos + 11
  } else {
    const time = entryTimeAt(cursor.bytes, pos)
    cursor.seconds = readTimeSeconds(cursor.bytes, time)
    cursor.nanoseconds = readTimeNanoseconds(cursor.bytes, time)
    record = entryRecordAt(cursor.bytes, pos, cursor.end)
  }
  if (!(cursor.seconds > 0 && cursor.seconds < SECONDS_END)) {
    cursor.seconds = cursor.receivedSeconds
    cursor.nanoseconds = cursor.receivedNanoseconds
  }
  return record
}

/**
 * Writes the record at `record` as a document with the time that `readEventTime` found; `position` is the event's in
 * the buffer. Returns the position after the entry.
 */
export function writeDocument(cursor: DocumentCursor, record: number, position: number, sink: ByteSink): number {
  const { from } = cursor
  reserve(sink, 1)
  const open = sink.at++
  let pos = mapBody(from, record)
  let found = 0
  for (let left = mapCount(from, record); left > 0; left--) {
    found |= reservedKey(from, pos)
    pos = writeValue(from, writeKey(from, pos, sink), sink, 1)
  }
  // The parts below begin with a comma, which takes the place of the last one, or of the brace of an empty map.
  sink.at--
  writeOwnKeys(cursor, found, position, sink)
  sink.view.setUint8(open, 0x7b)
  return pos
}

/** Writes the record at `record` alone. Returns the position after the entry. */
export function writeRecord(cursor: DocumentCursor, record: number, sink: ByteSink): number {
  const pos = writeValue(cursor.from, record, sink, 0)
  sink.at--
  return pos
}

/** Writes the three keys but those that were found, and the closing brace. */
function writeOwnKeys(cursor: DocumentCursor, found: number, position: number, sink: ByteSink): void {
  const { tagPart, sequence } = cursor
  reserve(sink, OWN_KEYS_ROOM + tagPart.length)
  const to = sink.view
  let at = sink.at
  if ((found & FOUND_TIMESTAMP) === 0) at = copyTimestamp(cursor, to, at)
  if ((found & FOUND_TAG) === 0) at = copyTemplate(tagPart, to, at)
  if ((found & FOUND_SEQUENCE) === 0) {
    at = copyTemplate(cursor.sequencePart, to, at)
    at = copyUnsigned(sequence.seed + position * sequence.step, to, at)
  }
  to.setUint8(at, 0x7d)
  sink.at = at + 1
}

function copyTimestamp(cursor: DocumentCursor, to: DataView, start: number): number {
  const { timestamp } = cursor
  if (cursor.timestampSecond !== cursor.seconds) {
    writeSecond(cursor.seconds, 0x54, timestamp.view, TIMESTAMP_AT)
    cursor.timestampSecond = cursor.seconds
  }
  const at = copyTemplate(timestamp, to, start)
  to.setUint8(at, 0x2e)
  writePadded(cursor.nanoseconds, 9, to, at + 1)
  to.setUint16(at + 10, 0x5a22)
  return at + 12
}

/** Which of the three keys stands at `pos`, if any: most keys are told by their length alone. */
export function reservedKey(from: DataView, pos: number): number {
  switch (from.getUint8(pos)) {
    case 0xa3:
      return from.getUint16(pos + 1) === 0x7461 && from.getUint8(pos + 3) === 0x67 ? FOUND_TAG : 0
    case 0xa8:
      return from.getUint32(pos + 1) === 0x73657175 && from.getUint32(pos + 5) === 0x656e6365 ? FOUND_SEQUENCE : 0
    case 0xaa:
      return isTimestamp(from, pos + 1) ? FOUND_TIMESTAMP : 0
    case 0xc4:
    case 0xc5:
    case 0xc6:
    case 0xd9:
    case 0xda:
    case 0xdb:
      return reservedLongKey(from, pos)
    default:
      return 0
  }
}

function isTimestamp(from: DataView, at: number): boolean {
  if (from.getUint32(at) !== 0x4074696d) return false
  return from.getUint32(at + 4) === 0x65737461 && from.getUint16(at + 8) === 0x6d70
}

/** The same for a key that came as bin, or with a longer header than it needs. */
function reservedLongKey(from: DataView, pos: number): number {
  const first = from.getUint8(pos)
  const width = first < 0xd0 ? 1 << (first - 0xc4) : 1 << (first - 0xd9)
  const length = width === 1 ? from.getUint8(pos + 1) : width === 2 ? from.getUint16(pos + 1) : from.getUint32(pos + 1)
  if (length > 10) return 0
  const at = from.byteOffset + pos + 1 + width
  const key = Buffer.from(from.buffer as ArrayBuffer, at, length).toString('latin1')
  return key === '@timestamp' ? FOUND_TIMESTAMP : key === 'tag' ? FOUND_TAG : key === 'sequence' ? FOUND_SEQUENCE : 0
}

export function mapCount(from: DataView, record: number): number {
  const first = from.getUint8(record)
  if (first < 0x90) return first & 15
  return first === 0xde ? from.getUint16(record + 1) : from.getUint32(record + 1)
}

export function mapBody(from: DataView, record: number): number {
  const first = from.getUint8(record)
  return first < 0x90 ? record + 1 : first === 0xde ? record + 3 : record + 5
}
