/** `/livez`, `/readyz` and `/metrics`: for the machines that watch. */
import type { FastifyInstance } from 'fastify'
import { METRICS_CONTENT_TYPE, metricsText } from './metrics.ts'
import type { AdminSources } from './sources.ts'

const verboseQuery = {
  type: 'object',
  additionalProperties: false,
  properties: { verbose: { type: 'string', enum: ['', '1', 'true'], description: 'Lists the reasons.' } },
} as const
const text = (description: string) => ({ description, content: { 'text/plain': { schema: { type: 'string' } } } })

export function serveHealth(app: FastifyInstance, sources: AdminSources): void {
  app.get(
    '/livez',
    { config: { open: true }, schema: { summary: 'The process lives.', response: { 200: text('Always.') } } },
    async (_request, reply) => reply.type('text/plain; charset=utf-8').send('ok\n'),
  )
  app.get<{ Querystring: { verbose?: string } }>(
    '/readyz',
    {
      config: { open: true },
      schema: {
        summary: 'Events are taken and acknowledged.',
        querystring: verboseQuery,
        response: { 200: text('Ready.'), 503: text('Starting, draining, or the buffer is full or in trouble.') },
      },
    },
    async (request, reply) => {
      const { reasons } = sources.status()
      const told = request.query.verbose === undefined ? [] : [...reasons, ...damages(sources)]
      const lines = told.map((line) => `- ${line}\n`)
      void reply.code(reasons.length === 0 ? 200 : 503).type('text/plain; charset=utf-8')
      return reply.send((reasons.length === 0 ? 'ok\n' : 'not ready\n') + lines.join(''))
    },
  )
  app.get(
    '/metrics',
    { schema: { summary: 'Prometheus text format.', response: { 200: text('Every metric.') } } },
    async (_request, reply) => reply.type(METRICS_CONTENT_TYPE).send(await metricsText(sources)),
  )
}

/** What is lost on disk does not keep events from being taken, but an operator who asks must hear of it. */
function damages(sources: AdminSources): string[] {
  const { damagedEvents, quarantined } = sources.buffer().recovered
  const lines: string[] = []
  if (damagedEvents > 0) lines.push(`buffer: ${damagedEvents} events were found damaged at the start (LB-B006)`)
  if (quarantined.length > 0) lines.push(`buffer: ${quarantined.length} chunks were moved to quarantine/ (LB-B006)`)
  for (const { name, stats } of sources.outputs()) {
    const events = stats.get('damaged')
    if (events > 0) lines.push(`output ${name}: ${events} events were damaged and passed over (LB-B006)`)
  }
  return lines
}
