/** The inputs and outputs of the file: finds each one's type, loads its module, checks its fields. */
import type { Output } from '../../outputs/output.ts'
import type { Protocol } from '../../protocols/protocol.ts'
import { LogboomError } from '../core/errors.ts'
import type { ConfigOf, Described, Fields } from '../core/fields.ts'
import { parseMatch } from '../delivery/match.ts'
import { checkFields } from './check-fields.ts'
import type { FilterConfig, InputConfig, OutputConfig } from './config.ts'
import { alternatives, describeFound, exampleOf } from './describe-field.ts'
import { asText, isMap, keyName, type RawContext } from './raw-values.ts'
import { type NamingOutput, withSecondaries } from './secondaries.ts'
import { INPUT_FIELDS, NAME_PATTERN, OUTPUT_FIELDS } from './sections.ts'
import type { KeyPath } from './source.ts'
import { UNRESOLVED } from './variables.ts'

/** Types by name, each with the URL of the module that exports it as `protocol` or `output`. */
export type ModuleTable = Readonly<Record<string, string>>

export async function loadProtocol(url: string): Promise<Protocol<Fields>> {
  const module = (await import(url)) as { readonly protocol: Protocol<Fields> }
  return module.protocol
}

export async function loadOutput(url: string): Promise<Output<Fields>> {
  const module = (await import(url)) as { readonly output: Output<Fields> }
  return module.output
}

/** Problems are added to the context; what has any is left out of the answer. */
export async function checkInputs(raw: unknown, table: ModuleTable, context: RawContext): Promise<InputConfig[]> {
  const inputs: InputConfig[] = []
  for (const named of nameComponents(raw, { section: 'inputs', kind: 'input', table, mayBeEmpty: true }, context)) {
    const protocol = await loadProtocol(named.url)
    const checked = checkComponent(named, INPUT_FIELDS, protocol, context)
    if (checked === undefined) continue
    inputs.push({ name: named.name, type: named.type, protocol, options: without(INPUT_FIELDS, checked) })
  }
  return inputs
}

interface OutputSurroundings {
  /** Whether others deliver what is taken: then a file needs no output. */
  readonly isShared: boolean
  readonly table: ModuleTable
  readonly filters: readonly FilterConfig[]
}

/** As `checkInputs`. */
export async function checkOutputs(
  raw: unknown,
  { table, filters: all, isShared }: OutputSurroundings,
  context: RawContext,
): Promise<OutputConfig[]> {
  const filters = all.map(({ filter, ...order }) => order)
  const outputs: NamingOutput[] = []
  const section = { section: 'outputs', kind: 'output', table, mayBeEmpty: isShared } as const
  for (const named of nameComponents(raw, section, context)) {
    const output = await loadOutput(named.url)
    const checked = checkComponent(named, OUTPUT_FIELDS, output, context)
    if (checked === undefined) continue
    const { name, type, url } = named
    const { match, batch, dead_letters, on_lag, lag_limit, park_limit, ...retry } = checked as ConfigOf<
      typeof OUTPUT_FIELDS
    >
    const { secondary, secondary_after: afterMs } = retry
    checkMatch(match, [...named.path, 'match'], context)
    outputs.push({
      ...{ name, type, output, module: url, match, filters },
      batch: { sizeBytes: batch.size, events: batch.events, ageMs: batch.age },
      retry: { limit: retry.retry_limit, maxIntervalMs: retry.retry_max_interval },
      names: secondary === undefined ? undefined : { name: secondary, afterMs },
      hasMatch: isMap(named.raw) && named.raw.match !== undefined,
      deadLettersMaxBytes: dead_letters.max_size,
      onLag: on_lag,
      lagLimit: { bytes: lag_limit.size, ageMs: lag_limit.age },
      parkLimitBytes: park_limit,
      options: without(OUTPUT_FIELDS, checked),
    })
  }
  return withSecondaries(outputs, raw, context)
}

/** Reports a match that is none. */
export function checkMatch(match: string, path: KeyPath, { source, problems }: RawContext): void {
  try {
    parseMatch(match)
  } catch (error) {
    const expected = `a pattern of tags (${error instanceof Error ? error.message : error})`
    const details = {
      key: keyName(path),
      expected,
      found: describeFound(match),
      example: exampleOf(OUTPUT_FIELDS.match),
    }
    problems.push(new LogboomError('LB-C002', details, { place: source.place(path) }))
  }
}

