/**
 * The time of RFC 3164, which names neither year nor zone.
 *
 *   Nov 25 12:03:04     Nov  5 12:03:04.123     Nov 25 2026 12:03:04          [RFC 3164 4.1.2, and what Cisco adds]
 *
 * The zone is the one that was configured. The year is the one that brings the time nearest to the receipt: a message
 * of December that comes in January is of the year before, one of January that comes in December of the next.
 */
import { daysSince1970, digits, type Instant, isDate, NO_TIME, readClock, readFraction } from '../encoding/rfc3339.ts'

/** Seconds east of UTC, always the same; or `local`: what the zone of this machine has at that time. */
export type Zone = number | 'local'

/** `local`, `utc`, `+01:00`. */
export function parseZone(text: string): Zone {
  if (text === 'local') return 'local'
  if (text === 'utc') return 0
  const sign = text.startsWith('-') ? -1 : 1
  return sign * (Number(text.slice(1, 3)) * 3_600 + Number(text.slice(4, 6)) * 60)
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'].map((name) =>
  Buffer.from(name),
)
/** Length of `Nov 25 `. */
const DAY_END = 7
/** Mean length of a Gregorian year. */
const YEAR_MS = 31_556_952_000
const SECONDS_END = 2 ** 32

/** Reads such times for one input; made once, since the last minute that was read is remembered. */
export class BsdTime {
  readonly #zone: Zone
  /** Month, day, minute and the year of receipt of the last time without a year, and what that minute was. */
  #lastKey = -1
  #lastMinuteS = Number.NaN

  constructor(zone: Zone) {
    this.#zone = zone
  }

  /**
   * Reads the time at `at` into `out`. `nowMs`: when it came, ms since 1970.
   * @returns the position after it, or NO_TIME.
   */
  read(bytes: Uint8Array, at: number, end: number, nowMs: number, out: Instant): number {
    const month = readMonth(bytes, at)
    if (month === 0 || bytes[at + 3] !== 0x20) return NO_TIME
    const day = bytes[at + 4] === 0x20 ? digits(bytes, at + 5, 1) : digits(bytes, at + 4, 2)
    if (day < 1 || bytes[at + DAY_END - 1] !== 0x20) return NO_TIME
    let next = at + DAY_END
    let year = 0
    if (bytes[next + 4] === 0x20 && digits(bytes, next, 4) >= 1970) {
      year = digits(bytes, next, 4)
      next += 5
    }
    const clock = readClock(bytes, next, end)
    if (clock < 0) return NO_TIME
    next = readFraction(bytes, next + 8, end, out)
    const minute = Math.floor(clock / 60)
    const minuteS = year === 0 ? this.#nearest(month, day, minute, nowMs) : this.#minuteOf(year, month, day, minute)
    const seconds = minuteS + clock - minute * 60
    if (!(seconds >= 0 && seconds < SECONDS_END)) return NO_TIME
    out.seconds = seconds
    return next
  }

  #nearest(month: number, day: number, minute: number, nowMs: number): number {
    const thisYear = 1970 + Math.floor(nowMs / YEAR_MS)
    const key = ((thisYear * 16 + month) * 32 + day) * 1_440 + minute
    if (key === this.#lastKey) return this.#lastMinuteS
    const now = nowMs / 1_000
    let nearest = Number.NaN
    for (let year = thisYear - 1; year <= thisYear + 1; year += 1) {
      const seconds = this.#minuteOf(year, month, day, minute)
      // `!(a >= b)`: also where `nearest` is none yet.
      if (!Number.isNaN(seconds) && !(Math.abs(seconds - now) >= Math.abs(nearest - now))) nearest = seconds
    }
    this.#lastKey = key
    this.#lastMinuteS = nearest
    return nearest
  }

  /** Seconds since 1970 at the begin of a minute of a day; NaN when there is no such day. */
  #minuteOf(year: number, month: number, day: number, minute: number): number {
    if (!isDate(year, month, day)) return Number.NaN
    if (this.#zone === 'local') return new Date(year, month - 1, day, 0, minute).getTime() / 1_000
    return daysSince1970(year, month, day) * 86_400 + minute * 60 - this.#zone
  }
}

/** 1 to 12; 0: it is none. */
function readMonth(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 12; i += 1) {
    const name = MONTHS[i]!
    if (bytes[at] === name[0] && bytes[at + 1] === name[1] && bytes[at + 2] === name[2]) return i + 1
  }
  return 0
}
