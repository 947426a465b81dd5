/**
 * What happens to written values before their schema sees them: variables are read by kind, secret files opened,
 * empty maps made maps.
 */
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { LogboomError } from '../core/errors.ts'
import type { Field, Fields } from '../core/fields.ts'
import { reasonOf } from './read-error.ts'
import type { KeyPath, Source } from './source.ts'
import { FromVariable } from './variables.ts'

const SECRET_BYTES_MAX = 65_536

export interface RawContext {
  readonly source: Source
  /** Relative names of secret files start here. */
  readonly directory: string
  readonly problems: LogboomError[]
}

type RawMap = Readonly<Record<string, unknown>>

export function isMap(value: unknown): value is RawMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof FromVariable)
}

export function keyName(path: KeyPath): string {
  return path.reduce<string>((name, step) => {
    if (typeof step === 'number') return `${name}[${step}]`
    return name === '' ? step : `${name}.${step}`
  }, '')
}

/** Returns the same shape with every value as its field's schema takes it; what is not declared stays as it is. */
export function prepareMap(fields: Fields, raw: unknown, path: KeyPath, context: RawContext): unknown {
  if (raw === null) return {}
  if (!isMap(raw)) return raw
  const prepared = new Map<string, unknown>()
  for (const [name, value] of Object.entries(raw)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (isLeftOut(field, value)) continue
    prepared.set(name, field === undefined ? asText(value) : prepareValue(field, value, [...path, name], context))
  }
  for (const [name, field] of Object.entries(fields)) {
    if (field.kind === 'secret') readSecret(name, prepared, path, context)
  }
  return Object.fromEntries(prepared)
}

/** `${VAR:-}` says that what may be left out is left out where the variable is. */
function isLeftOut(field: Field | undefined, value: unknown): boolean {
  const isOptionalText = field?.kind === 'string' && field.optional === true
  return isOptionalText && value instanceof FromVariable && value.text === ''
}

function prepareValue(field: Field, value: unknown, path: KeyPath, context: RawContext): unknown {
  switch (field.kind) {
    case 'integer':
      return value instanceof FromVariable && /^-?\d{1,16}$/.test(value.text) ? Number(value.text) : asText(value)
    case 'boolean':
      return value instanceof FromVariable && /^(true|false)$/.test(value.text) ? value.text === 'true' : asText(value)
    case 'secret':
      // A variable that holds nothing was forgotten: it is no key that everybody knows.
      return value instanceof FromVariable && value.text === '' ? null : asText(value)
    case 'path':
      return absolute(asText(value), context)
    case 'strings':
      return Array.isArray(value) ? value.map(asText) : asText(value)
    case 'map':
      return isMap(value)
        ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asText(item)]))
        : asText(value)
    case 'group':
      if (field.shorthand !== undefined && isScalar(value)) {
        return prepareMap(field.fields, { [field.shorthand]: value }, path, context)
      }
      return prepareMap(field.fields, value, path, context)
    case 'groups':
      if (!Array.isArray(value)) return asText(value)
      return value.map((item, index) => prepareMap(field.fields, item, [...path, index], context))
    default:
      return asText(value)
  }
}

function absolute(value: unknown, { directory }: RawContext): unknown {
  return typeof value === 'string' && value !== '' ? resolve(directory, value) : value
}

function isScalar(value: unknown): boolean {
  return value !== null && value !== undefined && !Array.isArray(value) && !isMap(value)
}

export function asText(value: unknown): unknown {
  return value instanceof FromVariable ? value.text : value
}

/** Satisfies the schema where the fault is reported already; a configuration with problems is never used. */
const MISSING_SECRET = 'missing'

/** Puts what `<name>_file` holds in the place of `<name>`. */
function readSecret(name: string, values: Map<string, unknown>, path: KeyPath, context: RawContext): void {
  const file = values.get(`${name}_file`)
  if (typeof file !== 'string') return
  values.delete(`${name}_file`)
  const key = keyName([...path, name])
  const place = context.source.place([...path, `${name}_file`])
  if (values.has(name)) {
    context.problems.push(new LogboomError('LB-C012', { key, other: `${key}_file` }, { place }))
    return
  }
  const { secret, fault } = readSecretFile(resolve(context.directory, file))
  values.set(name, secret)
  if (fault === undefined) return
  context.problems.push(new LogboomError('LB-C009', { key, reason: `${file}: ${fault}` }, { place }))
}

/** The newline at the end of the file is not part of the secret. */
function readSecretFile(file: string): { secret: string; fault?: string } {
  try {
    if (statSync(file).size > SECRET_BYTES_MAX) {
      return { secret: MISSING_SECRET, fault: `it is larger than ${SECRET_BYTES_MAX} bytes` }
    }
    const secret = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    return secret === '' ? { secret: MISSING_SECRET, fault: 'it is empty' } : { secret }
  } catch (error) {
    return { secret: MISSING_SECRET, fault: reasonOf(error) }
  }
}
