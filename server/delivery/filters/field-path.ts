/** Names of fields in the configuration, and finding what they name: a key, or `$.a.b` for a key within maps. */
import { readContainerHeader, readStringHeader, skipTrusted } from '../../core/msgpack.ts'
import type { Syntax } from './compile-field.ts'
import { packString } from './packed-value.ts'

/** A key as it is looked for and as it is written. */
export interface FieldName {
  readonly text: string
  /** UTF-8, without a msgpack header. */
  readonly bytes: Uint8Array
  /** msgpack str. */
  readonly packed: Uint8Array
}

/** At least one name: the key of the record, then the keys within. */
export type FieldPath = readonly [FieldName, ...FieldName[]]

export function fieldName(text: string): FieldName {
  const bytes = Buffer.from(text, 'utf8')
  return { text, bytes, packed: packString(bytes) }
}

const STEP = /\.([^.[\]]+)|\[(?:'([^']*)'|"([^"]*)")\]/y

/**
 * `log` is the key `log`, dots and all; `$.kubernetes.pod` and `$['odd.key']` go within maps, as fluentd's
 * record_accessor has it. Throws an Error in words.
 */
export function parseFieldPath(text: string): FieldPath {
  if (text === '') throw new Error('the name of a field must not be empty')
  if (!text.startsWith('$.') && !text.startsWith('$[')) return [fieldName(text)]
  const [first, ...rest] = parseSteps(text.slice(1))
  return [fieldName(first!), ...rest.map(fieldName)]
}

/** Names of fields in the configuration. */
export const FIELD: Syntax<FieldPath> = { parse: parseFieldPath, noun: 'the name of a field', example: 'log' }

/** Keys of `.a["b"]`; at least one. Throws an Error in words. */
export function parseSteps(text: string): string[] {
  const steps: string[] = []
  STEP.lastIndex = 0
  while (STEP.lastIndex < text.length) {
    const at = STEP.lastIndex
    const match = STEP.exec(text)
    if (match === null) throw new Error(`\`${text.slice(at)}\` is neither \`.key\` nor \`["key"]\``)
    steps.push(match[1] ?? match[2] ?? match[3]!)
  }
  if (steps.length === 0) throw new Error('a key is missing')
  return steps
}

const head = { start: 0, end: 0 }
const key = { start: 0, end: 0 }

/** The value of a key of the packed map; the last where it comes twice. Undefined: no map, or no such key. */
export function valueInMap(map: Uint8Array, name: FieldName): Uint8Array | undefined {
  if (map.length === 0 || !readContainerHeader(map, 0, map.length, 'map', head)) return undefined
  let found: Uint8Array | undefined
  let at = head.start
  for (let left = head.end; left > 0; left--) {
    const isString = readStringHeader(map, at, map.length, key)
    const isIt = isString && isSame(map, key.start, key.end, name.bytes)
    const value = skipTrusted(map, at, map.length)
    at = skipTrusted(map, value, map.length)
    if (isIt) found = map.subarray(value, at)
  }
  return found
}

export function isSame(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.length) return false
  for (let i = 0; i < other.length; i++) if (bytes[start + i] !== other[i]) return false
  return true
}
