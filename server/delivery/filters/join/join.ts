/** `join`: events that were one before they were cut become one again. */
import type { ConfigOf, Fields } from '../../../core/fields.ts'
import { compileField } from '../compile-field.ts'
import { FIELD } from '../field-path.ts'
import { type Filter, FilterFieldError } from '../filter.ts'
import { PATTERN } from '../pattern.ts'
import { DockerJoin } from './docker-join.ts'
import { createMultilineJoin } from './multiline-join.ts'

const fields = {
  type: {
    kind: 'enum',
    of: ['docker', 'multiline'],
    default: 'multiline',
    doc: "`docker`: the 16 KiB pieces of Docker's long lines, by bytes; `multiline`: lines up to the next `start`.",
  },
  start: {
    kind: 'string',
    optional: true,
    doc: 'Pattern (RE2) of a line that begins an event; needed with `multiline`. Its first 4 KiB are looked at.',
    example: '"^\\d{4}-"',
  },
  field: { kind: 'string', default: 'log', doc: 'The field with the line, with `multiline`.' },
  key: {
    kind: 'strings',
    default: ['container_id', 'source'],
    doc: 'Fields whose values tell one stream of lines from another, beside the tag; with `multiline`.',
  },
  separator: { kind: 'string', default: '\n', doc: 'What stands between joined lines, with `multiline`.' },
  timeout: {
    kind: 'duration',
    default: '5s',
    min: '100ms',
    max: '10m',
    doc: 'Time after the newest part, after which what is there is handed on without waiting for more.',
  },
  max_size: {
    kind: 'size',
    default: '16MiB',
    min: '1KiB',
    max: '128MiB',
    doc: 'Bytes of a joined line; a longer one is handed on in parts.',
  },
  waiting_size: {
    kind: 'size',
    default: '64MiB',
    min: '64KiB',
    max: '1GiB',
    doc: 'Memory for what waits, of each output; when it is full the oldest is handed on as it is.',
  },
} as const satisfies Fields

export const filter: Filter<typeof fields> = {
  name: 'join',
  summary: 'Join the pieces of a line that Docker cut, or the lines of one message.',
  fields,
  example: '- { match: docker.**, join: docker }\n- { match: app.**, join: { start: "^\\\\d{4}-" } }',
  compile(config, context) {
    const { timeout: timeoutMs, max_size: maxSize, waiting_size: waitingSize } = config
    const limits = { timeoutMs, maxSize, waitingSize }
    if (config.type === 'docker') return new DockerJoin(limits, context)
    return createMultilineJoin({ ...limits, ...multilineFields(config) }, context)
  },
}

function multilineFields({ start, field, key, separator }: ConfigOf<typeof fields>) {
  if (start === undefined) throw new FilterFieldError(['start'], 'given with `multiline`', 'start: "^\\d{4}-"')
  return {
    start: compileField(['start'], start, PATTERN),
    field: compileField(['field'], field, FIELD),
    key: key.map((name, index) => compileField(['key', index], name, FIELD)),
    separator,
  }
}
