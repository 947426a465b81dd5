/**
 * The JSON Schema of the whole file (draft 7, as editors read it), made of the same declarations as everything
 * else.
 */
import { z } from 'zod'
import { OUTPUTS } from '../../outputs/registry.ts'
import { PROTOCOLS } from '../../protocols/registry.ts'
import type { Described, Fields } from '../core/fields.ts'
import { loadOutput, loadProtocol, type ModuleTable } from './components.ts'
import { schemaOf } from './field-schema.ts'
import { actionField, loadFilters } from './filters.ts'
import { FILTER_FIELDS, INPUT_FIELDS, NAME_PATTERN, OUTPUT_FIELDS, SECTIONS } from './sections.ts'

type JsonSchema = Record<string, unknown>

/** The same every time: sections and fields in the order of their declaration, components in that of their tables. */
export async function configJsonSchema({ protocols = PROTOCOLS, outputs = OUTPUTS } = {}): Promise<JsonSchema> {
  const sections = fieldsSchema(SECTIONS)
  const inputs = await loadAll(protocols, loadProtocol)
  const destinations = await loadAll(outputs, loadOutput)
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'logboom.yaml',
    description: 'Configuration of Logboom.',
    ...sections,
    type: 'object',
    properties: {
      ...(sections.properties as JsonSchema),
      inputs: componentsSchema('input', inputs, 'Where events come from, by name.'),
      filters: filtersSchema(await loadFilters()),
      tests: TESTS_SCHEMA,
      outputs: componentsSchema('output', destinations, 'Where events go, by name.'),
    },
    required: ['inputs', 'outputs'],
    // Where the buffer is Kafka others may deliver.
    if: {
      properties: { buffer: { properties: { type: { const: 'kafka' } }, required: ['type'] } },
      required: ['buffer'],
    },
    else: { properties: { outputs: { minProperties: 1 } } },
    definitions: {
      variable: { type: 'string', pattern: '\\$\\{', description: 'A value from the environment.' },
      ...definitions('input', inputs, INPUT_FIELDS),
      ...definitions('output', destinations, OUTPUT_FIELDS),
    },
  }
}

async function loadAll<T>(table: ModuleTable, load: (url: string) => Promise<T>): Promise<Map<string, T>> {
  const loaded = new Map<string, T>()
  for (const [type, url] of Object.entries(table)) loaded.set(type, await load(url))
  return loaded
}

type Kind = 'input' | 'output'
type Components = ReadonlyMap<string, Described<Fields>>

function definitions(kind: Kind, components: Components, common: Fields): JsonSchema {
  const all = [...components].map(([type, { fields, summary }]) => {
    return [`${kind}_${type}`, { description: summary, ...fieldsSchema({ ...common, ...fields }) }]
  })
  return { ...Object.fromEntries(all), [`${kind}_typed`]: typedSchema(kind, components) }
}

/** A component's type is that of `type`, else that of its name. */
function componentsSchema(kind: Kind, components: Components, description: string): JsonSchema {
  const named = [...components.keys()].map((type) => [
    type,
    // biome-ignore lint/suspicious/noThenProperty: the word of JSON Schema
    { if: { type: 'object', required: ['type'] }, then: refTo(kind, 'typed'), else: refTo(kind, type) },
  ])
  return {
    description,
    type: 'object',
    propertyNames: { pattern: NAME_PATTERN.source },
    properties: Object.fromEntries(named),
    additionalProperties: refTo(kind, 'typed'),
  }
}

function typedSchema(kind: Kind, components: Components): JsonSchema {
  const types = [...components.keys()]
  const byType = types.map((type) => ({
    if: { type: 'object', properties: { type: { const: type } }, required: ['type'] },
    // biome-ignore lint/suspicious/noThenProperty: the word of JSON Schema
    then: refTo(kind, type),
  }))
  return { type: 'object', required: ['type'], properties: { type: { enum: types } }, allOf: byType }
}

