/** `logboom query WORDS`: what is stored and matches. */
import type { Command } from 'commander'
import { type ApiHit, type ApiPage, askJson, type ServerOptions, withServerOptions } from './api-client.ts'
import { eventLine, type Format, withFormatOption } from './event-line.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'
import { parseCount, parseTime } from './time-option.ts'

const PAGE_EVENTS_MAX = 1_000
const EVENTS_MAX = 100_000

interface QueryOptions extends ServerOptions {
  readonly since?: string
  readonly until?: string
  readonly limit: string
  readonly output: Format
}

interface Found {
  /** Newest first. */
  readonly hits: readonly ApiHit[]
  /** There is more than was asked for. */
  readonly more: boolean
  /** Something of the store could not be read. */
  readonly partial: boolean
}

async function find(server: ServerOptions, question: Record<string, string | number>, limit: number): Promise<Found> {
  const hits: ApiHit[] = []
  let before: string | undefined
  for (;;) {
    const asked = Math.min(PAGE_EVENTS_MAX, limit - hits.length)
    const page = await askJson<ApiPage>(server, 'events', { ...question, limit: asked, before })
    hits.push(...page.hits)
    before = page.next
    const more = before !== undefined
    if (!more || hits.length >= limit) return { hits, more, partial: !more && page.partial === true }
  }
}

async function query(words: readonly string[], options: QueryOptions, { output, talk }: Terminal): Promise<void> {
  const nowMs = Date.now()
  const limit = parseCount('--limit', options.limit, { min: 1, max: EVENTS_MAX })
  const question = {
    q: words.join(' '),
    ...(options.since !== undefined && { from: parseTime(options.since, nowMs) }),
    ...(options.until !== undefined && { to: parseTime(options.until, nowMs) }),
  }
  const { hits, more, partial } = await find(options, question, limit)
  if (hits.length === 0) talk.write('no event matches\n')
  for (const hit of hits.toReversed()) {
    if (!(await print(output, eventLine(hit, options.output, output)))) return
  }
  if (more) talk.write(`the newest ${limit} of more: --limit N\n`)
  if (partial) talk.write('a part of the store could not be read\n')
}

export function register(program: Command, terminal: Terminal = processTerminal): void {
  const command = program
    .command('query')
    .description('print the stored events that match, oldest first')
    .argument(
      '[words...]',
      'words, "a phrase", -not, field:value, tag:docker.* (after -- where one begins with a dash)',
    )
    .option('--since <time>', 'from this age or time on: 1h, 2026-01-31T12:00:00Z')
    .option('--until <time>', 'up to this age or time')
    .option('--limit <n>', `the newest so many, 1 to ${EVENTS_MAX}`, '100')
  withServerOptions(withFormatOption(command)).action((words: string[], options: QueryOptions) =>
    query(words, options, terminal),
  )
}
