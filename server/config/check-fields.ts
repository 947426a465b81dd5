/** Checks a written map against its declared fields and says each fault as the operator must read it. */
import type { z } from 'zod'
import { LogboomError } from '../core/errors.ts'
import type { Field, Fields } from '../core/fields.ts'
import { alternatives, describeFound, exampleOf, expectation, rangeInWords } from './describe-field.ts'
import { schemaOf } from './field-schema.ts'
import { nearest } from './nearest.ts'
import { keyName, prepareMap, type RawContext } from './raw-values.ts'
import { holdsSecret } from './secrecy.ts'
import { COMPONENT_SECTIONS } from './sections.ts'
import type { KeyPath } from './source.ts'
import { UNRESOLVED } from './variables.ts'

type Checked = Readonly<Record<string, unknown>>
type Issue = z.core.$ZodIssue

/** `ConfigOf` the fields; undefined when there are problems, which are then in `context.problems`. */
export function checkFields(fields: Fields, raw: unknown, path: KeyPath, context: RawContext): Checked | undefined {
  if (raw === UNRESOLVED) return undefined
  const before = context.problems.length
  const prepared = prepareMap(fields, raw, path, context)
  const result = schemaOf(fields).safeParse(prepared)
  const check: Check = { fields, prepared, path, context }
  for (const issue of result.error?.issues ?? []) context.problems.push(...explainIssue(issue, check))
  return result.success && context.problems.length === before ? result.data : undefined
}

/** A key that is missing because it is misspelt is reported once. */
export function withoutMisspelt(faults: readonly LogboomError[]): LogboomError[] {
  const meant = new Set(faults.map(({ details }) => details.meant))
  return faults.filter(({ code, details }) => code !== 'LB-C003' || !meant.has(details.key))
}

interface Check {
  readonly fields: Fields
  readonly prepared: unknown
  readonly path: KeyPath
  readonly context: RawContext
}

function explainIssue(issue: Issue, check: Check): LogboomError[] {
  const within = issue.path as KeyPath
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey([...within, key], check))
  const value = valueAt(check.prepared, within)
  if (value === UNRESOLVED || (Array.isArray(value) && value.includes(UNRESOLVED))) return []
  return [wrongValue(issue, value, check)]
}

function unknownKey(within: KeyPath, { fields, path, context }: Check): LogboomError {
  const name = String(within.at(-1))
  const isTop = path.length === 0 && within.length === 1
  const known = [...Object.keys(fieldsAt(fields, within.slice(0, -1)) ?? {}), ...(isTop ? COMPONENT_SECTIONS : [])]
  const meant = nearest(name, known)
  const place = context.source.place([...path, ...within], 'key')
  const details = {
    key: keyName([...path, ...within]),
    nearest: alternatives(meant === undefined ? known : [meant]),
    meant: keyName([...path, ...within.slice(0, -1), meant ?? name]),
  }
  return new LogboomError('LB-C001', details, { place })
}

function wrongValue(issue: Issue, value: unknown, { fields, path, context }: Check): LogboomError {
  const within = issue.path as KeyPath
  const full = [...path, ...within]
  const place = context.source.place(full)
  const field = fieldAt(fields, within)
  const key = keyName(full) || 'the configuration'
  if (field === undefined) {
    const details = { key, expected: 'a map', found: describeFound(value), example: '{ key: value }' }
    return new LogboomError('LB-C002', details, { place })
  }
  if (value === undefined) return new LogboomError('LB-C003', { key, doc: helpOf(field, key) }, { place })
  const found = holdsSecret(context.source.written(full)) ? 'what the variable holds' : describeFound(value, field)
  if (isRangeIssue(issue, field)) {
    const details = { key, expected: rangeInWords(field), found, doc: field.doc }
    return new LogboomError('LB-C008', details, { place })
  }
  const quoted = typeof value !== 'string' && typeof value !== 'object' && field.kind === 'string'
  const example = quoted ? `"${value}"` : exampleOf(field)
  const details = { key, expected: expectation(field), found, example }
  return new LogboomError('LB-C002', details, { place })
}

function isRangeIssue(issue: Issue, field: Field): boolean {
  if (issue.code === 'custom') return true
  return field.kind === 'integer' && (issue.code === 'too_small' || issue.code === 'too_big')
}

function helpOf(field: Field, key: string): string {
  return field.kind === 'secret' ? `${field.doc} It may also be read from a file: \`${key}_file\`.` : field.doc
}

/** A value of a field of kind `map`: a number or boolean is taken too. */
const MAP_VALUE: Field = { kind: 'string', doc: 'A value.' }

function fieldAt(fields: Fields, within: KeyPath): Field | undefined {
  // A list's elements are the list's own matter, so the index at the end of `strings[0]` is left off.
  const steps = within.filter((step) => typeof step === 'string')
  const last = steps.at(-1)
  if (last === undefined || (typeof within.at(-1) === 'number' && isMapList(fields, steps))) return undefined
  if (steps.length > 1 && fieldAt(fields, steps.slice(0, -1))?.kind === 'map') return MAP_VALUE
  const map = fieldsAt(fields, steps.slice(0, -1)) ?? {}
  if (Object.hasOwn(map, last)) return map[last]
  const secret = last.replace(/_file$/, '')
  return Object.hasOwn(map, secret) ? { kind: 'string', doc: 'File.', example: `/run/secrets/${secret}` } : undefined
}

function isMapList(fields: Fields, steps: readonly string[]): boolean {
  return fieldAt(fields, steps)?.kind === 'groups'
}

/** The fields of the map at a path; indexes into lists are passed over. */
function fieldsAt(fields: Fields, within: KeyPath): Fields | undefined {
  let map: Fields | undefined = fields
  for (const step of within) {
    if (typeof step === 'number') continue
    const field: Field | undefined = map && Object.hasOwn(map, step) ? map[step] : undefined
    map = field !== undefined && 'fields' in field ? field.fields : undefined
  }
  return map
}

function valueAt(value: unknown, within: KeyPath): unknown {
  return within.reduce<unknown>((inside, step) => {
    if (typeof inside !== 'object' || inside === null || !Object.hasOwn(inside, step)) return undefined
    return (inside as Record<string | number, unknown>)[step]
  }, value)
}