function refTo(kind: Kind, type: string): JsonSchema {
  return { $ref: `#/definitions/${kind}_${type}` }
}

function fieldsSchema(fields: Fields): JsonSchema {
  const { $schema, ...schema } = z.toJSONSchema(schemaOf(fields), { target: 'draft-7', io: 'input', override })
  return schema
}

/** Each has exactly one action; text may stand for the map of one that has a shorthand. */
function filtersSchema(filters: Awaited<ReturnType<typeof loadFilters>>): JsonSchema {
  const actions = Object.fromEntries([...filters].map(([type, filter]) => [type, actionField(filter)]))
  const schema = fieldsSchema({ ...FILTER_FIELDS, ...actions })
  const properties = schema.properties as Record<string, JsonSchema>
  for (const [type, field] of Object.entries(actions)) {
    if (field.kind !== 'group' || field.shorthand === undefined) continue
    const { [field.shorthand]: short } = properties[type]!.properties as Record<string, JsonSchema>
    properties[type] = { anyOf: [properties[type]!, short!] }
  }
  const oneOf = [...filters.keys()].map((type) => ({ required: [type] }))
  return {
    description: 'What happens to events on the way out, in this order.',
    type: 'array',
    items: { ...schema, oneOf },
  }
}

const EVENT_SCHEMA = {
  type: 'object',
  required: ['record'],
  additionalProperties: false,
  properties: { tag: { type: 'string' }, record: { type: 'object' }, time: { type: 'string' } },
}
const EVENTS_SCHEMA = { anyOf: [EVENT_SCHEMA, { type: 'array', items: EVENT_SCHEMA }] }
const TESTS_SCHEMA = {
  description: 'Cases that `logboom test` runs through the filters.',
  type: 'array',
  items: {
    type: 'object',
    required: ['name', 'input'],
    additionalProperties: false,
    properties: { name: { type: 'string' }, input: EVENTS_SCHEMA, expect: EVENTS_SCHEMA, dropped: { const: true } },
  },
}

type Override = NonNullable<NonNullable<Parameters<typeof z.toJSONSchema>[1]>['override']>

const VARIABLE = { $ref: '#/definitions/variable' }

/** What the loader takes before zod sees it: an empty map without a value, a secret's file, a variable as a scalar. */
const override: Override = ({ zodSchema, jsonSchema, path }) => {
  const { type } = zodSchema._zod.def
  if (type === 'number') dropSafeBounds(jsonSchema)
  if (type === 'object') relaxMap(jsonSchema)
  if (path.at(-2) === 'anyOf' || path.at(-1) === 'items') return
  if (type === 'union' && jsonSchema.anyOf?.some(({ type }) => type === 'integer')) jsonSchema.anyOf.push(VARIABLE)
  const isNarrow = type === 'number' || type === 'boolean' || type === 'enum'
  if (!isNarrow && !(type === 'string' && jsonSchema.pattern !== undefined)) return
  const { description, default: standard, ...own } = jsonSchema
  for (const key of Object.keys(own)) delete (jsonSchema as JsonSchema)[key]
  jsonSchema.anyOf = [own, VARIABLE]
}

function relaxMap(schema: z.core.JSONSchema.BaseSchema): void {
  const names = schema.required ?? []
  const secrets = names.filter((name) => schema.properties?.[`${name}_file`] !== undefined)
  const required = names.filter((name) => !secrets.includes(name))
  if (required.length > 0) schema.required = required
  else delete schema.required
  if (secrets.length > 0) schema.allOf = secrets.map((name) => either(name, `${name}_file`))
  else if (required.length === 0) Object.assign(schema, { type: ['object', 'null'] })
}

function either(first: string, second: string): { anyOf: { required: string[] }[] } {
  return { anyOf: [{ required: [first] }, { required: [second] }] }
}

/** The bounds that zod gives to every integer say nothing. */
function dropSafeBounds(schema: { minimum?: number; maximum?: number }): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
}
