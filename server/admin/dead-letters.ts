/** `/api/v1/dead-letters`: what outputs refused, and what is to become of it. The work is done in their threads. */
import type { FastifyInstance } from 'fastify'
import { LogboomError } from '../core/errors.ts'
import { LETTERS_MAX, type LetterQuery, type OutputDesk, type ReplayQuery } from '../core/output-desk.ts'
import { answers, json } from './api.ts'
import type { AdminSources } from './sources.ts'

const CAUSE_CHARACTERS_MAX = 4_096

const cause = {
  type: 'string',
  maxLength: CAUSE_CHARACTERS_MAX,
  description: "Only letters of this cause: the destination's name for the fault.",
} as const
const limit = { type: 'integer', minimum: 1, maximum: LETTERS_MAX, default: 100 } as const
const from = {
  type: 'string',
  pattern: '^\\d{8}\\.dlq(\\+\\d{1,9})?$',
  description: '`next` of the answer before.',
} as const
const before = {
  type: 'number',
  minimum: 0,
  description: '`before` of the first answer, so that what dies again is not replayed again.',
} as const

export const toOutput = {
  type: 'object',
  required: ['output'],
  properties: { output: { type: 'string', maxLength: 63, description: 'Its name under `outputs`.' } },
} as const
export const query = (properties: object) => ({ type: 'object', additionalProperties: false, properties })

const times = { oldestMs: { type: 'number' }, newestMs: { type: 'number', description: 'ms since 1970.' } }
const causeSchema = {
  type: 'object',
  properties: { cause: { type: 'string' }, letters: { type: 'number' }, ...times },
}
const summaries = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      output: { type: 'string' },
      letters: { type: 'number' },
      bytes: { type: 'number', description: 'Of the events.' },
      causes: { type: 'array', items: causeSchema },
    },
  },
}
const letterSchema = {
  type: 'object',
  properties: {
    cause: { type: 'string' },
    detail: { type: 'string', description: "The destination's words." },
    attempts: { type: 'number', description: 'How often it was handed to the destination.' },
    refusedMs: { type: 'number', description: 'ms since 1970.' },
    receivedMs: { type: 'number', description: 'ms since 1970.' },
    position: { type: 'number' },
    id: { type: 'string' },
    tag: { type: 'string' },
    time: { type: 'string', description: 'ISO 8601, UTC; absent where its client gave none.' },
    record: { type: 'string', description: 'JSON text.' },
    packed: { type: 'string', description: 'Base64 of msgpack, where the record cannot be said in JSON.' },
  },
}
const next = { type: 'string', description: 'Absent: there are no more.' }
const page = { type: 'object', properties: { letters: { type: 'array', items: letterSchema }, next } }
const step = {
  type: 'object',
  properties: {
    replayed: { type: 'number', description: 'Taken by the destination.' },
    dead: { type: 'number', description: 'Refused once more, and kept.' },
    before: { type: 'number' },
    next,
  },
}

/** Throws LB-P001. */
export function deskOf(sources: AdminSources, output: string): OutputDesk {
  const desks = sources.desks()
  const desk = desks.get(output)
  if (desk !== undefined) return desk
  throw new LogboomError('LB-P001', { output: output.slice(0, 63), known: [...desks.keys()].join(', ') || 'none' })
}

interface ToOutput {
  Params: { output: string }
}

export function serveDeadLetters(app: FastifyInstance, sources: AdminSources): void {
  serveReading(app, sources)
  serveChanging(app, sources)
}

function serveReading(app: FastifyInstance, sources: AdminSources): void {
  app.get(
    '/api/v1/dead-letters',
    { schema: { summary: 'Dead letters per output and by cause.', response: answers('The outputs.', summaries) } },
    async (_request, reply) => {
      const desks = [...sources.desks().values()]
      return json(reply, await Promise.all(desks.map((desk) => desk.list())))
    },
  )
  app.get<ToOutput & { Querystring: LetterQuery }>(
    '/api/v1/dead-letters/:output',
    {
      schema: {
        summary: 'The dead letters of an output, oldest first.',
        params: toOutput,
        querystring: query({ cause, limit, from }),
        response: answers('A page.', page),
      },
    },
    async ({ params, query }, reply) => json(reply, await deskOf(sources, params.output).show(query)),
  )
}

function serveChanging(app: FastifyInstance, sources: AdminSources): void {
  app.post<ToOutput & { Querystring: ReplayQuery }>(
    '/api/v1/dead-letters/:output/replay',
    {
      schema: {
        summary: 'One step of a replay: so many letters are handed to the output again.',
        params: toOutput,
        querystring: query({ cause, limit, from, before }),
        response: answers('What became of them.', step),
      },
    },
    async ({ params, query }, reply) => json(reply, await deskOf(sources, params.output).replay(query)),
  )
  app.post<ToOutput & { Querystring: { cause?: string; all?: boolean } }>(
    '/api/v1/dead-letters/:output/discard',
    {
      schema: {
        summary: 'Throws dead letters away: those of a cause, or with `all` every one.',
        params: toOutput,
        querystring: query({ cause, all: { type: 'boolean' } }),
        response: answers('How many.', { type: 'object', properties: { discarded: { type: 'number' } } }),
      },
    },
    async ({ params, query: { cause, all } }, reply) => {
      if (cause === undefined && all !== true) throw new LogboomError('LB-P005', {})
      return json(reply, await deskOf(sources, params.output).discard({ ...(cause !== undefined && { cause }) }))
    },
  )
}
