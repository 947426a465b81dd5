/**
 * `/api/v1/tail`: events as they are stored, as server-sent events (WHATWG HTML, "Server-sent events").
 * Nothing is skipped: a client that is slow, or that comes back with `Last-Event-ID`, goes on from its cursor.
 */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { LogboomError } from '../core/errors.ts'
import type { EventSearch, SearchPage } from '../core/search.ts'
import { searchOf } from './api.ts'
import { CURSOR_CHARACTERS_MAX, hitJson, tailQuery } from './query-schema.ts'
import type { AdminSources } from './sources.ts'

export const TAILS_MAX = 16
const TAIL_BATCH_EVENTS_MAX = 500
const POLL_MS = 250
/** Pause between two batches while a client catches up, so that a tail cannot take a whole core. */
const CATCH_UP_MS = 50
const HEARTBEAT_MS = 15_000

const headersSchema = {
  type: 'object',
  properties: {
    'last-event-id': { type: 'string', maxLength: CURSOR_CHARACTERS_MAX, description: 'The cursor to go on from.' },
  },
} as const

/** `behind`: there is more to come at once. A line end would end the frame's line; JSON text needs none. */
function frameOf({ hits }: SearchPage, cursor: string, behind: boolean): string {
  const documents = hits
    .map(hitJson)
    .join(',')
    .replace(/[\r\n]/g, ' ')
  return `event: events\nid: ${cursor}\ndata: {"behind":${behind},"hits":[${documents}]}\n\n`
}

async function write(stream: ServerResponse, text: string, signal: AbortSignal): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain', { signal })
}

interface Tail {
  readonly search: EventSearch
  readonly text: string
  readonly stream: ServerResponse
  readonly signal: AbortSignal
}

/** Polls the store from the cursor on until the signal aborts; rejects then. */
async function follow({ search, text, stream, signal }: Tail, cursor: string): Promise<never> {
  let after = cursor
  let saidMs = performance.now()
  for (;;) {
    const page = await search.search({ text, after, limit: TAIL_BATCH_EVENTS_MAX })
    // Not the last hit: what lies behind it and does not match need not be looked at again.
    after = page.next ?? page.newest
    const behind = after !== page.newest
    const isAlive = performance.now() - saidMs >= HEARTBEAT_MS
    if (page.hits.length > 0 || isAlive) {
      await write(stream, page.hits.length > 0 ? frameOf(page, after, behind) : `: alive\nid: ${after}\n\n`, signal)
      saidMs = performance.now()
    }
    await sleep(behind ? CATCH_UP_MS : POLL_MS, undefined, { signal })
  }
}

/** Where a tail begins. Throws LB-Q001 for a bad query while the answer can still be an ordinary error. */
async function beginningOf(search: EventSearch, text: string, lastEventId: string | undefined): Promise<string> {
  // The newest of all events is found at once; the newest that matches may be far back.
  const cursor = lastEventId || (await search.search({ text: '', limit: 1 })).newest
  await search.search({ text, after: cursor, limit: 1 })
  return cursor
}

/** Adds the route; `stop` ends all tails. */
export function serveTail(app: FastifyInstance, sources: AdminSources): { stop(): void } {
  const tails = new Set<AbortController>()
  app.get<{ Querystring: { q: string }; Headers: { 'last-event-id'?: string } }>(
    '/api/v1/tail',
    {
      exposeHeadRoute: false,
      schema: {
        summary: 'Events as they are stored, as server-sent events `events` with {hits, behind}.',
        querystring: tailQuery,
        headers: headersSchema,
        response: {
          200: { description: 'An endless stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
        },
      },
    },
    async (request, reply) => {
      if (tails.size >= TAILS_MAX) throw new LogboomError('LB-A004', { limit: TAILS_MAX })
      const abort = new AbortController()
      tails.add(abort)
      reply.raw.once('close', () => abort.abort())
      try {
        const search = searchOf(sources)
        const text = request.query.q
        const cursor = await beginningOf(search, text, request.headers['last-event-id'])
        reply.hijack()
        const head = {
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-store',
          'x-accel-buffering': 'no',
        }
        reply.raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...head })
        reply.raw.write(`retry: 1000\n: follows\nid: ${cursor}\n\n`)
        await follow({ search, text, stream: reply.raw, signal: abort.signal }, cursor)
      } catch (error) {
        if (!reply.raw.headersSent) throw error
        if (!abort.signal.aborted) sources.log.warn({ err: error }, 'a live tail ended')
        reply.raw.end()
      } finally {
        tails.delete(abort)
      }
    },
  )
  return {
    stop() {
      for (const tail of tails) tail.abort()
    },
  }
}
