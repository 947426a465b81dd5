/** Times in text, as logs have them: ISO 8601, seconds or milliseconds since 1970, and strptime's formats. */

import type { Syntax } from '../compile-field.ts'

export interface ParsedTime {
  /** Since 1970. */
  readonly seconds: number
  readonly nanoseconds: number
}

export interface TimeSurroundings {
  /** Where the text names no year, the one that is nearest to this, ms since 1970. */
  readonly receivedMs: number
  /** Where the text names no zone, minutes east of UTC. */
  readonly offsetMinutes: number
}

/** Undefined: the text is no time of this format. */
export type ParseTime = (text: string, surroundings: TimeSurroundings) => ParsedTime | undefined

/** What an EventTime can say, seconds: up to 2106-02-07. */
const SECONDS_END = 2 ** 32

const ISO = new RegExp(
  '^(\\d{4})-(\\d\\d)-(\\d\\d)[Tt _](\\d\\d):(\\d\\d)(?::(\\d\\d)(?:[.,](\\d{1,9})\\d*)?)?' +
    ' ?([Zz]|[+-]\\d\\d(?::?\\d\\d)?)?$',
)

/** What a format has to fill in. */
interface Parts {
  year: number | undefined
  month: number
  day: number
  hour: number
  minute: number
  second: number
  nanoseconds: number
  /** Minutes east of UTC. */
  offset: number | undefined
  isAfternoon: boolean | undefined
  /** Seconds since 1970, where the format has them. */
  epoch: number | undefined
}

interface Directive {
  readonly source: string
  readonly read?: (text: string, parts: Parts) => void
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const TWO = '\\d\\d'

const DIRECTIVES: Readonly<Record<string, Directive>> = {
  Y: { source: '\\d{4}', read: (text, parts) => (parts.year = Number(text)) },
  y: { source: TWO, read: (text, parts) => (parts.year = Number(text) + (Number(text) < 69 ? 2000 : 1900)) },
  m: { source: '\\d\\d?', read: (text, parts) => (parts.month = Number(text)) },
  b: { source: '[A-Za-z]{3,9}', read: (text, parts) => (parts.month = monthOf(text)) },
  d: { source: '[ \\d]?\\d', read: (text, parts) => (parts.day = Number(text)) },
  H: { source: '[ \\d]?\\d', read: (text, parts) => (parts.hour = Number(text)) },
  I: { source: '[ \\d]?\\d', read: (text, parts) => (parts.hour = Number(text) % 12) },
  p: { source: '[AaPp][Mm]', read: (text, parts) => (parts.isAfternoon = /^p/i.test(text)) },
  M: { source: TWO, read: (text, parts) => (parts.minute = Number(text)) },
  S: { source: TWO, read: (text, parts) => (parts.second = Number(text)) },
  N: { source: '\\d{1,9}', read: (text, parts) => (parts.nanoseconds = fraction(text)) },
  a: { source: '[A-Za-z]{3,9}' },
  z: { source: '(?:[Zz]|UTC|GMT|[+-]\\d\\d:?\\d\\d)', read: (text, parts) => (parts.offset = offsetOf(text)) },
  Z: { source: '[A-Za-z]{1,5}', read: (text, parts) => (parts.offset = /^(z|utc|gmt)$/i.test(text) ? 0 : undefined) },
  s: { source: '\\d{1,10}', read: (text, parts) => (parts.epoch = Number(text)) },
}
/** Other names of the same, and those that stand for several. */
const ALIASES: Readonly<Record<string, string>> = {
  B: '%b',
  h: '%b',
  e: '%d',
  k: '%H',
  l: '%I',
  L: '%N',
  f: '%N',
  A: '%a',
  T: '%H:%M:%S',
  F: '%Y-%m-%d',
  D: '%m/%d/%y',
  R: '%H:%M',
}

/** `iso8601`, `epoch`, `epoch_ms`, or strptime's directives. Throws an Error in words. */
export function parseTimeFormat(format: string): ParseTime {
  if (format === 'iso8601') return parseIso
  if (format === 'epoch') return (text) => parseEpoch(text, 1)
  if (format === 'epoch_ms') return (text) => parseEpoch(text, 1_000)
  if (!format.includes('%')) {
    throw new Error(`\`${format}\` is not known; there are iso8601, epoch, epoch_ms and formats such as "%d/%b/%Y"`)
  }
  return compileFormat(format)
}

/** `+01:00`, `-0330` or `UTC`, minutes east of UTC. Throws an Error in words. */
export function parseZone(text: string): number {
  if (!/^(?:Z|UTC|[+-]\d\d:?\d\d)$/.test(text)) throw new Error('it is an offset such as +01:00, or UTC')
  return offsetOf(text)
}

/** How both stand in the configuration. */
export const TIME_FORMAT: Syntax<ParseTime> = { parse: parseTimeFormat, noun: 'a format of times', example: 'iso8601' }
export const ZONE: Syntax<number> = { parse: parseZone, noun: 'a zone', example: '"+01:00"' }

function parseIso(text: string, surroundings: TimeSurroundings): ParsedTime | undefined {
  const match = ISO.exec(text.trim())
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second = '0', digits = '0', zone] = match
  const parts = emptyParts()
  Object.assign(parts, { year: Number(year), month: Number(month), day: Number(day) })
  Object.assign(parts, { hour: Number(hour), minute: Number(minute), second: Number(second) })
  parts.nanoseconds = fraction(digits)
  parts.offset = zone === undefined ? undefined : offsetOf(zone)
  return timeOf(parts, surroundings)
}

