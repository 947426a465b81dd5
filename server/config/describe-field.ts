/** Fields and values in words, for faults, docs and the schema. A secret's value never goes through. */
import type { Field } from '../core/fields.ts'
import { type Bounds, boundsOf } from './field-schema.ts'
import { maskUrls } from './secrecy.ts'
import { formatDuration, formatSize, UNIX_PATH_BYTES_MAX } from './units.ts'

const SHOWN_LENGTH_MAX = 60

/** What the field takes: "a whole number", "`a`, `b` or `c`". */
export function expectation(field: Field): string {
  switch (field.kind) {
    case 'string':
      return field.pattern === undefined ? 'text' : `text that matches \`${field.pattern}\``
    case 'secret':
      return 'text'
    case 'path':
      return 'the name of a file'
    case 'integer':
      return 'a whole number'
    case 'boolean':
      return '`true` or `false`'
    case 'duration':
      return 'a duration'
    case 'size':
      return 'a size'
    case 'address':
      return field.unix === true ? 'an address, host and port or `unix:/path`' : 'an address, host and port'
    case 'enum':
      return alternatives(field.of)
    case 'strings':
      return 'a list of texts'
    case 'group':
      return 'a map'
    case 'groups':
      return 'a list of maps'
  }
}

/** The range a number must lie in, in the field's own unit. */
export function rangeInWords(field: Field): string {
  if (field.kind === 'integer') {
    const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = field
    return inWords({ min, max }, String)
  }
  if (field.kind === 'duration') return inWords(boundsOf(field), formatDuration)
  if (field.kind === 'size') return inWords(boundsOf(field), formatSize)
  const path =
    field.kind === 'address' && field.unix === true ? `, or a path of at most ${UNIX_PATH_BYTES_MAX} bytes` : ''
  return `an address with a port of 0 to 65535${path}`
}

function inWords({ min, max }: Bounds, format: (value: number) => string): string {
  if (max === Number.MAX_SAFE_INTEGER) return `at least ${format(min)}`
  return `between ${format(min)} and ${format(max)}`
}

/** How the field may be written, where nothing better is known. */
const EXAMPLES: Readonly<Record<Field['kind'], string>> = {
  string: 'text',
  secret: `"\${SECRET}"`,
  path: '/etc/logboom/name.pem',
  integer: '1',
  boolean: 'true',
  duration: '30s',
  size: '16MiB',
  address: '127.0.0.1:24224',
  enum: '',
  strings: '[a, b]',
  group: '{ key: value }',
  groups: '[{ key: value }]',
}

export function exampleOf(field: Field): string {
  if (field.example !== undefined) return field.example
  if (field.kind === 'enum') return field.default ?? field.of[0]!
  if ('default' in field && field.default !== undefined && field.kind !== 'strings') return String(field.default)
  return EXAMPLES[field.kind]
}

/** A value that was found, short and fit to be shown. */
export function describeFound(value: unknown, field?: Field): string {
  if (value === undefined || value === null) return 'empty'
  if (Array.isArray(value)) {
    const odd = field?.kind === 'strings' ? value.find((item) => typeof item !== 'string') : undefined
    return odd === undefined ? 'a list' : `a list with ${describeFound(odd)}`
  }
  if (typeof value === 'object') return 'a map'
  if (field?.kind === 'secret') return value === '' ? 'empty' : `a ${typeof value}`
  if (typeof value === 'number' && (field?.kind === 'string' || field?.kind === 'enum')) return `the number ${value}`
  const text = maskUrls(String(value))
  if (text === '') return 'empty'
  return `\`${text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text}\``
}

/** "`a`", "`a` or `b`", "`a`, `b` or `c`". */
export function alternatives(names: readonly string[]): string {
  const quoted = names.map((name) => `\`${name}\``)
  const last = quoted.pop() ?? ''
  return quoted.length === 0 ? last : `${quoted.join(', ')} or ${last}`
}
