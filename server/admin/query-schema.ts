/** What the API's query strings may hold, as JSON Schema: it checks them and it documents them. */
import type { SearchHit, SearchPage, SearchQuery } from '../core/search.ts'

export const QUERY_CHARACTERS_MAX = 1_024
export const CURSOR_CHARACTERS_MAX = 256
export const EVENTS_MAX = 1_000
export const BUCKETS_MAX = 500

const q = {
  type: 'string',
  maxLength: QUERY_CHARACTERS_MAX,
  default: '',
  description: 'Words that must all occur, "a phrase", -not, field:value, tag:docker.*. Empty: every event.',
} as const
const from = { type: 'integer', minimum: 0, description: 'Event time, ms since 1970, included.' } as const
const to = { type: 'integer', minimum: 0, description: 'Event time, ms since 1970, excluded.' } as const
const cursor = { type: 'string', minLength: 1, maxLength: CURSOR_CHARACTERS_MAX } as const

export const fieldsQuery = { type: 'object', additionalProperties: false, properties: { q, from, to } } as const
export const tailQuery = { type: 'object', additionalProperties: false, properties: { q } } as const
export const histogramQuery = {
  ...fieldsQuery,
  properties: { q, from, to, buckets: { type: 'integer', minimum: 1, maximum: BUCKETS_MAX, default: 60 } },
} as const
export const eventsQuery = {
  ...fieldsQuery,
  properties: {
    q,
    from,
    to,
    limit: { type: 'integer', minimum: 1, maximum: EVENTS_MAX, default: 100 },
    before: { ...cursor, description: "`next` of the page before, or a hit's cursor: what is older, newest first." },
    after: {
      ...cursor,
      description: "`next` or `newest` of a page, or a hit's cursor: what came later, oldest first.",
    },
  },
  not: { required: ['before', 'after'] },
} as const

export interface RangeParameters {
  readonly q: string
  readonly from?: number
  readonly to?: number
}
export interface EventsParameters extends RangeParameters {
  readonly limit: number
  readonly before?: string
  readonly after?: string
}

/** The parameters of a request as the store is asked. */
export function searchQueryOf(parameters: Partial<EventsParameters> & { readonly q: string }): SearchQuery {
  const { q: text, from: fromMs, to: toMs, limit = EVENTS_MAX, before, after } = parameters
  return {
    text,
    limit,
    ...(fromMs !== undefined && { fromMs }),
    ...(toMs !== undefined && { toMs }),
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  }
}

/** JSON text of a page. */
export function pageJson({ hits, newest, next, partial }: SearchPage): string {
  return `{"hits":[${hits.map(hitJson).join(',')}],${JSON.stringify({ newest, next, partial }).slice(1)}`
}

/** JSON text of a hit. The document goes in as it is: parsing it would round its int64 values. */
export function hitJson(hit: SearchHit): string {
  const { cursor, id, timeMs, tag, json } = hit
  const head = JSON.stringify({ cursor, id, time: timeMs, tag })
  return `${head.slice(0, -1)},"event":${json}}`
}

export const HIT_SCHEMA = {
  type: 'object',
  required: ['cursor', 'id', 'time', 'tag', 'event'],
  properties: {
    cursor: { type: 'string' },
    id: { type: 'string' },
    time: { type: 'number', description: 'ms since 1970; the exact time is `event["@timestamp"]`.' },
    tag: { type: 'string' },
    event: { type: 'object', additionalProperties: true, description: 'The record with @timestamp, tag and sequence.' },
  },
} as const
