/** One output's loop: reader → batches in flight → cursor. The life of a single batch is in batch-delivery.ts. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Reader, ReadLimits } from '../../buffer/buffer.ts'
import type { Writer } from '../../outputs/output.ts'
import type { Clock } from '../core/clock.ts'
import type { Batch } from '../core/event.ts'
import type { Logger } from '../core/log.ts'
import type { OutputStats } from '../core/output-stats.ts'
import { BatchDelivery, type BatchDeliveryParts, type RetryPolicy, type Tally } from './batch-delivery.ts'
import { createCircuit } from './circuit.ts'
import { createComplaints } from './complaints.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Destination, Secondary } from './destination.ts'
import { createHealthBoard, type Health } from './health.ts'
import { type LagLimit, watchLag } from './lag.ts'
import type { Redeliver } from './letter-desk.ts'
import { deliverParked, type Parked } from './parking.ts'
import { type Rewind, rewind } from './rewind.ts'
import { createRounds, type Rounds } from './rounds.ts'
import { createStatsKeeper, type StatsKeeper } from './stats-keeper.ts'

export interface DeliveryParts {
  /** The output's name, for what the operator is told. */
  readonly output: string
  readonly reader: Reader
  readonly writer: Writer
  /** Undefined: what the output does not get rid of becomes dead letters, or waits. */
  readonly secondary?: SecondaryParts | undefined
  readonly deadLetters: DeadLetters
  readonly stats: OutputStats
  readonly retry: RetryPolicy
  readonly limits: DeliveryLimits
  /** Beyond it the oldest events are skipped or parked; undefined: they never are. */
  readonly lagLimit?: LagLimit | undefined
  /** Undefined: nothing is parked, and nothing will be. */
  readonly parked?: Parked | undefined
  readonly clock: Clock
  readonly log: Logger
  /** Called once, with the ways to have events delivered that are done already. */
  readonly onOpen?: (ways: { readonly redeliver: Redeliver; readonly rewind: Rewind }) => void
  /** Called with each change of the output's health. */
  readonly onHealth: (health: Health) => void
  /**
   * Aborts: nothing more is read, writes in flight are waited for, and batches that wait for another try are left in
   * the buffer, except those of which a part was accepted.
   */
  readonly signal: AbortSignal
  /** Aborts: what is in flight is left in the buffer too; goes to the writer. */
  readonly abandon: AbortSignal
}

/** The output that is named as `secondary`: a writer of its own for this one. */
export interface SecondaryParts {
  readonly name: string
  readonly writer: Writer
  /** Writes in flight at a time. */
  readonly concurrency: number
  /** It is used once nothing was accepted for so long. */
  readonly afterMs: number
}

type Signals = Pick<BatchDeliveryParts, 'stop' | 'abandon'>

export interface DeliveryLimits extends ReadLimits {
  /** Batches in flight at a time; 1 keeps their order. */
  readonly concurrency: number
}

/** A replayed event is given back after so many tries: it is safe where it was, and someone waits for the answer. */
const REPLAY_TRIES = 3

/**
 * Delivers until the signal aborts; then makes the cursor durable and resolves. Closes nothing.
 * Rejects with what the reader throws: nothing is lost, since the cursor did not move over what was in flight.
 */
