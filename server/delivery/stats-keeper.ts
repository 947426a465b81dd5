/** Keeps an output's shared counters true: added to when a batch is done, the rest looked up at least once a second. */
import type { Reader } from '../../buffer/buffer.ts'
import type { Clock } from '../core/clock.ts'
import { LogboomError } from '../core/errors.ts'
import type { Batch } from '../core/event.ts'
import type { Logger } from '../core/log.ts'
import type { OutputStats } from '../core/output-stats.ts'
import type { Tally } from './batch-delivery.ts'
import type { Circuit } from './circuit.ts'
import type { DeadLetters } from './dead-letters.ts'

const REFRESH_INTERVAL_MS = 1_000

export interface StatsParts {
  readonly reader: Reader
  readonly deadLetters: DeadLetters
  readonly stats: OutputStats
  readonly clock: Clock
  readonly log: Logger
}

export interface StatsKeeper {
  /** Counts a batch of which every event is done; called before it is committed. */
  done(batch: Batch, tally: Tally): void
  refresh(): void
  /** The cursor has jumped: what is counted stays, and the ledger goes on from there. */
  rebase(): void
  /** Resolves when the signal aborts. */
  refreshEverySecond(signal: AbortSignal): Promise<void>
}

/**
 * The counters may hold what an earlier thread of the same output counted. What that thread delivered after its last
 * durable cursor is delivered and counted again, so the ledger begins anew: `startPosition` is where the cursor would
 * have started for all that was counted to be right. Events beyond the cursor that are done will be passed uncounted.
 */
export function createStatsKeeper(parts: StatsParts, circuit: Circuit): StatsKeeper {
  const { reader, deadLetters, stats, clock } = parts
  const unmatchedBefore = stats.get('unmatched')
  const damagedBefore = stats.get('damaged')
  function begin(): void {
    const { cursor, doneBeyondEvents } = reader.status()
    // One of the two numbers is ahead for a moment: never the cursor, or events would seem to be missing.
    stats.set('cursor', Math.min(stats.get('cursor'), cursor))
    stats.set('startPosition', cursor + doneBeyondEvents - stats.countDone())
  }
  begin()

  let damageTold = 0
  let troubleTold: string | undefined

  function countPassed(): void {
    const { unmatchedEvents, damagedEvents, lastDamagedChunk } = reader.status()
    if (damagedEvents > damageTold) tellDamage(parts.log, lastDamagedChunk ?? 'the buffer', damagedEvents - damageTold)
    damageTold = damagedEvents
    stats.set('unmatched', unmatchedBefore + unmatchedEvents)
    stats.set('damaged', damagedBefore + damagedEvents)
  }

  function refresh(): void {
    const { cursor, oldestReceivedMs, lagEvents, trouble } = reader.status()
    const { failures, openUntilMs, writing } = circuit.status()
    countPassed()
    if (trouble !== undefined && trouble !== troubleTold) parts.log.warn({}, trouble)
    troubleTold = trouble
    stats.set('readerLag', lagEvents)
    stats.set('oldestReceivedMs', oldestReceivedMs ?? 0)
    stats.set('deadLetters', deadLetters.count())
    stats.set('inFlight', writing)
    stats.set('attempt', failures)
    stats.set('nextTryMs', openUntilMs === undefined ? 0 : clock.now() + openUntilMs - clock.monotonic())
    // Last, since the events that the cursor has passed must have been counted by then.
    stats.set('cursor', cursor)
  }
  refresh()

  return {
    refresh,
    rebase() {
      countPassed()
      begin()
      refresh()
    },
    done(batch, { delivered, secondary, dead, deadBy }) {
      stats.add('delivered', delivered)
      stats.add('secondary', secondary)
      stats.add('dead', dead)
      stats.countDead(deadBy)
      if (delivered === 0) return
      const receivedMs = batch.streams.reduce((first, stream) => Math.min(first, stream.receivedMs), Infinity)
      stats.observeLatency(Math.max(0, clock.now() - receivedMs) / 1000)
    },
    async refreshEverySecond(signal) {
      while (!signal.aborted) {
        await clock.sleep(REFRESH_INTERVAL_MS, signal)
        refresh()
      }
    },
  }
}

/** At most once a second, as all the counters: what damage has cost since. */
function tellDamage(log: Logger, file: string, events: number): void {
  const { code, message, help } = new LogboomError('LB-B006', { file, events })
  log.error({ code }, `${message}. ${help}`)
}
