/** An event's document as the page shows it: its level, its rows, and the search term of a value. Pure. */
import { formatJson, type Json, type JsonObject } from '../../core/event-text.ts'

/** Longest text of a row; the rest is seen when the event is opened. */
export const ROW_CHARACTERS_MAX = 1_000
/** Longest value that is shown whole in the open event. */
export const VALUE_CHARACTERS_MAX = 20_000
const TERM_CHARACTERS_MAX = 200
const DEPTH_MAX = 16

/** Cuts a text, and says that it did. */
export function clip(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters)} … ${text.length - characters} more`
}

export type Level = 'error' | 'warn' | 'other'
const LEVEL_KEYS = ['level', 'severity', 'log.level', 'loglevel'] as const

/** Words of the common loggers, syslog's numbers 0 to 7 (RFC 5424), and from 10 on those of bunyan and pino. */
function levelOfNumber(level: number): Level {
  if (level >= 10) return level >= 50 ? 'error' : level >= 40 ? 'warn' : 'other'
  return level <= 3 ? 'error' : level === 4 ? 'warn' : 'other'
}

export function levelOf(event: JsonObject): Level {
  const level = LEVEL_KEYS.map((key) => event[key]).find((value) => value !== undefined)
  if (typeof level === 'number') return levelOfNumber(level)
  if (typeof level !== 'string') return 'other'
  if (/^(err|crit|fatal|alert|emerg|panic)/i.test(level)) return 'error'
  return /^warn/i.test(level) ? 'warn' : 'other'
}

export interface DocumentRow {
  /** Keys joined by dots. */
  readonly path: string
  readonly value: Json
  readonly text: string
}

const isMap = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What a person looks for first. */
const FIRST_KEYS = ['@timestamp', 'tag']

/** The rows of an event, its time and tag on top. */
export function detailRowsOf(document: JsonObject): DocumentRow[] {
  const rows = rowsOf(document)
  const isFirst = ({ path }: DocumentRow) => FIRST_KEYS.includes(path)
  return [
    ...FIRST_KEYS.flatMap((key) => rows.filter(({ path }) => path === key)),
    ...rows.filter((row) => !isFirst(row)),
  ]
}

/** Every value of the document with its path; lists and what lies too deep stay one row of JSON. */
export function rowsOf(document: JsonObject, prefix = '', depth = 1): DocumentRow[] {
  return Object.entries(document).flatMap(([key, value]) => {
    const path = prefix + key
    if (isMap(value) && depth < DEPTH_MAX && Object.keys(value).length > 0) return rowsOf(value, `${path}.`, depth + 1)
    return [{ path, value, text: typeof value === 'string' ? value : formatJson(value) }]
  })
}

/** A field name and a value that mean themselves in a query without quotation marks. */
const BARE_FIELD = /^[\p{L}_@$][\p{L}\p{N}_@$./-]*$/u
const BARE_VALUE = /^[\p{L}\p{N}_./@+-]+$/u

const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`

/** `field:value` as the search understands it; undefined for what cannot be typed into a query. */
export function termOf(field: string, text: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: an input field cannot hold them
  if (field === '' || text === '' || /[\x00-\x1f]/.test(field + text)) return undefined
  if (field.length + text.length > TERM_CHARACTERS_MAX) return undefined
  return `${BARE_FIELD.test(field) ? field : quoted(field)}:${BARE_VALUE.test(text) ? text : quoted(text)}`
}

/** The query with the term added, unless it stands there already; its opposite is taken out. */
export function addTerm(query: string, term: string): string {
  const opposite = term.startsWith('-') ? term.slice(1) : `-${term}`
  const kept = ` ${query} `.replace(` ${opposite} `, ' ').trim()
  return ` ${kept} `.includes(` ${term} `) ? kept : `${kept} ${term}`.trim()
}

/** A hue for each tag, in degrees: FNV-1a, spread by the golden ratio so that tags that are alike differ in colour. */
export function hueOf(tag: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < Math.min(tag.length, 64); index += 1) {
    hash = Math.imul(hash ^ tag.charCodeAt(index), 0x01000193) >>> 0
  }
  return Math.round(((hash * 0.618034) % 1) * 360)
}
