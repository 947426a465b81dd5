/** `redact`: what must not leave the house is masked, or replaced by a keyed hash that still tells same from other. */
import { createHmac } from 'node:crypto'
import type { ConfigOf, Fields } from '../../core/fields.ts'
import { compileField } from './compile-field.ts'
import { FIELD } from './field-path.ts'
import { type Filter, FilterFieldError, type Stage } from './filter.ts'
import { packText, stringBytes, TEXT_BYTES_MAX, textOf } from './packed-value.ts'
import { PATTERN, type Pattern } from './pattern.ts'

/** Hexadecimal characters of a hash: 64 bits. */
const HASH_LENGTH = 16

const fields = {
  fields: {
    kind: 'strings',
    default: [],
    doc: 'Fields that are redacted: whole without `patterns`, else only what matches in them.',
    example: '[password, $.user.email]',
  },
  patterns: {
    kind: 'strings',
    default: [],
    doc: 'What is redacted (RE2): in `fields`, or without those in every text right below the record.',
    example: '["\\d{4}-\\d{4}-\\d{4}-\\d{4}"]',
  },
  mask: { kind: 'string', default: '***', doc: 'What stands in its place, unless there is a `hash_secret`.' },
  hash_secret: {
    kind: 'secret',
    optional: true,
    doc: 'Key of an HMAC-SHA-256, whose first 16 hexadecimal digits stand in its place: the same for the same text.',
  },
} as const satisfies Fields

export const filter: Filter<typeof fields> = {
  name: 'redact',
  summary: 'Mask or hash fields, or what matches a pattern in them.',
  fields,
  example: '- { match: app.**, redact: { fields: [password], patterns: ["Bearer [\\\\w.-]+"] } }',
  compile(config) {
    if (config.fields.length + config.patterns.length === 0) {
      throw new FilterFieldError([], 'a map with `fields` or `patterns`', '{ fields: [password] }')
    }
    return createRedact(config)
  },
}

function createRedact({ fields: names, patterns: texts, mask, hash_secret: secret }: ConfigOf<typeof fields>): Stage {
  const paths = names.map((name, index) => compileField(['fields', index], name, FIELD))
  const patterns = texts.map((text, index) => compileField(['patterns', index], text, PATTERN))
  const hide = (text: string | Uint8Array) => {
    return secret === undefined ? mask : createHmac('sha256', secret).update(text).digest('hex').slice(0, HASH_LENGTH)
  }
  const within = (value: Uint8Array) => redactText(value, patterns, hide)
  return {
    take(event, out) {
      const { record } = event
      if (paths.length === 0) record.visit((value, replace) => apply(within(value), replace))
      for (const path of paths) {
        const value = record.get(path)
        if (value === undefined) continue
        const replace = (packed: Uint8Array) => record.set(path, packed)
        if (patterns.length > 0) apply(within(value), replace)
        else replace(packText(hide(stringBytes(value) ?? value)))
      }
      out.pass(event)
    },
  }
}

function apply(packed: Uint8Array | undefined, replace: (packed: Uint8Array) => void): void {
  if (packed !== undefined) replace(packed)
}

/** The packed text without what matches; undefined where nothing does. One too long to be searched is hidden whole. */
function redactText(value: Uint8Array, patterns: readonly Pattern[], hide: (text: string | Uint8Array) => string) {
  if (value.byteLength > TEXT_BYTES_MAX) return packText(hide(value))
  const text = textOf(value)
  if (text === undefined || !patterns.some((pattern) => pattern.test(text))) return undefined
  return packText(patterns.reduce((left, pattern) => pattern.replaceAll(left, hide), text))
}
