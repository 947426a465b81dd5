/**
 * The oracle: clients that send numbered events and note the acks, a reader for every sink, and one rule.
 *
 *   acked ⊆ delivered ∪ dead letters · nothing invented · bytes equal · no event under two event ids
 *   an event that is sent when the fault is over arrives everywhere; FRESH_LIMIT_MS never pass without any arriving
 *
 * Standard output has no event ids: after a crash it repeats what the cursor had not passed, so its doubles are not
 * counted. Every test of `test/faults` with a client ends with `judge`.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { readDeadLetters } from '../../server/delivery/dead-letter-files.ts'
import { createSite, type Program, type Site, type SiteConfig, type StartOptions } from '../e2e/program.ts'
import { type BulkSink, startBulkSink } from '../load/bulk-sink.ts'
import { Lane } from '../load/forward-lane.ts'
import { createComparison, type EventPlan, numberOf } from './numbered-events.ts'
import { reportFault } from './report.ts'
import { Tally } from './tally.ts'

const FRESH_LIMIT_MS = 30_000
/** Longer than any series of kills that never let it become ready. */
const RECONNECT_MS = 600_000
const PAGE_EVENTS = 1_000
const LINE_BYTES = 120

export type SinkName = 'bulk' | 'screen' | 'store'

export interface OracleOptions {
  /** Beside the outputs of the sinks; `outputs` here are more of them. */
  readonly config?: SiteConfig
  /** bulk: an HTTP sink like Elasticsearch; screen: standard output; store: the embedded searchable store. */
  readonly sinks?: readonly SinkName[]
  /** Events whose number is a multiple of it are refused by the bulk sink, and must be dead letters. */
  readonly refuseEvery?: number
  readonly batch?: number
  /** Where clients connect to; the program's forward input on loopback where it is left out. */
  readonly address?: { readonly host: string; readonly port: number }
  readonly settings?: Readonly<Partial<Record<SinkName, object>>>
}

export interface ClientOptions {
  /** Events in all; Infinity: until `end`. */
  readonly events?: number
  readonly rate?: number
  readonly window?: number
}

/** One client, over one connection that it opens again when it is lost. */
export interface Client {
  readonly connection: number
  readonly acked: number
  /** Nothing new is sent. Resolves when all that was sent is acknowledged. */
  end(): Promise<void>
  /** Resolves when its events are sent and acknowledged. Rejects when it had to give up. */
  readonly done: Promise<void>
}

export interface Verdict {
  readonly acked: number
  readonly lost: number
  readonly doubled: number
}

interface OracleParts {
  readonly sink: BulkSink
  readonly bulk: Tally
  readonly plan: EventPlan
  readonly options: OracleOptions
  readonly outputs: Readonly<Record<string, object>>
}

export class Oracle {
  readonly site: Site
  readonly sink: BulkSink
  readonly bulk: Tally
  readonly screen = new Tally('screen')
  readonly dead = new Tally('dead letters')
  readonly #options: OracleOptions
  readonly #plan: EventPlan
  readonly #comparison: ReturnType<typeof createComparison>
  readonly #lanes: Lane[] = []
  #outputs: Readonly<Record<string, object>>

  constructor(site: Site, parts: OracleParts) {
    this.site = site
    this.sink = parts.sink
    this.bulk = parts.bulk
    this.#plan = parts.plan
    this.#options = parts.options
    this.#outputs = parts.outputs
    this.#comparison = createComparison(parts.plan)
  }

  get sinks(): readonly SinkName[] {
    return this.#options.sinks ?? ['bulk']
  }

  get outputs(): Readonly<Record<string, object>> {
    return this.#outputs
  }