function checkComponent({ raw, path }: Named, common: Fields, described: Described<Fields>, context: RawContext) {
  const checked = checkFields({ ...common, ...described.fields }, raw, path, context)
  if (checked === undefined) return undefined
  const faults = described.check?.(without(common, checked) as never) ?? []
  for (const { key, code, details } of faults) {
    const full = [...path, ...key]
    const place = context.source.place(full)
    context.problems.push(new LogboomError(code, { ...details, key: keyName(full) }, { place }))
  }
  return faults.length === 0 ? checked : undefined
}

function without(fields: Fields, checked: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(checked).filter(([name]) => !Object.hasOwn(fields, name)))
}

interface Section {
  readonly section: 'inputs' | 'outputs'
  readonly kind: 'input' | 'output'
  readonly table: ModuleTable
  readonly mayBeEmpty: boolean
}

interface Named {
  readonly name: string
  readonly type: string
  readonly url: string
  readonly raw: unknown
  readonly path: KeyPath
}

/**
 * A file without one of the sections is a mistake; an empty map of inputs is not: it delivers what is buffered. Nor is
 * one of outputs where the buffer is shared: it only takes in.
 */
const SECTION_DOC = {
  inputs: 'Where events come from, for instance `inputs: { forward: { listen: 0.0.0.0:24224 } }`.',
  outputs: 'Where events go, for instance `outputs: { local: {} }`.',
} as const

function nameComponents(raw: unknown, section: Section, context: RawContext): Named[] {
  const path = [section.section]
  const isEmpty = isMap(raw) && Object.keys(raw).length === 0
  if (raw === undefined || raw === null || (isEmpty && !section.mayBeEmpty)) {
    const details = { key: section.section, doc: SECTION_DOC[section.section] }
    context.problems.push(new LogboomError('LB-C003', details, { place: context.source.place(path) }))
    return []
  }
  if (!isMap(raw)) {
    reportWrong(path, { expected: `a map of ${section.section}`, found: raw, example: '{ name: { … } }' }, context)
    return []
  }
  return Object.entries(raw).flatMap(([name, value]) => nameComponent(name, value, { section, context }) ?? [])
}

interface NameContext {
  readonly section: Section
  readonly context: RawContext
}

function nameComponent(name: string, raw: unknown, { section, context }: NameContext): Named | undefined {
  const path = [section.section, name]
  const place = context.source.place(path, 'key')
  if (!NAME_PATTERN.test(name)) {
    const details = { key: keyName(path), found: describeFound(name), example: exampleName(name, section.kind) }
    const expected = 'named with at most 63 of `a` to `z`, `0` to `9`, `_` and `-`'
    context.problems.push(new LogboomError('LB-C002', { ...details, expected }, { place }))
    return undefined
  }
  const value = raw ?? {}
  if (value === UNRESOLVED) return undefined
  if (!isMap(value)) {
    reportWrong(path, { expected: 'a map', found: value, example: '{ type: … }' }, context)
    return undefined
  }
  const type = asText(value.type ?? name)
  if (type === UNRESOLVED) return undefined
  const { kind, table } = section
  if (typeof type === 'string' && Object.hasOwn(table, type)) return { name, type, url: table[type]!, raw: value, path }
  const typePlace = value.type === undefined ? place : context.source.place([...path, 'type'])
  const details = { kind, name, type: String(type).slice(0, 60), known: alternatives(Object.keys(table)) }
  context.problems.push(new LogboomError('LB-C007', details, { place: typePlace }))
  return undefined
}

function exampleName(name: string, kind: string): string {
  const plain = name.toLowerCase().replace(/[^a-z0-9_-]+/g, '-')
  return NAME_PATTERN.test(plain) ? plain : `${kind}-1`
}

interface Wrong {
  readonly expected: string
  readonly found: unknown
  readonly example: string
}

function reportWrong(path: KeyPath, { expected, found, example }: Wrong, { source, problems }: RawContext): void {
  if (found === UNRESOLVED) return
  const details = { key: keyName(path), expected, found: describeFound(asText(found)), example }
  problems.push(new LogboomError('LB-C002', details, { place: source.place(path) }))
}
