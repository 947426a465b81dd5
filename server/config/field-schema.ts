/**
 * Turns declared fields into zod schemas: strict maps that check, fill in defaults and convert to base units.
 * What a fault is called is not said here.
 */
import { z } from 'zod'
import type { Field, Fields } from '../core/fields.ts'
import {
  ADDRESS_OR_UNIX_PATTERN,
  ADDRESS_PATTERN,
  DURATION_PATTERN,
  parseAddress,
  parseDuration,
  parseSize,
  SIZE_PATTERN,
} from './units.ts'

/** A strict map of the fields. Parsed, it is `ConfigOf` them; its input side is what an operator writes. */
export function schemaOf(fields: Fields): z.ZodObject {
  const shape: Record<string, z.ZodType> = {}
  for (const [name, field] of Object.entries(fields)) {
    shape[name] = fieldSchema(field).describe(field.doc)
    if (field.kind !== 'secret') continue
    shape[`${name}_file`] = z.string().optional().describe(`File to read \`${name}\` from.`)
  }
  return z.strictObject(shape)
}

function fieldSchema(field: Field): z.ZodType {
  const schema = valueSchema(field)
  if (field.optional === true) return schema.optional()
  if ('default' in field && field.default !== undefined) return schema.prefault(field.default)
  if (field.kind === 'group' && Object.values(field.fields).every(mayBeLeftOut)) return schema.prefault({})
  return schema
}

/** A map whose fields all may be left out may be left out itself, and `name:` with nothing after it means the same. */
export function mayBeLeftOut(field: Field): boolean {
  if (field.optional === true || ('default' in field && field.default !== undefined)) return true
  return field.kind === 'group' && Object.values(field.fields).every(mayBeLeftOut)
}

function valueSchema(field: Field): z.ZodType {
  switch (field.kind) {
    case 'string':
      return field.pattern === undefined ? z.string() : z.string().regex(new RegExp(field.pattern, 'u'))
    case 'secret':
      return field.mayBeEmpty === true ? z.string() : z.string().min(1)
    case 'path':
      return z.string().min(1)
    case 'integer':
      return integerSchema(field.min, field.max)
    case 'boolean':
      return z.boolean()
    case 'enum':
      return z.enum(field.of as [string, ...string[]])
    case 'duration':
      return inRange(z.string().regex(DURATION_PATTERN).transform(parseDuration), boundsOf(field))
    case 'size':
      return inRange(z.union([z.string().regex(SIZE_PATTERN), z.int().min(0)]).transform(parseSize), boundsOf(field))
    case 'address':
      return addressSchema(field.unix === true ? ADDRESS_OR_UNIX_PATTERN : ADDRESS_PATTERN)
    case 'strings':
      return z
        .union([z.string(), z.array(z.string())])
        .transform((value) => (typeof value === 'string' ? [value] : value))
    case 'group':
      return schemaOf(field.fields)
    case 'groups':
      return z.array(schemaOf(field.fields))
  }
}

function addressSchema(pattern: RegExp): z.ZodType {
  return z
    .string()
    .regex(pattern)
    .transform((text, context) => {
      const address = parseAddress(text)
      if (address !== undefined) return address
      context.addIssue({ code: 'custom', input: text })
      return z.NEVER
    })
}

function integerSchema(min: number | undefined, max: number | undefined): z.ZodType {
  let schema = z.int()
  if (min !== undefined) schema = schema.min(min)
  if (max !== undefined) schema = schema.max(max)
  return schema
}

export interface Bounds {
  readonly min: number
  readonly max: number
}

/** Without a bound of its own; as numbers both are exact. */
const MAX = { duration: '36500d', size: '8191TiB' } as const

/** The bounds of a duration (ms) or a size (bytes). */
export function boundsOf(field: Extract<Field, { kind: 'duration' | 'size' }>): Bounds {
  const parse = field.kind === 'duration' ? parseDuration : parseSize
  return {
    min: field.min === undefined ? 0 : parse(field.min),
    max: parse(field.max ?? MAX[field.kind]),
  }
}

function inRange(schema: z.ZodType<number>, { min, max }: Bounds): z.ZodType {
  return schema.refine((value) => value >= min && value <= max)
}
