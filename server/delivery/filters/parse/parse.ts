/** `parse`: the text of a field becomes fields of the record, and its time the time of the event. */

import { parseJson } from '../../../core/event-text.ts'
import type { ConfigOf, Fields } from '../../../core/fields.ts'
import { SCAN_LIMITS } from '../../../core/msgpack.ts'
import { compileField } from '../compile-field.ts'
import { FIELD, type FieldName, fieldName } from '../field-path.ts'
import { type Filter, FilterFault, FilterFieldError, type Stage } from '../filter.ts'
import type { FilterEvent } from '../filter-event.ts'
import { packValue, textOf } from '../packed-value.ts'
import { PATTERN } from '../pattern.ts'
import { createPairsParser, parseLogfmt } from './key-value.ts'
import type { LineParser } from './line-parser.ts'
import { parseSyslogLine } from './syslog-line.ts'
import { type ParsedTime, type ParseTime, TIME_FORMAT, ZONE } from './time-format.ts'
import { parseApache, parseApacheError, parseNginx } from './web-logs.ts'

const FORMATS = ['json', 'regexp', 'apache', 'apache_error', 'nginx', 'syslog', 'logfmt', 'ltsv', 'key_value'] as const
const TYPES = ['string', 'integer', 'float', 'bool'] as const

const fields = {
  field: { kind: 'string', default: 'log', doc: 'The field with the text: a key, or `$.a.b` for a key within maps.' },
  format: {
    kind: 'enum',
    of: FORMATS,
    doc: 'What the text is. `regexp` needs `pattern`; `syslog` is RFC 3164 and 5424; `apache` is common or combined.',
    example: 'json',
  },
  pattern: {
    kind: 'string',
    optional: true,
    doc: 'Pattern (RE2) of `regexp`; its named groups are the fields.',
    example: '"^(?<level>\\w+): (?<message>.*)$"',
  },
  delimiter: { kind: 'string', optional: true, doc: 'Between pairs: a tab in `ltsv`, a space in `key_value`.' },
  label_delimiter: {
    kind: 'string',
    optional: true,
    doc: 'Between a key and its value: `:` in `ltsv`, `=` in `key_value`.',
  },
  types: {
    kind: 'map',
    default: {},
    doc: 'What parsed texts become: `string`, `integer`, `float` or `bool`; one that cannot stays text.',
    example: '{ code: integer }',
  },
  time_key: {
    kind: 'string',
    optional: true,
    doc: 'Parsed field with the time of the event; `time` in apache, apache_error, nginx and syslog.',
    example: 'time',
  },
  time_format: {
    kind: 'string',
    optional: true,
    doc: 'iso8601, epoch, epoch_ms, or as strptime: "%d/%b/%Y:%H:%M:%S %z" (%N: a fraction). Else that of the format.',
    example: '"%Y-%m-%d %H:%M:%S"',
  },
  timezone: { kind: 'string', default: 'UTC', doc: 'Of times that name none: an offset such as +01:00.' },
  keep_time_key: { kind: 'boolean', default: false, doc: 'Whether the field with the time stays in the record.' },
  reserve_data: {
    kind: 'boolean',
    default: true,
    doc: "Whether the other fields of the record stay beside the parsed ones, which win (fluentd's default is false).",
  },
  remove_field: { kind: 'boolean', default: false, doc: 'Whether `field` goes once it is parsed.' },
} as const satisfies Fields

type ParseConfig = ConfigOf<typeof fields>
type Format = ParseConfig['format']

export const filter: Filter<typeof fields> = {
  name: 'parse',
  summary: 'Make fields of the text of a field. What does not read stays as it is, marked and counted.',
  fields,
  example: '- { match: docker.nginx, parse: { field: log, format: nginx } }',
  compile: (config) => createParse(config),
}

/** Where the time stands in a format, and how it is written; the first that fits counts. */
const TIMES: Readonly<Partial<Record<Format, readonly string[]>>> = {
  apache: ['%d/%b/%Y:%H:%M:%S %z'],
  nginx: ['%d/%b/%Y:%H:%M:%S %z'],
  apache_error: ['%b %d %H:%M:%S.%N %Y', '%b %d %H:%M:%S %Y'],
  syslog: ['iso8601', '%b %d %H:%M:%S'],
}

function createParse(config: ParseConfig): Stage {
  const path = compileField(['field'], config.field, FIELD)
  const parser = createParser(config)
  const readTime = createTimeReader(config)
  const convert = createConverter(config)
  const names = createNames()
  return {
    take(event, out) {
      const { record } = event
      const text = textOf(record.get(path))
      if (text === undefined) {
        out.pass(event)
        return
      }
      const parsed = parser(text)
      if (parsed === undefined) throw new FilterFault('not_parsed', `\`${config.field}\` is not ${config.format}`)
      checkKeys(parsed)
      const time = readTime(parsed, event)
      const values = parsed
        .filter(([key]) => key !== time?.leftOut)
        .map(([key, value]) => [key, convert(key, value)] as const)
      if (!config.reserve_data) record.keep([])
      else if (config.remove_field) record.remove(path)
      for (const [key, value] of values) record.set([names(key)], value)
      if (time !== undefined) event.setTime(time.time.seconds, time.time.nanoseconds)
      out.pass(event)
    },
  }
}

