/** `rewrite_tag`: the tag that later filters and the output see. An output's `match` is of the tag as it came. */
import type { Fields } from '../../core/fields.ts'
import { compileField } from './compile-field.ts'
import { FIELD } from './field-path.ts'
import { type Filter, FilterFault, FilterFieldError } from './filter.ts'
import type { FilterEvent } from './filter-event.ts'
import { textOf } from './packed-value.ts'
import { PATTERN } from './pattern.ts'
import { MATCH_TEMPLATE, TEMPLATE } from './template.ts'

/** Bytes of a tag, as the inputs have it. */
const TAG_BYTES_MAX = 1_024
/** Tags that are kept as one string each, since outputs compare them. */
const TAGS_MAX = 10_000

const rule = {
  key: { kind: 'string', optional: true, doc: 'The field that `pattern` is looked for in.', example: 'level' },
  pattern: {
    kind: 'string',
    optional: true,
    doc: 'Pattern (RE2); left out, the rule always holds.',
    example: '"^err"',
  },
  invert: { kind: 'boolean', default: false, doc: 'The rule holds where the pattern does not match.' },
  tag: {
    kind: 'string',
    doc: 'The new tag; it may hold `{tag}`, `{tag[1..]}`, `{record.key}` and, of the pattern, `{match[1]}`.',
    example: '"app.{record.level}"',
  },
} as const satisfies Fields

const fields = {
  rules: { kind: 'groups', doc: 'The first that holds gives the tag; where none does it stays.', fields: rule },
} as const satisfies Fields

type RuleConfig = Parameters<(typeof filter)['compile']>[0]['rules'][number]

export const filter: Filter<typeof fields> = {
  name: 'rewrite_tag',
  summary: 'Give events another tag for the filters after it and for the outputs.',
  fields,
  example:
    '- { match: docker.**, rewrite_tag: { rules: [{ key: log, pattern: "^(\\\\w+):", tag: "app.{match[1]}" }] } }',
  compile({ rules }) {
    const compiled = rules.map(compileRule)
    const tags = new Map<string, string>()
    return {
      take(event, out) {
        for (const tagOf of compiled) {
          const tag = tagOf(event)
          if (tag === undefined) continue
          event.tag = sameString(tags, checkTag(tag))
          break
        }
        out.pass(event)
      },
    }
  },
}

/** Undefined: the rule does not hold for the event. */
function compileRule(
  { key, pattern, invert, tag }: RuleConfig,
  index: number,
): (event: FilterEvent) => string | undefined {
  const at = (name: string) => ['rules', index, name]
  const hasMatch = pattern !== undefined && !invert
  const template = compileField(at('tag'), tag, hasMatch ? MATCH_TEMPLATE : TEMPLATE)
  if (key === undefined && pattern === undefined) return (event) => template.text(event)
  if (key === undefined) throw new FilterFieldError(at('key'), 'given, since `pattern` is', 'log')
  if (pattern === undefined) throw new FilterFieldError(at('pattern'), 'given, since `key` is', '"^ERROR"')
  const path = compileField(at('key'), key, FIELD)
  const regexp = compileField(at('pattern'), pattern, PATTERN)
  return (event) => {
    const match = regexp.exec(textOf(event.record.get(path)) ?? '')
    return (match !== undefined) === invert ? undefined : template.text(event, match)
  }
}

function checkTag(tag: string): string {
  const bytes = Buffer.byteLength(tag)
  if (bytes === 0 || bytes > TAG_BYTES_MAX) {
    throw new FilterFault('bad_tag', bytes === 0 ? 'the tag is empty' : `the tag has more than ${TAG_BYTES_MAX} bytes`)
  }
  return tag
}

function sameString(tags: Map<string, string>, tag: string): string {
  const known = tags.get(tag)
  if (known !== undefined) return known
  if (tags.size >= TAGS_MAX) tags.clear()
  tags.set(tag, tag)
  return tag
}
