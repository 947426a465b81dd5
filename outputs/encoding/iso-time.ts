/** Times as ISO 8601 text in UTC, written as bytes: `2026-11-20T12:00:00.123456789Z`. No Date is made. */
import { type ByteSink, reserve } from './byte-sink.ts'
import { writePadded } from './json-number.ts'

const DAY = 86_400
/** Years 0 to 9999: what four digits can say. Seconds since 1970, the last not included. */
export const ISO_SECONDS_MIN = -62_167_219_200
export const ISO_SECONDS_END = 253_402_300_800

/** A day of the proleptic Gregorian calendar; an object that is used again. */
export interface CivilDate {
  year: number
  /** 1 to 12. */
  month: number
  /** 1 to 31. */
  day: number
}

/**
 * Days since 1970 into a date, in years that begin in March (Hinnant, "chrono-compatible low-level date algorithms").
 */
export function dateOfDay(daysSince1970: number, out: CivilDate): void {
  const days = daysSince1970 + 719_468
  const era = Math.floor(days / 146_097)
  const dayOfEra = days - era * 146_097
  const leap = Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leap) / 365)
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const month = Math.floor((5 * dayOfYear + 2) / 153)
  out.day = dayOfYear - Math.floor((153 * month + 2) / 5) + 1
  out.month = month < 10 ? month + 3 : month - 9
  out.year = yearOfEra + era * 400 + (out.month <= 2 ? 1 : 0)
}

/** Bytes of `2026-11-20T12:00:00`. */
export const SECOND_LENGTH = 19

const date: CivilDate = { year: 0, month: 0, day: 0 }

/**
 * Writes SECOND_LENGTH bytes; `seconds` lies between ISO_SECONDS_MIN and ISO_SECONDS_END. `separator`: `T` or a space.
 */
export function writeSecond(seconds: number, separator: number, to: DataView, at: number): void {
  const day = Math.floor(seconds / DAY)
  const second = seconds - day * DAY
  dateOfDay(day, date)
  writePadded(date.year, 4, to, at)
  to.setUint8(at + 4, 0x2d)
  writePadded(date.month, 2, to, at + 5)
  to.setUint8(at + 7, 0x2d)
  writePadded(date.day, 2, to, at + 8)
  to.setUint8(at + 10, separator)
  writePadded(Math.floor(second / 3_600), 2, to, at + 11)
  to.setUint8(at + 13, 0x3a)
  writePadded(Math.floor(second / 60) % 60, 2, to, at + 14)
  to.setUint8(at + 16, 0x3a)
  writePadded(second % 60, 2, to, at + 17)
}

/** Writes `"2026-11-20T12:00:00.123456789Z"`, quotes included. For what is rare. */
export function writeIsoTime(seconds: number, nanoseconds: number, sink: ByteSink): void {
  reserve(sink, SECOND_LENGTH + 13)
  const { view, at } = sink
  view.setUint8(at, 0x22)
  writeSecond(seconds, 0x54, view, at + 1)
  view.setUint8(at + 20, 0x2e)
  writePadded(nanoseconds, 9, view, at + 21)
  view.setUint16(at + 30, 0x5a22)
  sink.at = at + 32
}