export async function runDelivery(parts: DeliveryParts): Promise<void> {
  const { reader, limits } = parts
  const failure = new AbortController()
  const ended = new AbortController()
  const stop = AbortSignal.any([parts.signal, parts.abandon, failure.signal])
  const abandon = AbortSignal.any([parts.abandon, failure.signal])
  const { first, secondary } = openDestinations(parts, ended.signal)
  const keeper = createStatsKeeper(parts, first.circuit)
  const health = createHealthBoard((news) => {
    parts.stats.set('blocked', news.state === 'blocked' ? 1 : 0)
    parts.onHealth(news)
  }, parts.writer)
  const batchParts = { ...parts, first, secondary, health, stop, abandon, changed: keeper.refresh }
  const seats = createSeats(limits.concurrency)
  const rounds = createRounds(parts.output)

  async function deliverUntil(signals: Signals): Promise<void> {
    for (;;) {
      await seats.oneFree()
      const batch = await readOne(reader, limits, signals.stop)
      if (batch === undefined) return
      seats.take()
      void deliver(batch, signals)
        .catch((error: unknown) => failure.abort(error))
        .finally(seats.giveBack)
      // A reader and a writer that never wait would keep the thread from hearing anything else.
      await nextTurn()
    }
  }

  async function deliver(batch: Batch, signals: Signals): Promise<void> {
    const tally: Tally | undefined = await new BatchDelivery(batch, { ...batchParts, ...signals }).run()
    if (tally !== undefined) {
      keeper.done(batch, tally)
      reader.commit(batch)
    }
    keeper.refresh()
  }

  const again = createRedelivery(batchParts)

  parts.stats.set('blocked', 0)
  const whileIdle = jumps(reader, rounds, keeper)
  parts.onOpen?.({ redeliver: again.redeliver, rewind: (to) => whileIdle(() => rewind(reader, to)) })
  const { lagLimit, parked } = parts
  if (lagLimit !== undefined) void watchLag({ ...parts, parked, limit: lagLimit, whileIdle }, stop)
  const isWell = () => first.circuit.status().failures === 0
  const unparking = parked && deliverParked({ ...parts, parked, redeliver: again.redeliver, isWell }, stop)
  void keeper.refreshEverySecond(ended.signal)
  try {
    while (!stop.aborted) {
      const round = rounds.begin()
      await deliverUntil({ stop: AbortSignal.any([stop, round]), abandon: AbortSignal.any([abandon, round]) })
      if (!failure.signal.aborted) await seats.allFree()
      if (!stop.aborted) await rounds.end()
    }
    await unparking
    if (!failure.signal.aborted) await again.settled()
    failure.signal.throwIfAborted()
    await reader.flush()
  } finally {
    failure.abort()
    ended.abort()
    rounds.close()
    keeper.refresh()
  }
}

/** Changes while nothing is in flight. Where the cursor jumps, the ledger is begun anew from there. */
function jumps(reader: Reader, rounds: Rounds, keeper: StatsKeeper) {
  return <T>(change: () => Promise<T>): Promise<T> =>
    rounds.whileIdle(async () => {
      // What was cut short is read again, also where nothing comes of the change.
      await reader.skip(0)
      const result = await change()
      keeper.rebase()
      return result
    })
}

function openDestinations(
  { output, writer, secondary, limits, clock, log }: DeliveryParts,
  signal: AbortSignal,
): { readonly first: Destination; readonly secondary: Secondary | undefined } {
  const own = (name: string, concurrency: number) => {
    return { name, circuit: createCircuit(concurrency, clock, signal), complaints: createComplaints(name, log, clock) }
  }
  const first: Destination = { ...own(output, limits.concurrency), writer, source: 'destination' }
  if (secondary === undefined) return { first, secondary }
  const { name, concurrency, afterMs } = secondary
  const destination: Destination = { ...own(name, concurrency), writer: secondary.writer, source: 'secondary' }
  return { first, secondary: { destination, afterMs } }
}

/** The same circuit and the same writer, so that a replay takes no more of the destination than is allowed. */
function createRedelivery(parts: BatchDeliveryParts): { redeliver: Redeliver; settled(): Promise<unknown> } {
  const { retry, stop, abandon } = parts
  let running: Promise<unknown> = Promise.resolve()
  return {
    redeliver(batch, deadLetters, patience) {
      const run = new BatchDelivery(batch, {
        ...parts,
        deadLetters,
        secondary: undefined,
        retry: { ...retry, limit: REPLAY_TRIES },
        stop: AbortSignal.any([stop, patience]),
        abandon: AbortSignal.any([abandon, patience]),
      }).run()
      running = Promise.allSettled([running, run])
      return run
    },
    settled: () => running,
  }
}

/** Undefined: the signal aborted. */
async function readOne(reader: Reader, limits: ReadLimits, stop: AbortSignal): Promise<Batch | undefined> {
  if (stop.aborted) return undefined
  try {
    return await reader.read(limits, stop)
  } catch (error) {
    if (stop.aborted) return undefined
    throw error
  }
}

/** Counts the batches in flight. */
function createSeats(most: number) {
  let taken = 0
  let wake = () => {}
  const changed = () => new Promise<void>((resolve) => (wake = resolve))
  return {
    async oneFree(): Promise<void> {
      while (taken >= most) await changed()
    },
    take(): void {
      taken += 1
    },
    giveBack(): void {
      taken -= 1
      wake()
    },
    async allFree(): Promise<void> {
      while (taken > 0) await changed()
    },
  }
}
