/**
 * Entries back to back, `[time, record]*`: checking those that come in, stepping over those that are stored, and
 * reading their times. What a record holds is not looked at here.
 *
 *   entry   array of 2 in any header form: 0x92 | dc 00 02 | dd 00 00 00 02
 *   time    int | uint | EventTime (ext type 0: seconds u32, nanoseconds u32) | float | [time, metadata map]
 *   record  map                                                              [Forward spec v1 and v1.5, "Entry"]
 */
import { MalformedError, NEED_MORE, type ScanLimits, scanValue, skipAny, skipTrusted } from './msgpack.ts'

/** An entry that is msgpack, but not `[time, record]`. */
const BAD_ENTRY = -4
/** A value that is not even an array of two. */
const STRAY = -6
/** An entry that marks a group of records and is no event: fluent-bit's EventTime seconds ffffffff and fffffffe. */
const GROUP_MARKER = -5

/** A message with more bad entries than this is no batch of events, but garbage or an attack on the CPU. */
export const BAD_ENTRIES_MAX = 100_000
/** The same of values that are no pairs, which no client sends and a single byte can be, in bytes checked at once. */
const STRAYS_MAX = 1_000

/** More than bytes in memory can hold, and small enough for V8 to count down from without an object for each number. */
const ALL_ENTRIES = 2 ** 31 - 1

/** What `checkEntries` found; made once and used again. */
export interface EntriesCheck {
  /** Good entries. */
  count: number
  /** Entries that are no events: no time, no map, or over a limit. */
  bad: number
  /** Group markers: neither good nor bad, to be left out. */
  markers: number
  /** Position after the last entry that was whole. */
  at: number
}

export function createEntriesCheck(): EntriesCheck {
  return { count: 0, bad: 0, markers: 0, at: 0 }
}

/**
 * Checks entries from `at` on, up to `wanted` of them, and says in `out` how many are good and where the last whole
 * one ends; an entry that is cut by `end` is left. Where `out.bad` or `out.markers` is not 0, `keepGoodEntries` leaves
 * those out.
 * @throws MalformedError when the bytes are not msgpack at all, more than 100,000 entries are bad, or more than 1,000
 * are no pairs.
 */
export function checkEntries(
  bytes: Uint8Array,
  start: number,
  end: number,
  limits: ScanLimits,
  out: EntriesCheck,
  wanted: number = ALL_ENTRIES,
): void {
  let at = start
  let count = 0
  let strays = 0
  out.bad = 0
  out.markers = 0
  for (let left = wanted; left > 0 && at < end; left -= 1) {
    let next = scanEntry(bytes, at, end, limits)
    if (next >= 0) {
      count += 1
    } else {
      if (next === NEED_MORE) break
      const marker = next === GROUP_MARKER
      if (next === STRAY) strays += 1
      next = skipAny(bytes, at, end)
      if (next === NEED_MORE) break
      if (marker) out.markers += 1
      else if (++out.bad > BAD_ENTRIES_MAX || strays > STRAYS_MAX)
        throw new MalformedError('too many entries that are no events')
    }
    at = next
  }
  out.count = count
  out.at = at
}

/** Copies the good ones of the whole entries between `start` and `end`. */
export function keepGoodEntries(bytes: Uint8Array, start: number, end: number, limits: ScanLimits): Uint8Array {
  const kept = new Uint8Array(end - start)
  let length = 0
  let goodFrom = start
  let at = start
  while (at < end) {
    const next = scanEntry(bytes, at, end, limits)
    if (next >= 0) {
      at = next
      continue
    }
    // Bad ones stand in rows, and a view of nothing for each would be garbage by the hundred thousand.
    if (at > goodFrom) kept.set(bytes.subarray(goodFrom, at), length)
    length += at - goodFrom
    const after = skipAny(bytes, at, end)
    at = after === NEED_MORE ? end : after
    goodFrom = at
  }
  kept.set(bytes.subarray(goodFrom, at), length)
  return kept.subarray(0, length + at - goodFrom)
}

/** @returns the position after one entry, NEED_MORE, or what is wrong with it. */
function scanEntry(bytes: Uint8Array, at: number, end: number, limits: ScanLimits): number {
  const time = pairBody(bytes, at)
  return time === 0 ? STRAY : scanTimeAndRecord(bytes, time, end, limits)
}

/**
 * Checks a time and a record that stand back to back, as in a message of Message mode: an entry without its array.
 * @returns the position after both, NEED_MORE, or another negative number when they are no event.
 */
export function scanTimeAndRecord(bytes: Uint8Array, at: number, end: number, limits: ScanLimits): number {
  const record = scanTime(bytes, at, end, limits)
  if (record < 0) return record
  if (record >= end) return NEED_MORE
  const first = bytes[record]!
  if ((first & 0xf0) !== 0x80 && first !== 0xde && first !== 0xdf) return BAD_ENTRY
  return scanValue(bytes, record, end, limits, limits.depth)
}

/** Where the first of a pair stands; 0 when the value at `at` is not an array of two. */
function pairBody(bytes: Uint8Array, at: number): number {
  const first = bytes[at]
  if (first === 0x92) return at + 1
  if (first === 0xdc && bytes[at + 1] === 0 && bytes[at + 2] === 2) return at + 3
  if (first !== 0xdd || bytes[at + 4] !== 2) return 0
  return bytes[at + 1] === 0 && bytes[at + 2] === 0 && bytes[at + 3] === 0 ? at + 5 : 0
}

