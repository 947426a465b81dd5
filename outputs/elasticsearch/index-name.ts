/** Names of indices from a pattern such as `logstash-%Y.%m.%d` and the time of an event, in UTC. Pure. */
import { type CivilDate, dateOfDay } from '../encoding/iso-time.ts'

const DAY = 86_400
const HOUR = 3_600
/** Elasticsearch's limit for the name of an index, bytes. */
const NAME_LENGTH_MAX = 255

/**
 * How far an event's day may lie from the day it was received to choose the index, days. Clocks that are wrong would
 * otherwise make an index for each day of the last fifty years; their events go to the index of the time they came.
 */
export const INDEX_DAYS_PAST = 400
export const INDEX_DAYS_AHEAD = 2

export interface IndexPattern {
  readonly parts: readonly string[]
  /** Seconds that one name holds for; NO_DATE when there is no date in it. */
  readonly period: number
}

/** A period that begins at 0 and outlasts every time. */
const NO_DATE = 2 ** 40

const DIRECTIVES = '%Y %y %m %d %j %H'

/**
 * Reads a pattern with the directives %Y %y %m %d %j %H. Letters become lower-case, and what Elasticsearch does not
 * allow in a name becomes `_`. Throws Error, in words for the operator.
 */
export function parseIndexPattern(text: string): IndexPattern {
  const parts = text.split(/(%.?)/s).map((part) => (part.startsWith('%') ? part : cleanName(part)))
  const unknown = parts.find((part) => part.startsWith('%') && !/^%[YymdjH]$/.test(part))
  if (unknown !== undefined) throw new Error(`\`${unknown}\` in \`index\` is none of ${DIRECTIVES}`)
  parts[0] = parts[0]!.replace(/^[-_+]+/, '')
  const period = parts.includes('%H') ? HOUR : parts.some((part) => /^%[Yymdj]$/.test(part)) ? DAY : NO_DATE
  const example = renderIndexName({ parts, period }, 0)
  if (example === '' || example === '.' || example === '..') throw new Error('`index` is not the name of an index')
  if (Buffer.byteLength(example) > NAME_LENGTH_MAX) throw new Error(`\`index\` is longer than ${NAME_LENGTH_MAX} bytes`)
  return { parts, period }
}

/**
 * What Elasticsearch refuses in a name: upper-case letters, and these characters [create index API, "Path
 * parameters"].
 */
function cleanName(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are among what is to be replaced
  return text.toLowerCase().replace(/[\\/*?"<>|,#: \u0000-\u001f]/g, '_')
}

const date: CivilDate = { year: 0, month: 0, day: 0 }
const padded = (value: number, digits: number) => String(value).padStart(digits, '0')

/** The name for a time in seconds since 1970. */
export function renderIndexName({ parts }: IndexPattern, seconds: number): string {
  const day = Math.floor(seconds / DAY)
  dateOfDay(day, date)
  const { year, month, day: dayOfMonth } = date
  return parts
    .map((part) => {
      if (part === '%Y') return padded(year, 4)
      if (part === '%y') return padded(year % 100, 2)
      if (part === '%m') return padded(month, 2)
      if (part === '%d') return padded(dayOfMonth, 2)
      if (part === '%j') return padded(day - Date.UTC(year, 0) / (DAY * 1000) + 1, 3)
      if (part === '%H') return padded(Math.floor(seconds / HOUR) % 24, 2)
      return part
    })
    .join('')
}
