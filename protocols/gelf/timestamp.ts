/**
 * GELF's `timestamp`, from its text: the digits count, not what a double makes of them.
 *
 *   1700000000.123456789    seconds since 1970, up to nine digits of a fraction; more are dropped
 *   1700000000123           of 13 digits before the point: milliseconds; of 16: microseconds; of 19: nanoseconds
 *   1.7E9                   the same number
 *   "1700000000.5"          the same as text
 *   "2023-11-14T22:13:20.5Z"   RFC 3339; without an offset it is UTC
 *
 * Numbers of 0 or less, times after 2106 and all else are none.       [GELF 1.1; clients.md 79]
 */
import { type Instant, readRfc3339 } from '../encoding/rfc3339.ts'

const QUOTE = 0x22
const POINT = 0x2e
const NANO_DIGITS = 9
const SECONDS_END = 2 ** 32
/** Digits before the point → how many of them are parts of a second. */
const SUBSECOND_DIGITS: Readonly<Record<number, number>> = { 13: 3, 16: 6, 19: 9 }
const SECONDS_DIGITS_MAX = 10
/** A number with an exponent is not longer than this. */
const EXPONENT_TEXT_MAX = 40

/** Reads the JSON value that stands between `start` and `end`. @returns false: it is no time. */
export function readTimestamp(text: Buffer, start: number, end: number, out: Instant): boolean {
  if (text[start] !== QUOTE) return readNumber(text, start, end, out)
  const [from, to] = [start + 1, end - 1]
  return readNumber(text, from, to, out) || readRfc3339(text, from, to, out, 0) === to
}

function readNumber(text: Buffer, start: number, end: number, out: Instant): boolean {
  const point = digitsEnd(text, start, end)
  const count = point - start
  const subsecond = count <= SECONDS_DIGITS_MAX ? 0 : SUBSECOND_DIGITS[count]
  const hasFraction = point < end && text[point] === POINT
  const stop = hasFraction ? digitsEnd(text, point + 1, end) : point
  if (stop < end) return readWithExponent(text, start, end, out)
  if (count === 0 || subsecond === undefined || (hasFraction && stop === point + 1)) return false
  const secondsEnd = point - subsecond
  let seconds = 0
  for (let at = start; at < secondsEnd; at += 1) seconds = seconds * 10 + text[at]! - 0x30
  let nanoseconds = 0
  let digits = 0
  for (let at = secondsEnd; at < stop && digits < NANO_DIGITS; at += 1) {
    if (at === point) continue
    nanoseconds = nanoseconds * 10 + text[at]! - 0x30
    digits += 1
  }
  for (; digits < NANO_DIGITS; digits += 1) nanoseconds *= 10
  if (seconds >= SECONDS_END || (seconds === 0 && nanoseconds === 0)) return false
  out.seconds = seconds
  out.nanoseconds = nanoseconds
  return true
}

function digitsEnd(text: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && text[at]! >= 0x30 && text[at]! <= 0x39) at += 1
  return at
}

function readWithExponent(text: Buffer, start: number, end: number, out: Instant): boolean {
  if (end - start > EXPONENT_TEXT_MAX) return false
  const match = /^(\d+)(?:\.(\d+))?[eE]\+?(\d{1,2})$/.exec(text.toString('latin1', start, end))
  if (match === null) return false
  const [, whole, fraction = '', exponent] = match
  const digits = `${whole}${fraction}`
  const point = whole!.length + Number(exponent)
  const plain = Buffer.from(`${digits.slice(0, point).padEnd(point, '0')}.${digits.slice(point) || '0'}`)
  return readNumber(plain, 0, plain.length, out)
}
