/**
 * A tail input on real files in a folder of its own, with a clock that the test moves, marks that outlive the input,
 * and an `emit` that can be held back or made to fail. For tests only.
 */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { protocol } from '../../../protocols/tail/tail.ts'
import type { Clock } from '../../../server/core/clock.ts'
import type { EventStream } from '../../../server/core/event.ts'
import type { ConfigOf } from '../../../server/core/fields.ts'
import type { Logger } from '../../../server/core/log.ts'
import { createInputStats } from '../../../server/core/metrics.ts'
import { type MemoryMarks, marksInMemory } from '../marks-in-memory.ts'
import { showEvents } from './decoding.ts'

type Config = ConfigOf<typeof protocol.fields>

const DEFAULTS = {
  exclude_path: [],
  tag: 'tail.test',
  format: 'none',
  read_from_head: true,
  rotate_wait: 5_000,
  refresh_interval: 60_000,
  path_key: undefined,
  multiline: { format_firstline: undefined, flush_interval: 5_000 },
  max_line_size: 1024 * 1024,
  file_limit: 1_000,
} as const

export interface Took {
  readonly tag: string
  readonly record: Record<string, unknown>
}

const cleanUps: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** Stands still until it is moved; sleeps end when it has come so far. */
class MovedClock implements Clock {
  #now = 1_795_000_000_000
  #sleepers: { until: number; wake: () => void }[] = []
  now = () => this.#now
  monotonic = () => this.#now
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      this.#sleepers.push({ until: this.#now + ms, wake: resolve })
      signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  }
  /** Moves on by steps that no sleeper can miss. */
  async move(ms: number): Promise<void> {
    const end = this.#now + ms
    while (this.#now < end) {
      this.#now = Math.min(end, this.#now + 100)
      const due = this.#sleepers.filter(({ until }) => until <= this.#now)
      this.#sleepers = this.#sleepers.filter(({ until }) => until > this.#now)
      for (const { wake } of due) wake()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

export class TailSite {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'logboom-tail-'))
  readonly marks: MemoryMarks = marksInMemory()
  readonly took: Took[] = []
  readonly said: string[] = []
  readonly clock = new MovedClock()
  readonly stats = createInputStats()
  /** Awaited before a stream is stored; one that rejects refuses it. */
  gate: (stream: EventStream) => Promise<void> = async () => {}

  constructor() {
    cleanUps.push(() => rmSync(this.folder, { recursive: true, force: true }))
  }

  file(name: string): string {
    return path.join(this.folder, name)
  }
  write(name: string, text: string | Buffer): void {
    writeFileSync(this.file(name), text)
  }
  append(name: string, text: string | Buffer): void {
    appendFileSync(this.file(name), text)
  }

  async start(config: Partial<Config> = {}): Promise<{ close(): Promise<void> }> {
    const say = (_fields: object, message: string) => void this.said.push(message)
    const log: Logger = { debug: say, info: say, warn: say, error: say, child: () => log }
    const context = { name: 'files', emit: (stream: EventStream) => this.#emit(stream), spool: unused, log }
    const { marks, stats, clock } = this
    const whole = { ...DEFAULTS, path: [this.file('*.log')], ...config }
    const listener = await protocol.listen(whole, { ...context, marks, stats, clock })
    cleanUps.push(() => listener.close())
    return listener
  }

  /** Waits until so many events were stored in all. The clock moves meanwhile, as far as it takes. */
  async until(count: number): Promise<string[]> {
    await this.untilSo(() => this.took.length >= count, `${count} events`)
    return this.messages()
  }

  async untilSo(isSo: () => boolean, what: string): Promise<void> {
    for (let turns = 0; !isSo(); turns += 1) {
      if (turns > 5_000) throw new Error(`not ${what}: ${this.took.length} events; ${this.said.join('\n')}`)
      await this.clock.move(100)
      await sleep(1)
    }
  }

  /** Waits for so many events, then moves the clock so far that more would have come. */
  async settle(count: number): Promise<string[]> {
    await this.until(count)
    await this.clock.move(20_000)
    return this.messages()
  }

  messages(): string[] {
    return this.took.map(({ record }) => String(record.message ?? record.log))
  }

  async #emit(stream: EventStream): Promise<void> {
    const packed = Buffer.from(stream.packed as Uint8Array)
    await this.gate(stream)
    this.marks.stored(stream.mark)
    const tag = Buffer.from(stream.tag).toString()
    for (const { record } of showEvents(packed)) this.took.push({ tag, record })
  }
}

const unused = () => Promise.reject(new Error('not used'))
