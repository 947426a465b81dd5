/** Times as Docker and containerd write them: `2026-11-25T18:00:00.123456789Z`, or with `+02:00`. [RFC 3339, 5.6] */

export interface EventTime {
  seconds: number
  nanoseconds: number
}

const DOT = 0x2e
const PLUS = 0x2b
const MINUS = 0x2d
/** `- - T : :` of `2026-11-25T18:00:00`, and where they stand. */
const SEPARATORS = Uint8Array.of(MINUS, MINUS, 0x54, 0x3a, 0x3a)
const SEPARATOR_AT = Uint8Array.of(4, 7, 10, 13, 16)

function digits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0
  for (let i = at; i < at + count; i += 1) {
    const digit = bytes[i]! - 0x30
    if (!(digit >= 0 && digit <= 9)) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

/** Reads the time `[start, end)` into `out`; false when it is none, or lies before 1970 or after 2106. */
export function readRfc3339(bytes: Uint8Array, start: number, end: number, out: EventTime): boolean {
  if (end - start < 20) return false
  for (let i = 0; i < SEPARATORS.length; i += 1) if (bytes[start + SEPARATOR_AT[i]!] !== SEPARATORS[i]) return false
  const month = digits(bytes, start + 5, 2)
  const day = digits(bytes, start + 8, 2)
  const hour = digits(bytes, start + 11, 2)
  const minute = digits(bytes, start + 14, 2)
  const second = digits(bytes, start + 17, 2)
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second <= 60)) return false
  let at = start + 19
  let nanoseconds = 0
  if (bytes[at] === DOT) {
    const first = at + 1
    for (at = first; at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39; at += 1);
    const count = Math.min(at - first, 9)
    nanoseconds = digits(bytes, first, count) * 10 ** (9 - count)
  }
  const local = Date.UTC(digits(bytes, start, 4), month - 1, day, hour, minute, second) / 1_000
  const seconds = local - zoneSeconds(bytes, at, end)
  if (!(seconds >= 0 && seconds < 2 ** 32)) return false
  out.seconds = seconds
  out.nanoseconds = nanoseconds
  return true
}

/** NaN when it is no zone. */
function zoneSeconds(bytes: Uint8Array, at: number, end: number): number {
  if (at === end - 1 && (bytes[at] === 0x5a || bytes[at] === 0x7a)) return 0
  if (at !== end - 6 || (bytes[at] !== PLUS && bytes[at] !== MINUS)) return Number.NaN
  const seconds = digits(bytes, at + 1, 2) * 3_600 + digits(bytes, at + 4, 2) * 60
  return bytes[at] === MINUS ? -seconds : seconds
}
