/** `/api/v1/outputs/:output/replay`: what is delivered and still stored is delivered again. */
import type { FastifyInstance } from 'fastify'
import type { RewindQuery } from '../core/output-desk.ts'
import { answers, json } from './api.ts'
import { deskOf, query, toOutput } from './dead-letters.ts'
import type { AdminSources } from './sources.ts'

const position = { type: 'integer', minimum: 0, description: 'The first event to be delivered again.' } as const
const timeMs = {
  type: 'integer',
  minimum: 0,
  description: 'ms since 1970: from the first event on of the chunk that was being written then.',
} as const
const rewound = {
  type: 'object',
  properties: {
    from: { type: 'number', description: 'Position of the first event that is delivered again.' },
    to: { type: 'number', description: 'Position up to which all was delivered before.' },
  },
}

export function serveReplay(app: FastifyInstance, sources: AdminSources): void {
  app.post<{ Params: { output: string }; Querystring: RewindQuery }>(
    '/api/v1/outputs/:output/replay',
    {
      schema: {
        summary: 'Moves the cursor of an output back; the events from there on are delivered again, with their ids.',
        params: toOutput,
        querystring: { ...query({ position, timeMs }), oneOf: [{ required: ['position'] }, { required: ['timeMs'] }] },
        response: answers('The range.', rewound),
      },
    },
    async ({ params, query }, reply) => json(reply, await deskOf(sources, params.output).rewind(query)),
  )
}
