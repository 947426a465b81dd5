/** `grep`: events are kept or dropped by what their fields hold, as fluentd's filter_grep has it. */
import type { Fields } from '../../core/fields.ts'
import { compileField } from './compile-field.ts'
import { FIELD, type FieldPath } from './field-path.ts'
import { type Filter, FilterFieldError } from './filter.ts'
import type { FilterEvent } from './filter-event.ts'
import { textOf } from './packed-value.ts'
import { PATTERN, type Pattern } from './pattern.ts'

const rule = {
  key: { kind: 'string', doc: 'The field: a key, or `$.a.b` for a key within maps.', example: 'log' },
  pattern: { kind: 'string', doc: 'Pattern (RE2) that is looked for in it.', example: '"error|fatal"' },
} as const satisfies Fields

const fields = {
  regexp: { kind: 'groups', default: [], doc: 'Every one of them must match, or the event is dropped.', fields: rule },
  exclude: { kind: 'groups', default: [], doc: 'The event is dropped when one of them matches.', fields: rule },
} as const satisfies Fields

interface Rule {
  readonly path: FieldPath
  readonly pattern: Pattern
}

export const filter: Filter<typeof fields> = {
  name: 'grep',
  summary: 'Keep or drop events by patterns in their fields; what is dropped is counted.',
  fields,
  example: '- { match: docker.**, grep: { exclude: [{ key: log, pattern: "GET /health" }] } }',
  compile({ regexp, exclude }) {
    if (regexp.length + exclude.length === 0) {
      throw new FilterFieldError([], 'a map with `regexp` or `exclude`', '{ regexp: [{ key: log, pattern: error }] }')
    }
    const wanted = compileRules('regexp', regexp)
    const unwanted = compileRules('exclude', exclude)
    return {
      take(event, out) {
        const isKept = wanted.every((it) => matches(it, event)) && !unwanted.some((it) => matches(it, event))
        if (isKept) out.pass(event)
        else out.drop(event)
      },
    }
  },
}

function compileRules(list: string, rules: readonly { readonly key: string; readonly pattern: string }[]): Rule[] {
  return rules.map(({ key, pattern }, index) => ({
    path: compileField([list, index, 'key'], key, FIELD),
    pattern: compileField([list, index, 'pattern'], pattern, PATTERN),
  }))
}

/** A field that is not there is as an empty one, as in fluentd. */
function matches({ path, pattern }: Rule, { record }: FilterEvent): boolean {
  return pattern.test(textOf(record.get(path)) ?? '')
}