/** By its digits, so that nanoseconds survive. */
function parseEpoch(text: string, perSecond: 1 | 1_000): ParsedTime | undefined {
  const match = /^(\d{1,13})(?:\.(\d{1,9})\d*)?$/.exec(text.trim())
  if (match === null) return undefined
  const whole = Number(match[1])
  const rest = fraction(match[2] ?? '0') / perSecond
  const seconds = Math.floor(whole / perSecond)
  return inRange(seconds, ((whole % perSecond) * 1e9) / perSecond + Math.floor(rest))
}

function compileFormat(format: string): ParseTime {
  const reads: ((text: string, parts: Parts) => void)[] = []
  let source = ''
  const expanded = format.replace(/%([A-Za-z])/g, (written, name: string) => ALIASES[name] ?? written)
  for (const [written, name] of expanded.matchAll(/%:?([A-Za-z%])|[^%]|%/g)) {
    if (name === undefined) source += /\s/.test(written) ? '\\s+' : written.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&')
    else if (name === '%') source += '%'
    else {
      const directive = Object.hasOwn(DIRECTIVES, name) ? DIRECTIVES[name]! : undefined
      if (directive === undefined) throw new Error(`\`${written}\` is no directive of a time that is known`)
      source += directive.read === undefined ? directive.source : `(${directive.source})`
      if (directive.read !== undefined) reads.push(directive.read)
    }
  }
  const regexp = new RegExp(`^${source}$`)
  return (text, surroundings) => {
    const match = regexp.exec(text.trim())
    if (match === null) return undefined
    const parts = emptyParts()
    for (const [index, read] of reads.entries()) read(match[index + 1]!, parts)
    return timeOf(parts, surroundings)
  }
}

function emptyParts(): Parts {
  const clock = { hour: 0, minute: 0, second: 0, nanoseconds: 0 }
  return { year: undefined, month: 1, day: 1, ...clock, offset: undefined, isAfternoon: undefined, epoch: undefined }
}

function timeOf(parts: Parts, { receivedMs, offsetMinutes }: TimeSurroundings): ParsedTime | undefined {
  if (parts.epoch !== undefined) return inRange(parts.epoch, parts.nanoseconds)
  const { month, day, minute, second } = parts
  const hour = parts.hour + (parts.isAfternoon === true ? 12 : 0)
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined
  const offset = parts.offset ?? offsetMinutes
  const inYear = (year: number) => Date.UTC(year, month - 1, day, hour, minute - offset, second)
  const ms = parts.year === undefined ? nearest(inYear, receivedMs) : inYear(parts.year)
  // The 31st of February is no day.
  if (new Date(ms + offset * 60_000).getUTCDate() !== day && second < 60) return undefined
  return inRange(Math.floor(ms / 1_000), parts.nanoseconds)
}

function nearest(inYear: (year: number) => number, receivedMs: number): number {
  const year = new Date(receivedMs).getUTCFullYear()
  const all = [year - 1, year, year + 1].map(inYear)
  return all.reduce((best, ms) => (Math.abs(ms - receivedMs) < Math.abs(best - receivedMs) ? ms : best))
}

function inRange(seconds: number, nanoseconds: number): ParsedTime | undefined {
  return seconds >= 0 && seconds < SECONDS_END ? { seconds, nanoseconds } : undefined
}

function fraction(digits: string): number {
  return Number(digits.slice(0, 9).padEnd(9, '0'))
}

function offsetOf(zone: string): number {
  if (!/^[+-]/.test(zone)) return 0
  const digits = zone.replace(':', '')
  const minutes = Number(digits.slice(1, 3)) * 60 + Number(digits.slice(3, 5) || '0')
  return zone.startsWith('-') ? -minutes : minutes
}

/** 0 where it is none. */
function monthOf(name: string): number {
  return MONTHS.indexOf(name.slice(0, 3).toLowerCase()) + 1
}
