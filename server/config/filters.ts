/** The filters of the file: each a match and one action, whose fields are checked and, for a try, compiled. */
import { LogboomError } from '../core/errors.ts'
import type { Field, Fields } from '../core/fields.ts'
import { type Filter, FilterFieldError } from '../delivery/filters/filter.ts'
import { FILTERS } from '../delivery/filters/registry.ts'
import { checkFields } from './check-fields.ts'
import { checkMatch } from './components.ts'
import type { FilterConfig } from './config.ts'
import { alternatives, describeFound } from './describe-field.ts'
import { asText, isMap, keyName, type RawContext } from './raw-values.ts'
import { FILTER_FIELDS } from './sections.ts'
import type { KeyPath } from './source.ts'
import { UNRESOLVED } from './variables.ts'

/** Every filter, by its action, in the order of the table. */
export async function loadFilters(): Promise<ReadonlyMap<string, Filter<Fields>>> {
  const loaded = new Map<string, Filter<Fields>>()
  for (const [type, url] of Object.entries(FILTERS)) {
    loaded.set(type, ((await import(url)) as { readonly filter: Filter<Fields> }).filter)
  }
  return loaded
}

/** The action as a field: a map of its own fields; `join: docker` is short for `join: { type: docker }`. */
export function actionField({ summary, fields }: Filter<Fields>): Field {
  const shorthand = Object.hasOwn(fields, 'type') ? { shorthand: 'type' } : {}
  return { kind: 'group', optional: true, doc: summary, fields, ...shorthand }
}

/** Problems are added to the context; what has any is left out of the answer. */
export async function checkFilters(raw: unknown, context: RawContext): Promise<FilterConfig[]> {
  if (raw === undefined || raw === null || raw === UNRESOLVED) return []
  if (!Array.isArray(raw)) {
    reportWrong(['filters'], { expected: 'a list of filters', found: raw, example: EXAMPLE }, context)
    return []
  }
  const filters = await loadFilters()
  return raw.flatMap((item: unknown, index) => checkFilter(item, { path: ['filters', index], filters, context }) ?? [])
}

const EXAMPLE = '[{ match: "docker.**", join: docker }]'

interface FilterCheck {
  readonly path: KeyPath
  readonly filters: ReadonlyMap<string, Filter<Fields>>
  readonly context: RawContext
}

function checkFilter(raw: unknown, { path, filters, context }: FilterCheck): FilterConfig | undefined {
  if (raw === UNRESOLVED) return undefined
  const actions = isMap(raw) ? Object.keys(raw).filter((key) => filters.has(key)) : []
  const fields = { ...FILTER_FIELDS, ...Object.fromEntries([...filters].map(([type, it]) => [type, actionField(it)])) }
  const before = context.problems.length
  const checked = checkFields(fields, raw, path, context)
  if (!isMap(raw) || context.problems.length > before) return undefined
  const [type, other] = actions
  if (type === undefined) {
    const expected = `a filter with ${alternatives([...filters.keys()])}`
    reportWrong(path, { expected, found: raw, example: '{ match: "docker.**", join: docker }' }, context)
    return undefined
  }
  if (other !== undefined) {
    const details = { key: keyName([...path, type]), other: keyName([...path, other]) }
    context.problems.push(
      new LogboomError('LB-C012', details, { place: context.source.place([...path, other], 'key') }),
    )
    return undefined
  }
  const match = String(checked!.match)
  checkMatch(match, [...path, 'match'], context)
  const options = checked![type] as object
  const filter = filters.get(type)!
  checkOptions(filter, options, [...path, type], context)
  return { type, module: FILTERS[type]!, filter, match, options }
}

/** Compiles the filter and throws it away. */
function checkOptions(filter: Filter<Fields>, options: object, path: KeyPath, context: RawContext): void {
  try {
    filter.compile(options as never, { monotonic: () => 0, count: () => {} })
  } catch (error) {
    if (!(error instanceof FilterFieldError)) throw error
    const at = [...path, ...error.within]
    const details = { expected: error.message, found: valueAt(options, error.within), example: error.example }
    reportWrong(at, details, context)
  }
}

function valueAt(value: unknown, within: readonly (string | number)[]): unknown {
  return within.reduce<unknown>(
    (inside, step) => (inside as Record<string | number, unknown> | undefined)?.[step],
    value,
  )
}

interface Wrong {
  readonly expected: string
  readonly found: unknown
  readonly example: string
}

function reportWrong(path: KeyPath, { expected, found, example }: Wrong, { source, problems }: RawContext): void {
  const details = { key: keyName(path), expected, found: describeFound(asText(found)), example }
  problems.push(new LogboomError('LB-C002', details, { place: source.place(path) }))
}
