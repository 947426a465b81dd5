/** `throttle`: no more than so many events of one kind in a period; the rest is dropped and counted. */
import type { Fields } from '../../core/fields.ts'
import { compileField } from './compile-field.ts'
import { FIELD } from './field-path.ts'
import type { Filter } from './filter.ts'
import type { FilterEvent } from './filter-event.ts'
import { textOf } from './packed-value.ts'
import { streamKey } from './stream-key.ts'

/** Kinds that are counted at a time; beyond it the one that was begun first is forgotten and begins anew. */
const KEYS_MAX = 10_000

const fields = {
  key: {
    kind: 'strings',
    default: [],
    doc: 'Fields whose values tell one kind of event from another; without any, each tag is one.',
    example: '[container_id]',
  },
  events: { kind: 'integer', min: 1, max: 1_000_000_000, doc: 'Events of one kind that pass in a period.' },
  period: { kind: 'duration', default: '1m', min: '100ms', max: '1d', doc: 'By the time the events were received.' },
} as const satisfies Fields

/** A period of one kind of event. */
interface Period {
  number: number
  events: number
}

export const filter: Filter<typeof fields> = {
  name: 'throttle',
  summary: 'Drop events of a kind beyond so many in a period; they are counted as dropped.',
  fields,
  example: '- { match: docker.**, throttle: { key: [container_id], events: 6000, period: 1m } }',
  compile({ key, events, period }) {
    const paths = key.map((name, index) => compileField(['key', index], name, FIELD))
    const periods = new Map<string, Period>()
    const kindOf = (event: FilterEvent) => {
      return paths.length === 0 ? event.tag : streamKey(paths.map((path) => textOf(event.record.get(path)) ?? ''))
    }
    return {
      take(event, out) {
        const kind = kindOf(event)
        const number = Math.floor(event.receivedMs / period)
        let current = periods.get(kind)
        if (current === undefined) {
          if (periods.size >= KEYS_MAX) periods.delete(periods.keys().next().value!)
          periods.set(kind, (current = { number, events: 0 }))
        }
        if (current.number !== number) {
          current.number = number
          current.events = 0
        }
        current.events++
        if (current.events <= events) out.pass(event)
        else out.drop(event)
      },
    }
  },
}