function scanTime(bytes: Uint8Array, at: number, end: number, limits: ScanLimits): number {
  if (at >= end) return NEED_MORE
  const plain = scanPlainTime(bytes, at, end)
  if (plain !== BAD_ENTRY) return plain
  const inner = pairBody(bytes, at)
  if (inner === 0) return BAD_ENTRY
  const metadata = inner >= end ? NEED_MORE : scanPlainTime(bytes, inner, end)
  if (metadata < 0) return metadata
  if (metadata >= end) return NEED_MORE
  const first = bytes[metadata]!
  if ((first & 0xf0) !== 0x80 && first !== 0xde && first !== 0xdf) return BAD_ENTRY
  const next = scanValue(bytes, metadata, end, limits, limits.depth)
  return next >= 0 && isGroupMarker(bytes, inner) ? GROUP_MARKER : next
}

/** A number or an EventTime: position after it, NEED_MORE or BAD_ENTRY. */
function scanPlainTime(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!
  let next = BAD_ENTRY
  if (first === 0xd7) next = bytes[at + 1] === 0 ? at + 10 : BAD_ENTRY
  else if (first === 0xc7) next = bytes[at + 1] === 8 && bytes[at + 2] === 0 ? at + 11 : BAD_ENTRY
  else if (first < 0x80 || first >= 0xe0) next = at + 1
  else if (first >= 0xca && first <= 0xd3) next = at + NUMBER_SIZES[first - 0xca]!
  return next <= end ? next : NEED_MORE
}

/** Sizes of float32, float64, uint8 to uint64, int8 to int64. */
const NUMBER_SIZES = Uint8Array.of(5, 9, 2, 3, 5, 9, 2, 3, 5, 9)

/**
 * fluent-bit's FLB_LOG_EVENT_GROUP_START and _END: EventTime with these seconds and no nanoseconds, beside metadata.
 */
function isGroupMarker(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 0xd7 || bytes[at + 2] !== 0xff) return false
  return eventTimeSeconds(bytes, at + 2) >= 0xfffffffe && eventTimeSeconds(bytes, at + 6) === 0
}

/** Steps over one stored entry. @returns where the next begins. */
export function nextEntry(bytes: Uint8Array, at: number, end: number): number {
  return skipTrusted(bytes, at, end)
}

/**
 * Where the time of a stored entry stands, without the array that may hold it beside metadata: for the two readers
 * below.
 */
export function entryTimeAt(bytes: Uint8Array, entry: number): number {
  const time = pairBody(bytes, entry)
  const inner = pairBody(bytes, time)
  return inner === 0 ? time : inner
}

/** Where the record (a map) of a stored entry stands. */
export function entryRecordAt(bytes: Uint8Array, entry: number, end: number): number {
  return skipTrusted(bytes, pairBody(bytes, entry), end)
}

/**
 * Whole seconds since 1970 of the time at `at` (from `entryTimeAt`), rounded down. EventTime's are unsigned.
 * 0 stands for "no time was sent": the time of receipt counts. A float that is not finite gives 0.
 */
export function readTimeSeconds(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first === 0xd7) return eventTimeSeconds(bytes, at + 2)
  if (first === 0xc7) return eventTimeSeconds(bytes, at + 3)
  if (first < 0x80) return first
  if (first >= 0xe0) return first - 256
  const value = readNumber(bytes, at)
  return Number.isFinite(value) ? Math.floor(value) : 0
}

/** Nanoseconds within the second, 0 to 999,999,999. */
export function readTimeNanoseconds(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first === 0xd7) return Math.min(eventTimeSeconds(bytes, at + 6), 999_999_999)
  if (first === 0xc7) return Math.min(eventTimeSeconds(bytes, at + 7), 999_999_999)
  if (first !== 0xca && first !== 0xcb) return 0
  const value = readNumber(bytes, at)
  if (!Number.isFinite(value)) return 0
  return Math.min(Math.round((value - Math.floor(value)) * 1e9), 999_999_999)
}

function eventTimeSeconds(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

const floatBytes = new Uint8Array(8)
const floatView = new DataView(floatBytes.buffer)

/** A msgpack number of more than one byte; int64 beyond 2^53 is rounded to a double. */
function readNumber(bytes: Uint8Array, at: number): number {
  const size = NUMBER_SIZES[bytes[at]! - 0xca]! - 1
  for (let i = 0; i < size; i += 1) floatBytes[i] = bytes[at + 1 + i]!
  switch (bytes[at]) {
    case 0xca:
      return floatView.getFloat32(0)
    case 0xcb:
      return floatView.getFloat64(0)
    case 0xcc:
      return floatView.getUint8(0)
    case 0xcd:
      return floatView.getUint16(0)
    case 0xce:
      return floatView.getUint32(0)
    case 0xcf:
      return floatView.getUint32(0) * 2 ** 32 + floatView.getUint32(4)
    case 0xd0:
      return floatView.getInt8(0)
    case 0xd1:
      return floatView.getInt16(0)
    case 0xd2:
      return floatView.getInt32(0)
    default:
      return floatView.getInt32(0) * 2 ** 32 + floatView.getUint32(4)
  }
}