/** As the inputs have it; and many keys would take long to be put into a record one by one. */
function checkKeys(parsed: NonNullable<ReturnType<LineParser>>): void {
  const isLong = ([key]: readonly [string, unknown]) => key.length > SCAN_LIMITS.keyBytes
  if (parsed.length <= SCAN_LIMITS.keys && !parsed.some(isLong)) return
  throw new FilterFault('too_large', 'it has too many keys, or one that is too long')
}

function createParser({ format, pattern, delimiter, label_delimiter: label }: ParseConfig): LineParser {
  if ((pattern === undefined) === (format === 'regexp')) {
    const expected = format === 'regexp' ? 'given with `format: regexp`' : 'left out unless `format` is `regexp`'
    throw new FilterFieldError(['pattern'], expected, 'format: regexp')
  }
  switch (format) {
    case 'json':
      return parseJsonMap
    case 'regexp':
      return createRegexpParser(pattern!)
    case 'apache':
      return parseApache
    case 'apache_error':
      return parseApacheError
    case 'nginx':
      return parseNginx
    case 'syslog':
      return parseSyslogLine
    case 'logfmt':
      return parseLogfmt
    case 'ltsv':
      return createPairsParser(delimiter || '\t', label || ':')
    case 'key_value':
      return createPairsParser(delimiter || ' ', label || '=')
  }
}

/** Only a map is a record. */
function parseJsonMap(text: string) {
  try {
    const value = parseJson(text)
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isMap ? Object.entries(value) : undefined
  } catch {
    return undefined
  }
}

function createRegexpParser(text: string): LineParser {
  const pattern = compileField(['pattern'], text, PATTERN)
  if (pattern.names.length === 0) {
    throw new FilterFieldError(['pattern'], 'a pattern with named groups, which become fields', '"(?<message>.*)"')
  }
  return (subject) => {
    const match = pattern.exec(subject)
    return match && Object.entries(match.named).filter(([, value]) => value !== undefined)
  }
}

interface FoundTime {
  readonly time: ParsedTime
  /** The key that does not go into the record. */
  readonly leftOut: string | undefined
}

/** Undefined: there is no time to be read. Throws FilterFault when there is one that does not read. */
function createTimeReader(config: ParseConfig) {
  const { time_format: format, timezone, keep_time_key: isKept } = config
  const written = format === undefined ? (TIMES[config.format] ?? ['iso8601']) : [format]
  const formats = written.map((it) => compileField(['time_format'], it, TIME_FORMAT))
  const offsetMinutes = compileField(['timezone'], timezone, ZONE)
  const key = config.time_key ?? (Object.hasOwn(TIMES, config.format) ? 'time' : undefined)
  return (parsed: NonNullable<ReturnType<LineParser>>, { receivedMs }: FilterEvent): FoundTime | undefined => {
    const found = key === undefined ? undefined : parsed.findLast(([name]) => name === key)
    if (found === undefined) return undefined
    const time = firstTime(formats, String(found[1]), { receivedMs, offsetMinutes })
    if (time === undefined) throw new FilterFault('bad_time', `\`${key}\` is no time of the format`)
    return { time, leftOut: isKept ? undefined : key }
  }
}

function firstTime(formats: readonly ParseTime[], text: string, surroundings: Parameters<ParseTime>[1]) {
  for (const format of formats) {
    const time = format(text, surroundings)
    if (time !== undefined) return time
  }
  return undefined
}

function createConverter({ types }: ParseConfig): (key: string, value: unknown) => Uint8Array {
  const odd = Object.entries(types).find(([, type]) => !TYPES.some((known) => known === type))
  if (odd !== undefined) throw new FilterFieldError(['types', odd[0]], `one of ${TYPES.join(', ')}`, 'integer')
  return (key, value) =>
    packValue(typeof value === 'string' && Object.hasOwn(types, key) ? cast(value, types[key]) : value)
}

function cast(text: string, type: unknown): unknown {
  if (type === 'integer' && /^[+-]?\d{1,20}$/.test(text)) return shortest(BigInt(text))
  if (type === 'float' && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
  if (type === 'bool' && /^(true|yes|1|false|no|0)$/i.test(text)) return /^(true|yes|1)$/i.test(text)
  return text
}

function shortest(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

/** Names that were packed before; keys of JSON are as many as its senders like. */
const NAMES_MAX = 4_096

function createNames(): (key: string) => FieldName {
  const names = new Map<string, FieldName>()
  return (key) => {
    const known = names.get(key)
    if (known !== undefined) return known
    if (names.size >= NAMES_MAX) names.clear()
    const name = fieldName(key)
    names.set(key, name)
    return name
  }
}
