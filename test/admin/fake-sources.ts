/** A server that is not there: counters to set and an event store in memory, for tests of what stands before it. */
import type { AdminSources } from '../../server/admin/sources.ts'
import { LogboomError } from '../../server/core/errors.ts'
import type { Logger } from '../../server/core/log.ts'
import { createInputStats } from '../../server/core/metrics.ts'
import type { OutputDesk } from '../../server/core/output-desk.ts'
import { OutputStats } from '../../server/core/output-stats.ts'
import type { EventSearch, SearchHit, SearchQuery } from '../../server/core/search.ts'
import type { InputReport, OutputReport, StatusReport } from '../../server/core/status.ts'

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

type Document = Record<string, unknown>
interface Stored {
  readonly hit: SearchHit
  readonly document: Document
}

function valueAt(document: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Document | undefined)?.[key], document)
}

/** One word, phrase or `field:value`, negated by a dash. Throws LB-Q001 for a quote that is not closed. */
function matcherOf(text: string): (stored: Stored) => boolean {
  const open = text.replace(/"[^"]*"/g, (phrase) => 'x'.repeat(phrase.length)).indexOf('"')
  if (open !== -1) throw new LogboomError('LB-Q001', { position: open + 1, reason: 'the quote is not closed' })
  const tests = [...text.matchAll(/(-?)(?:([\w.@-]+):)?(?:"([^"]*)"|(\S+))/g)].map(([, not, field, phrase, word]) => {
    const wanted = phrase ?? word ?? ''
    return ({ hit, document }: Stored) => {
      const found = field === undefined ? hit.json.includes(wanted) : String(valueAt(document, field)) === wanted
      return found !== (not === '-')
    }
  })
  return (stored) => tests.every((test) => test(stored))
}

export class MemorySearch implements EventSearch {
  readonly #stored: Stored[] = []
  /** Adds one event; `json` wins over the record where the text itself matters. */
  add(
    record: Document,
    { tag = 'docker.web', timeMs = Date.now(), json }: { tag?: string; timeMs?: number; json?: string } = {},
  ) {
    const sequence = this.#stored.length + 1
    const document = { ...record, '@timestamp': new Date(timeMs).toISOString(), tag, sequence }
    const cursor = String(sequence).padStart(12, '0')
    const hit = { cursor, id: `id.${sequence}`, timeMs, tag, json: json ?? JSON.stringify(document) }
    this.#stored.push({ hit, document })
  }
  get newest(): string {
    return String(this.#stored.length).padStart(12, '0')
  }
  #matching({ text, fromMs = 0, toMs = Infinity }: SearchQuery): Stored[] {
    const matches = matcherOf(text)
    return this.#stored.filter((stored) => stored.hit.timeMs >= fromMs && stored.hit.timeMs < toMs && matches(stored))
  }
  async search(query: SearchQuery) {
    const { after, before, limit } = query
    const { newest } = this
    const hits = this.#matching(query).map(({ hit }) => hit)
    if (after !== undefined) {
      const later = hits.filter(({ cursor }) => cursor > after)
      const page = later.slice(0, limit)
      return { hits: page, newest, next: page.length < later.length ? page.at(-1)!.cursor : newest }
    }
    const older = before === undefined ? hits : hits.filter(({ cursor }) => cursor < before)
    const page = older.slice(-limit).reverse()
    return { hits: page, newest, ...(page.length < older.length && { next: page.at(-1)!.cursor }) }
  }
  async histogram(query: SearchQuery, buckets: number) {
    const { fromMs = 0, toMs = Date.now() } = query
    const bucketMs = Math.max(1, Math.ceil((toMs - fromMs) / buckets))
    const counts = new Array<number>(buckets).fill(0)
    for (const { hit } of this.#matching({ ...query, fromMs, toMs }))
      counts[Math.floor((hit.timeMs - fromMs) / bucketMs)]! += 1
    return { fromMs, bucketMs, counts }
  }
  async fields(query: SearchQuery) {
    const byField = new Map<string, Map<string, number>>()
    for (const { document } of this.#matching(query)) {
      for (const [field, value] of Object.entries(document)) {
        const values = byField.get(field) ?? byField.set(field, new Map()).get(field)!
        values.set(String(value), (values.get(String(value)) ?? 0) + 1)
      }
    }
    return [...byField].map(([field, values]) => {
      const top = [...values].map(([value, count]) => ({ value, count }))
      return { field, top: top.sort((a, b) => b.count - a.count).slice(0, 10) }
    })
  }
  async close() {}
}

export function outputReport(name: string, changes: Partial<OutputReport> = {}): OutputReport {
  const ends = {
    delivered: 0,
    secondary: 0,
    parked: 0,
    parkedEvents: 0,
    dead: 0,
    dropped: 0,
    joined: 0,
    filterErrors: {},
    unmatched: 0,
  }
  const numbers = { ...ends, lagEvents: 0, deadLetters: 0, stagedBytes: 0, unaccounted: 0 }
  const calm = { state: 'ok', lastError: undefined, nextTryMs: undefined, oldestAgeS: undefined, retries: {} }
  return { name, type: 'local', match: '**', ...calm, ...numbers, ...changes }
}

export function inputReport(name: string, changes: Partial<InputReport> = {}): InputReport {
  const addresses = ['127.0.0.1:24224 tcp', '127.0.0.1:24224 udp']
  return { name, type: 'forward', addresses, connections: 0, events: 0, bytes: 0, rejected: {}, ...changes }
}

export function statusReport(changes: Partial<StatusReport> = {}): StatusReport {
  const recovered = { tornBytes: 0, damagedFrames: 0, damagedEvents: 0, quarantined: [] }
  const buffer = {
    bytes: 4096,
    limitBytes: 2 ** 31,
    chunks: 1,
    first: 0,
    next: 12,
    waiting: 0,
    duplicates: 3,
    trouble: undefined,
    recovered,
  }
  const process = {
    version: '0.0.0',
    node: 'test',
    pid: 1,
    state: 'running',
    startedMs: 0,
    configFile: undefined,
  } as const
  return {
    ...process,
    reasons: [],
    inputs: [inputReport('forward')],
    buffer,
    outputs: [outputReport('local')],
    doorbell: [],
    ...changes,
  }
}

/** Sources whose parts a test may change at any time. */
export function fakeSources() {
  const input = createInputStats()
  const output = new OutputStats()
  const search = new MemorySearch()
  const desks = new Map<string, OutputDesk>()
  const sources = {
    report: statusReport(),
    search: search as EventSearch | undefined,
    version: '0.0.0',
    log: silent,
    status: () => sources.report,
    inputs: () => [{ name: 'forward', stats: input }],
    outputs: () => [{ name: 'local', stats: output }],
    desks: () => desks,
    buffer: () => sources.report.buffer,
    eventLoopDelaySeconds: () => 0.125,
  }
  return { sources: sources satisfies AdminSources, input, output, search, desks }
}
