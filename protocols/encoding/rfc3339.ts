/**
 * Date and time as RFC 3339 writes them, read from bytes: no string, no Date. Years 1970 to 2106, which is what an
 * EventTime holds.
 *
 *   2026-11-25T12:03:04.123456789Z     `t` or a space for T; `Z`, `z`, `+01:00` or `+0100`   [RFC 3339 5.6, ISO 8601]
 */

/** A time that was read; reused, so that reading one makes no object. */
export interface Instant {
  /** Since 1970, 0 to 2^32 - 1. */
  seconds: number
  nanoseconds: number
}

export const NO_TIME = -1

const SECONDS_END = 2 ** 32

/**
 * Reads the time at `start` into `out`. Digits of a second beyond the ninth are dropped; a leap second is the second
 * after it. `defaultOffset`: seconds east of UTC where none is written; undefined: one has to be.
 * @returns the position after it, or NO_TIME, and then `out` holds nothing.
 */
export function readRfc3339(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Instant,
  defaultOffset: number | undefined,
): number {
  if (end - start < 19) return NO_TIME
  const year = digits(bytes, start, 4)
  const month = digits(bytes, start + 5, 2)
  const day = digits(bytes, start + 8, 2)
  const separators = bytes[start + 4] === 0x2d && bytes[start + 7] === 0x2d && isTimeMark(bytes[start + 10]!)
  const clock = readClock(bytes, start + 11, end)
  if (!separators || clock < 0 || year < 1970 || !isDate(year, month, day)) return NO_TIME
  const at = readFraction(bytes, start + 19, end, out)
  const zone = at < end ? readOffset(bytes, at, end) : Number.NaN
  const offset = Number.isNaN(zone) ? defaultOffset : zone
  if (offset === undefined) return NO_TIME
  const seconds = daysSince1970(year, month, day) * 86_400 + clock - offset
  if (seconds < 0 || seconds >= SECONDS_END) return NO_TIME
  out.seconds = seconds
  return Number.isNaN(zone) ? at : at + offsetLength(bytes, at)
}

/** `hh:mm:ss` as seconds of the day; NO_TIME when it is none. */
export function readClock(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 8 || bytes[at + 2] !== 0x3a || bytes[at + 5] !== 0x3a) return NO_TIME
  const hour = digits(bytes, at, 2)
  const minute = digits(bytes, at + 3, 2)
  const second = digits(bytes, at + 6, 2)
  const isClock = hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second <= 60
  return isClock ? hour * 3_600 + minute * 60 + second : NO_TIME
}

/** A fraction of a second at `at`, if there is one, into `out.nanoseconds`. @returns the position after it. */
export function readFraction(bytes: Uint8Array, at: number, end: number, out: Instant): number {
  out.nanoseconds = 0
  const mark = bytes[at]
  if (at >= end || (mark !== 0x2e && mark !== 0x2c) || !isDigit(bytes[at + 1]) || at + 1 >= end) return at
  let next = at + 1
  for (let unit = 100_000_000; next < end && isDigit(bytes[next]); next += 1) {
    out.nanoseconds += (bytes[next]! - 0x30) * unit
    unit = Math.floor(unit / 10)
  }
  return next
}

/** Days from 1970-01-01 in the Gregorian calendar. [H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"] */
export function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const

export function isDate(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day <= (month === 2 && isLeap ? 29 : MONTH_DAYS[month - 1]!)
}

function isTimeMark(byte: number): boolean {
  return byte === 0x54 || byte === 0x74 || byte === 0x20
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

/** So many digits as a number; -1 when one is none. */
export function digits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i += 1) {
    if (!isDigit(bytes[i])) return -1
    value = value * 10 + bytes[i]! - 0x30
  }
  return value
}

/** Seconds east of UTC; NaN when there is no offset. */
function readOffset(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!
  if (first === 0x5a || first === 0x7a) return 0
  const length = offsetLength(bytes, at)
  if ((first !== 0x2b && first !== 0x2d) || at + length > end) return Number.NaN
  const hours = digits(bytes, at + 1, 2)
  const minutes = digits(bytes, at + length - 2, 2)
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return Number.NaN
  return (first === 0x2b ? 1 : -1) * (hours * 3_600 + minutes * 60)
}

function offsetLength(bytes: Uint8Array, at: number): number {
  if (bytes[at] === 0x5a || bytes[at] === 0x7a) return 1
  return bytes[at + 3] === 0x3a ? 6 : 5
}