  get acked(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.acked, 0)
  }

  /** Starts the program with a reader at its standard output. */
  start(options: StartOptions = {}): Promise<Program> {
    return this.site.start({ ...options, onStdout: this.#lineReader() })
  }

  spawn(options: StartOptions = {}): Program {
    return this.site.spawn({ ...options, onStdout: this.#lineReader() })
  }

  /** Before the start: this output reads under the name of a sink, for instance through a gate. */
  replaceOutput(name: SinkName, output: object): void {
    this.configure({ ...this.#outputs, [name]: output })
  }

  /** Before the start, or before a HUP. */
  configure(outputs: Readonly<Record<string, object>>): void {
    this.#outputs = outputs
    this.site.configure({ ...this.#options.config, outputs })
  }

  /** No client outlives the test. */
  close(): void {
    for (const lane of this.#lanes) lane.abandon()
  }

  client({ events = Number.POSITIVE_INFINITY, rate = 0, window = 8 }: ClientOptions = {}): Client {
    const connection = this.#lanes.length
    const plan = {
      ...this.#plan,
      ...(this.#options.address ?? { host: '127.0.0.1', port: this.site.forwardPort }),
      mode: 'packed' as const,
      ack: true,
      window,
      rate,
      reconnectMs: RECONNECT_MS,
    }
    const lane = new Lane(plan, { number: connection, events, onAck: () => {} })
    this.#lanes.push(lane)
    const done = lane.run().then(() => assert.equal(lane.hasFailed, false, `client ${connection} gave up`))
    done.catch(() => {})
    return {
      connection,
      get acked() {
        return lane.acked
      },
      end: () => {
        lane.end()
        return done
      },
      done,
    }
  }

  /** Sends one message now, and waits until every sink has it. */
  async fresh(program: Program): Promise<void> {
    const { connection, done } = this.client({ events: this.#plan.batch })
    await done
    // Of a message there is always one that no sink refuses.
    const event = { connection, number: 1 }
    const live = [...(this.sinks.includes('bulk') ? [this.bulk] : []), ...(this.#hasScreen ? [this.screen] : [])]
    const isThere = () => live.every((tally) => tally.has(event))
    // What waits before it may be much on a busy machine: as long as that moves, so does the fresh event.
    while (!isThere()) {
      const before = this.#arrived
      const isMoving = () => isThere() || this.#arrived > before
      await program.until('delivering a fresh event, or one before it', isMoving, FRESH_LIMIT_MS)
    }
  }

  /** A fresh event flows, all is drained, and the rule holds; what it cost is reported under the fault's name. */
  async judge(program: Program, fault: string, tried: number, note?: string): Promise<Verdict> {
    await this.fresh(program)
    await program.untilDrained()
    assert.equal(await program.metric('logboom_ledger_unaccounted_events'), 0, 'the ledger')
    const tallies = await this.#tallies()
    const lost = tallies.flatMap((tally) => this.#missing(tally))
    const doubled = tallies.reduce((sum, tally) => sum + (tally === this.screen ? 0 : tally.doubled), 0)
    const wrong = [...tallies, this.dead].flatMap((tally) => tally.wrong)
    reportFault({ fault, tried, acked: this.acked, lost: lost.length, doubled, ...(note !== undefined && { note }) })
    process.stdout.write(`# ${fault}: tried ${tried}, acked ${this.acked}, lost ${lost.length}, doubled ${doubled}\n`)
    assert.deepEqual(lost.slice(0, 10), [], `${lost.length} acknowledged events are lost`)
    assert.deepEqual(wrong, [], 'altered, or sent by nobody')
    assert.equal(doubled, 0, 'delivered under two event ids')
    return { acked: this.acked, lost: lost.length, doubled }
  }

  /** Takes a document that a sink was given. */
  see(tally: Tally, document: string): void {
    const event = numberOf(document)
    if (event === undefined || !this.#wasSent(event) || !this.#comparison.isDocument(document, event))
      tally.complain(document)
    else tally.add(event)
  }

  /** What has come to the sinks, doubles and all. */
  get #arrived(): number {
    const { documents, conflicts } = this.sink.stats
    return documents + conflicts + this.screen.distinct + this.screen.doubled
  }

  get #hasScreen(): boolean {
    return this.sinks.includes('screen')
  }

  /** More than this cannot have been on its way. */
  #wasSent({ connection, number }: { connection: number; number: number }): boolean {
    const lane = this.#lanes[connection]
    return lane !== undefined && number < Math.max(lane.sent, lane.acked + this.#plan.batch * WINDOW_MAX)
  }

  async #tallies(): Promise<Tally[]> {
    const { folder } = this.site
    const deadLetters = path.join(this.site.bufferPath, 'dead-letters', 'bulk')
    if (existsSync(deadLetters)) {
      for await (const { entry } of readDeadLetters(deadLetters)) {
        const event = numberOf(Buffer.from(entry).toString('latin1'))
        if (event === undefined || !this.#comparison.isEntry(entry, event)) this.dead.complain(`in ${folder}`)
        else this.dead.add(event)
      }
    }
    const store = this.sinks.includes('store') ? [await this.#readStore()] : []
    return [...(this.sinks.includes('bulk') ? [this.bulk] : []), ...(this.#hasScreen ? [this.screen] : []), ...store]
  }

  async #readStore(): Promise<Tally> {
    const tally = new Tally('store')
    for (let before = ''; ; ) {
      const answer = await fetch(`${this.site.adminUrl}/api/v1/events?limit=${PAGE_EVENTS}${before}`)
      const text = await answer.text()
      assert.equal(answer.status, 200, text)
      const page = JSON.parse(text) as { hits: { event: object }[]; next?: string }
      for (const { event } of page.hits) this.see(tally, JSON.stringify(event))
      if (page.next === undefined) return tally
      before = `&before=${encodeURIComponent(page.next)}`
    }
  }

  #missing(tally: Tally): string[] {
    return this.#lanes.flatMap((lane, connection) => {
      const missing: string[] = []
      for (let number = 0; number < lane.acked; number += 1) {
        const event = { connection, number }
        if (!tally.has(event) && !(tally === this.bulk && this.dead.has(event)))
          missing.push(`${tally.name} ${connection}-${number}`)
      }
      return missing
    })
  }

  /** What a killed program printed last may end in the middle of a line. */
  #lineReader(): (bytes: Buffer) => void {
    let rest = ''
    return (bytes) => {
      const lines = (rest + bytes.toString('latin1')).split('\n')
      rest = lines.pop()!
      for (const line of lines) if (line !== '') this.see(this.screen, line)
    }
  }
}

/** Messages without an ack that a client of this suite may have on their way. */
const WINDOW_MAX = 64

/** A site with its sinks, deleted when the test ends. */
export async function createOracle(t: Pick<TestContext, 'after'>, options: OracleOptions = {}): Promise<Oracle> {
  const { config = {}, sinks = ['bulk'], refuseEvery, batch = 50, settings = {} } = options
  const bulk = new Tally('bulk')
  const accepts = (document: string) => {
    const number = numberOf(document)?.number ?? 1
    if (refuseEvery !== undefined && number % refuseEvery === 0) return false
    oracle.see(bulk, document)
    return true
  }
  const sink = await startBulkSink({ keyed: true, accepts })
  t.after(() => sink.close())
  const known = {
    bulk: { type: 'elasticsearch', match: '**', url: sink.url, index: 'logs', ...settings.bulk },
    screen: { type: 'stdout', match: '**', ...settings.screen },
    store: { type: 'local', match: '**', ...settings.store },
  }
  const outputs = { ...Object.fromEntries(sinks.map((name) => [name, known[name]])), ...config.outputs }
  const site = await createSite(t, { ...config, outputs })
  const startSeconds = Math.floor(Date.now() / 1000)
  const plan = { batch, lineBytes: LINE_BYTES, startSeconds, tag: 'docker.web' }
  const oracle = new Oracle(site, { sink, bulk, plan, options, outputs })
  t.after(() => oracle.close())
  return oracle
}
