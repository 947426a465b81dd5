/** `/api/v1`: status and search, for the console and the command line. The live tail has its own file. */
import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { LogboomError } from '../core/errors.ts'
import type { EventSearch } from '../core/search.ts'
import { ERROR_SCHEMA } from './answer-error.ts'
import {
  type EventsParameters,
  eventsQuery,
  fieldsQuery,
  HIT_SCHEMA,
  histogramQuery,
  pageJson,
  type RangeParameters,
  searchQueryOf,
} from './query-schema.ts'
import type { AdminSources } from './sources.ts'

export const answers = (description: string, schema: object) => ({
  200: { description, ...schema },
  '4xx': { description: 'What is wrong, and what to do.', ...ERROR_SCHEMA },
})
const numbers = { type: 'array', items: { type: 'number' } }
const events = {
  type: 'object',
  properties: {
    hits: { type: 'array', items: HIT_SCHEMA },
    newest: { type: 'string', description: 'Where a tail begins.' },
    next: { type: 'string', description: 'The `before` or `after` of the next page; without it there is none.' },
    partial: { type: 'boolean', description: 'A limit or a damaged file cut the search short.' },
  },
}
const histogram = {
  type: 'object',
  properties: {
    fromMs: { type: 'number' },
    bucketMs: { type: 'number' },
    counts: numbers,
    partial: { type: 'boolean', description: 'The oldest were not all counted.' },
  },
}
const topValue = { type: 'object', properties: { value: { type: 'string' }, count: { type: 'number' } } }
const fields = {
  type: 'array',
  items: { type: 'object', properties: { field: { type: 'string' }, top: { type: 'array', items: topValue } } },
}
const anyObject = { type: 'object', additionalProperties: true }

/** The store to ask. Throws LB-Q002 where there is none. */
export function searchOf(sources: AdminSources): EventSearch {
  if (sources.search === undefined) throw new LogboomError('LB-Q002', {})
  return sources.search
}

export function json(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.type('application/json; charset=utf-8').header('cache-control', 'no-store').send(value)
}

/** Must be registered before the routes it describes. */
export async function describeApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Logboom', version, license: { name: 'Apache-2.0' } },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  })
}

export function serveApi(app: FastifyInstance, sources: AdminSources): void {
  app.get(
    '/api/v1/status',
    { schema: { summary: 'Inputs, buffer, outputs and the ledger.', response: answers('The report.', anyObject) } },
    async (_request, reply) => json(reply, sources.status()),
  )
  app.get<{ Querystring: EventsParameters }>(
    '/api/v1/events',
    { schema: { summary: 'Events that match.', querystring: eventsQuery, response: answers('A page.', events) } },
    async (request, reply) => {
      return json(reply, pageJson(await searchOf(sources).search(searchQueryOf(request.query))))
    },
  )
  app.get<{ Querystring: RangeParameters & { buckets: number } }>(
    '/api/v1/histogram',
    {
      schema: {
        summary: 'How many match, over time.',
        querystring: histogramQuery,
        response: answers('Counts.', histogram),
      },
    },
    async (request, reply) =>
      json(reply, await searchOf(sources).histogram(searchQueryOf(request.query), request.query.buckets)),
  )
  app.get<{ Querystring: RangeParameters }>(
    '/api/v1/fields',
    {
      schema: {
        summary: 'The most frequent values of each field.',
        querystring: fieldsQuery,
        response: answers('Fields.', fields),
      },
    },
    async (request, reply) => json(reply, await searchOf(sources).fields(searchQueryOf(request.query))),
  )
  app.get('/api/v1/openapi.json', { schema: { hide: true } }, async (_request, reply) => json(reply, app.swagger()))
}
