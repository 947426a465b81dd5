/**
 * The time that a record says of itself, under a key such as `time` or `@timestamp`: found in the msgpack of the
 * record, and read.
 *
 *   string    RFC 3339; without an offset it is UTC
 *   number    seconds since 1970, with a fraction or without, above 0 and below 2^32
 *   anything else is no time: the key is then as any other
 */
import { NEED_MORE, readContainerHeader, readStringHeader, type Span, skipTrusted } from '../../server/core/msgpack.ts'
import { readTimeNanoseconds, readTimeSeconds } from '../../server/core/packed-entries.ts'
import { type Instant, readRfc3339 } from './rfc3339.ts'

const SECONDS_END = 2 ** 32

/** Where a pair of a map stands: its key, its value, and what follows. Reused. */
export interface Pair {
  start: number
  valueStart: number
  end: number
}

const span: Span = { start: 0, end: 0 }

/**
 * Finds the last pair with this key in the map at `at`, which was checked before. `key`: the name's bytes.
 * @returns false when there is none.
 */
export function findPair(bytes: Uint8Array, at: number, end: number, key: Uint8Array, out: Pair): boolean {
  if (!readContainerHeader(bytes, at, end, 'map', span) || span.end === NEED_MORE) return false
  let found = false
  let next = span.start
  for (let left = span.end; left > 0 && next < end; left -= 1) {
    const value = skipTrusted(bytes, next, end)
    const after = skipTrusted(bytes, value, end)
    if (isName(bytes, next, end, key)) {
      found = true
      out.start = next
      out.valueStart = value
      out.end = after
    }
    next = after
  }
  return found
}

function isName(bytes: Uint8Array, at: number, end: number, name: Uint8Array): boolean {
  if (!readStringHeader(bytes, at, end, span) || span.end - span.start !== name.length) return false
  for (let i = 0; i < name.length; i += 1) if (bytes[span.start + i] !== name[i]) return false
  return true
}

/** Reads the value at `at` as a time into `out`. @returns false when it is none. */
export function readTimeValue(bytes: Uint8Array, at: number, end: number, out: Instant): boolean {
  const first = bytes[at]!
  if (readStringHeader(bytes, at, end, span)) {
    const { start, end: stop } = span
    return readRfc3339(bytes, start, stop, out, 0) === stop
  }
  // Numbers, and EventTime as ext8 and fixext8; negative ones are before 1970.
  const isNumber = first < 0x80 || (first >= 0xca && first <= 0xd3)
  if (!isNumber && first !== 0xd7 && first !== 0xc7) return false
  const isEventTime = first === 0xd7 ? bytes[at + 1] === 0 : bytes[at + 1] === 8 && bytes[at + 2] === 0
  if (!isNumber && !isEventTime) return false
  const seconds = readTimeSeconds(bytes, at)
  if (seconds <= 0 || seconds >= SECONDS_END) return false
  out.seconds = seconds
  out.nanoseconds = readTimeNanoseconds(bytes, at)
  return true
}

/** Takes the pair out of the map at `at`, which ends at `end`. @returns where it ends now. */
export function removePair(bytes: Uint8Array, at: number, end: number, { start, end: after }: Pair): number {
  bytes.copyWithin(start, after, end)
  const first = bytes[at]!
  if ((first & 0xf0) === 0x80) bytes[at] = first - 1
  else {
    // A count of 16 or 32 bits, which is not 0 since a pair is there.
    const low = first === 0xde ? at + 2 : at + 4
    for (let i = low; i > at; i -= 1) {
      bytes[i] = (bytes[i]! + 255) & 255
      if (bytes[i] !== 255) break
    }
  }
  return end - (after - start)
}
