/** `record`: keys of the record added, taken away, renamed; what is not named keeps its bytes. */
import type { Fields } from '../../core/fields.ts'
import { compileField } from './compile-field.ts'
import { FIELD, fieldName } from './field-path.ts'
import { type Filter, FilterFieldError } from './filter.ts'
import { parseValue, TEMPLATE } from './template.ts'

const fields = {
  keep: { kind: 'strings', default: [], doc: 'Of the keys that came only these are kept.', example: '[log, level]' },
  remove: { kind: 'strings', default: [], doc: 'Keys that are taken away; `$.a.b` is one within maps.' },
  rename: { kind: 'map', default: {}, doc: 'Keys that get a new name, old to new.', example: '{ log: message }' },
  add: {
    kind: 'map',
    default: {},
    doc: 'Keys that are set; a text may hold `{record.key}`, `{tag}`, `{tag[-1]}`, `{time}` of the event as it came.',
    example: '{ service: "{tag[-1]}", env: prod }',
  },
} as const satisfies Fields

export const filter: Filter<typeof fields> = {
  name: 'record',
  summary: 'Change the keys of the record, in this order: keep, remove, rename, add.',
  fields,
  example: '- { match: docker.**, record: { remove: [container_id], add: { service: "{tag[-1]}" } } }',
  compile({ keep, remove, rename, add }) {
    if (keep.length + remove.length + Object.keys(rename).length + Object.keys(add).length === 0) {
      throw new FilterFieldError([], 'a map with `keep`, `remove`, `rename` or `add`', '{ add: { env: prod } }')
    }
    const kept = keep.map(fieldName)
    const removed = remove.map((name, index) => compileField(['remove', index], name, FIELD))
    const renamed = Object.entries(rename).map(([from, to]) => [fieldName(from), fieldName(String(to))] as const)
    const added = Object.entries(add).map(([name, value]) => ({
      path: compileField(['add', name], name, FIELD),
      value: compileField(['add', name], String(value), { ...TEMPLATE, parse: () => parseValue(value) }),
    }))
    return {
      take(event, out) {
        const { record } = event
        const values = added.map(({ value }) => value.value(event))
        if (kept.length > 0) record.keep(kept)
        for (const path of removed) record.remove(path)
        for (const [from, to] of renamed) record.rename(from, to)
        for (const [index, { path }] of added.entries()) {
          const value = values[index]
          if (value !== undefined) record.set(path, value)
        }
        out.pass(event)
      },
    }
  },
}
