/**
 * A reader whose batches have gone through the filters. The cursor moves over what was read: over an event that waits
 * for others only when the event that it became part of is done, so that a restart reads it again.
 */

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Reader, ReaderStatus, ReadLimits, StoredPart } from '../../../buffer/buffer.ts'
import type { Clock } from '../../core/clock.ts'
import type { Batch, Position } from '../../core/event.ts'
import type { OutputStats } from '../../core/output-stats.ts'
import type { FilterChain, Filtered } from './filter-chain.ts'

/** While events wait, a read lingers for more no longer than this. */
const LINGER_MS = 200
/** A read that has lasted so long has shown all that is stored: only then is the time of what waits up. */
const CAUGHT_UP_MS = 1_000

export interface FilteringParts {
  readonly reader: Reader
  readonly chain: FilterChain
  readonly stats: OutputStats
  readonly clock: Clock
}

/** A read that is under way. */
interface Reading {
  readonly batch: Promise<Batch>
  readonly sinceMs: number
}

/** What a filtered batch stands for. */
interface Origin {
  /** The batch that was read; undefined: nothing was, the time of what waited was up. */
  readonly batch: Batch | undefined
  readonly filtered: Filtered
}

export class FilteringReader implements Reader {
  readonly #parts: FilteringParts
  readonly #lent = new Map<Batch, Origin>()
  #reading: Reading | undefined

  constructor(parts: FilteringParts) {
    this.#parts = parts
  }

  async read(limits: ReadLimits, signal: AbortSignal): Promise<Batch> {
    for (;;) {
      const origin = await this.#next(limits, signal)
      const { batch } = origin.filtered
      if (batch.count > 0) {
        this.#lent.set(batch, origin)
        return batch
      }
      this.#settle(origin)
      // Filters that drop all, and a reader that never waits, would keep the thread from hearing anything else.
      await nextTurn()
      signal.throwIfAborted()
    }
  }

  commit(batch: Batch): void {
    const origin = this.#lent.get(batch)
    if (origin === undefined) return
    this.#lent.delete(batch)
    this.#settle(origin)
  }

  finish(positions: readonly Position[]): void {
    this.#parts.reader.finish(positions)
  }

  flush(): Promise<void> {
    return this.#parts.reader.flush()
  }

  /** What waits is forgotten: it is read again from there, or was done in another way. */
  async seek(to: Position): Promise<void> {
    await this.#forget()
    await this.#parts.reader.seek(to)
  }

  async skip(to: Position): Promise<number> {
    await this.#forget()
    return this.#parts.reader.skip(to)
  }

  parts(): Promise<readonly StoredPart[]> {
    return this.#parts.reader.parts()
  }

  status(): ReaderStatus {
    return this.#parts.reader.status()
  }

  close(): Promise<void> {
    return this.#parts.reader.close()
  }

  async #forget(): Promise<void> {
    await this.#reading?.batch.catch(() => {})
    this.#reading = undefined
    this.#lent.clear()
    this.#parts.chain.forget()
  }

  async #next(limits: ReadLimits, signal: AbortSignal): Promise<Origin> {
    const { chain, clock } = this.#parts
    const due = chain.due()
    const reading = (this.#reading ??= this.#begin(limits, due !== undefined, signal))
    const isUp =
      due !== undefined && !(await this.#isReadBefore(reading, Math.max(due, reading.sinceMs + CAUGHT_UP_MS)))
    if (isUp && !signal.aborted) return { batch: undefined, filtered: chain.expire(clock.monotonic()) }
    const batch = await reading.batch
    this.#reading = undefined
    return { batch, filtered: chain.run(batch) }
  }

  #begin(limits: ReadLimits, isWaiting: boolean, signal: AbortSignal): Reading {
    const { reader, clock } = this.#parts
    const maxAgeMs = isWaiting ? Math.min(limits.maxAgeMs, LINGER_MS) : limits.maxAgeMs
    const batch = reader.read({ ...limits, maxAgeMs }, signal)
    // Whoever asks next hears of a failure; nobody does once the signal has aborted.
    batch.catch(() => {})
    return { batch, sinceMs: clock.monotonic() }
  }

  /** Whether the read ends, one way or another, before a time. */
  async #isReadBefore({ batch }: Reading, untilMs: number): Promise<boolean> {
    const { clock } = this.#parts
    const read = new AbortController()
    const isDone = batch.then(
      () => true,
      () => true,
    )
    const isOver = clock.sleep(Math.max(0, untilMs - clock.monotonic()), read.signal).then(() => false)
    const isFirst = await Promise.race([isDone, isOver])
    read.abort()
    return isFirst
  }

  /** Counted before the cursor moves, so that the ledger adds up at any time. */
  #settle({ batch, filtered }: Origin): void {
    const { reader, stats } = this.#parts
    stats.add('dropped', filtered.dropped)
    stats.add('joined', filtered.joined)
    if (filtered.released.length > 0) reader.finish(filtered.released)
    if (batch !== undefined) reader.commit(batch, filtered.held)
  }
}
