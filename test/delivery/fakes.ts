/** What stands around the engine in its tests: a clock moved by hand, a reader, a writer and a store in memory. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Reader } from '../../buffer/buffer.ts'
import { ALL_ACCEPTED, type WriteResult, type Writer } from '../../outputs/output.ts'
import type { Clock } from '../../server/core/clock.ts'
import type { Batch } from '../../server/core/event.ts'
import type { Logger } from '../../server/core/log.ts'
import type { DeadLetter } from '../../server/delivery/dead-letter-format.ts'
import type { DeadLetters } from '../../server/delivery/dead-letters.ts'
import { DEFAULT_RECEIVED_MS, idsOf } from '../conformance/make-batch.ts'

export interface FakeClock extends Clock {
  /** Moves the time and wakes who slept until then. */
  advance(ms: number): Promise<void>
  /** Moves the time from one sleeper to the next until the promise settles. */
  runUntil<T>(promise: Promise<T>): Promise<T>
}

/** Lets all that can go on without time passing go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await nextTurn()
}

export function createFakeClock(startMs = DEFAULT_RECEIVED_MS): FakeClock {
  let nowMs = 0
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>()

  async function advance(ms: number): Promise<void> {
    const end = nowMs + ms
    for (;;) {
      const next = [...sleepers].filter((it) => it.until <= end).sort((a, b) => a.until - b.until)[0]
      if (next === undefined) break
      nowMs = Math.max(nowMs, next.until)
      next.wake()
      await settle()
    }
    nowMs = end
  }

  return {
    now: () => startMs + nowMs,
    monotonic: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        const wake = () => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        const sleeper = { until: nowMs + ms, wake }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', wake, { once: true })
      }),
    advance,
    async runUntil(promise) {
      let isSettled = false
      const settled = () => {
        isSettled = true
      }
      promise.then(settled, settled)
      for (;;) {
        await settle()
        if (isSettled) return promise
        const next = Math.min(...[...sleepers].map((it) => it.until))
        if (!Number.isFinite(next)) throw new Error('nothing sleeps and nothing goes on')
        await advance(next - nowMs)
      }
    },
  }
}

export interface FakeReader extends Reader {
  readonly committed: Batch[]
  /** Resolves when this many batches are committed. */
  untilCommitted(count: number): Promise<void>
}

/** Hands out these batches, then waits for the signal. `journal` is told of each commit. */
export function createFakeReader(batches: readonly Batch[], journal: string[] = []): FakeReader {
  const committed: Batch[] = []
  let watchers: { readonly count: number; readonly resolve: () => void }[] = []
  let given = 0
  const isDone = (batch: Batch) => committed.includes(batch)
  return {
    committed,
    untilCommitted: (count) =>
      new Promise((resolve) => {
        if (committed.length >= count) resolve()
        else watchers.push({ count, resolve })
      }),
    read: (_limits, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const batch = batches[given]
        if (batch === undefined) signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        else {
          given += 1
          resolve(batch)
        }
      }),
    commit(batch) {
      if (isDone(batch) || !batches.includes(batch)) throw new Error('committed twice, or not a batch of this reader')
      committed.push(batch)
      journal.push(`commit ${batch.from}`)
      for (const { count, resolve } of watchers) if (committed.length >= count) resolve()
      watchers = watchers.filter(({ count }) => committed.length < count)
    },
    finish: (positions) => void journal.push(`finish ${positions.join(',')}`),
    flush: async () => void journal.push('flush'),
    seek: async () => {},
    skip: async () => 0,
    parts: async () => [],
    status() {
      const firstOpen = batches.find((batch) => !isDone(batch))
      const lagEvents = batches.reduce((sum, batch) => sum + (isDone(batch) ? 0 : batch.count), 0)
      return {
        cursor: firstOpen?.from ?? batches.at(-1)?.to ?? 0,
        doneBeyondEvents: 0,
        lagEvents,
        oldestReceivedMs: firstOpen?.streams[0]?.receivedMs,
        unmatchedEvents: 0,
        damagedEvents: 0,
      }
    },
    close: async () => {},
  }
}

/** One answer to one write: a result, or what is thrown. */
export type Answer = WriteResult | Error | ((batch: Batch, signal: AbortSignal) => Promise<WriteResult> | WriteResult)

export interface FakeWriter extends Writer {
  /** The ids of each write, in order. */
  readonly writes: string[][]
  readonly accepted: string[]
  /** Most writes that were in flight at a time. */
  mostInFlight: number
}

/** Answers the first writes as the script says, and accepts everything afterwards. */
export function createFakeWriter(script: readonly Answer[]): FakeWriter {
  let inFlight = 0
  const writer: FakeWriter = {
    writes: [],
    accepted: [],
    mostInFlight: 0,
    async write(batch, signal) {
      const answer = script[writer.writes.length] ?? ALL_ACCEPTED
      const ids = idsOf(batch)
      writer.writes.push(ids)
      inFlight += 1
      writer.mostInFlight = Math.max(writer.mostInFlight, inFlight)
      try {
        await nextTurn()
        if (answer instanceof Error) throw answer
        const result = typeof answer === 'function' ? await answer(batch, signal) : answer
        const left = new Set([...result.pending, ...result.rejected.map((it) => it.index)])
        writer.accepted.push(...ids.filter((_, index) => !left.has(index)))
        return result
      } finally {
        inFlight -= 1
      }
    },
    close: async () => {},
  }
  return writer
}

export interface FakeDeadLetters extends DeadLetters {
  readonly letters: DeadLetter[]
}

/** Keeps letters a turn later; the first calls fail with `faults`. */
export function createFakeDeadLetters(journal: string[] = [], faults: Error[] = []): FakeDeadLetters {
  const letters: DeadLetter[] = []
  return {
    letters,
    async append(more) {
      await nextTurn()
      const fault = faults.shift()
      if (fault !== undefined) throw fault
      letters.push(...more.map((letter) => ({ ...letter, entry: Uint8Array.from(letter.entry) })))
      journal.push(`dead ${more.map((it) => it.position).join(',')}`)
    },
    async replace() {},
    count: () => letters.length,
    close: async () => {},
  }
}

export interface FakeLogger extends Logger {
  readonly lines: { readonly level: string; readonly fields: object; readonly message: string }[]
}

export function createFakeLogger(): FakeLogger {
  const lines: FakeLogger['lines'] = []
  const say = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  const logger: FakeLogger = {
    lines,
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    child: () => logger,
  }
  return logger
}
