/**
 * `on_lag: park`: what lags too far is moved out of the buffer, so that its chunks are freed for others, and delivered
 * once the output keeps up again.
 *
 * A parked event is a letter in a store like that of the dead letters: the same files, written before the cursor
 * passes, bounded, and rid of a letter only when the destination has it. So there is one format that can be damaged,
 * recovered and tested. An event that a crash has left in both places has one id. Copying costs more than keeping chunk
 * files would, but it frees what others need and holds what this output matches, behind its filters, and nothing else.
 */
import type { Reader, ReadLimits } from '../../buffer/buffer.ts'
import type { Clock } from '../core/clock.ts'
import { LogboomError } from '../core/errors.ts'
import type { Batch, Position } from '../core/event.ts'
import type { Logger } from '../core/log.ts'
import type { OutputStats } from '../core/output-stats.ts'
import { countReasons } from './batch-delivery.ts'
import { singleEvents } from './batch-selection.ts'
import type { DeadLetter } from './dead-letter-format.ts'
import type { DeadLetters } from './dead-letters.ts'
import { batchOfLetters, distinctLetters } from './letter-batch.ts'
import type { Redeliver } from './letter-desk.ts'
import { findLetters } from './read-letters.ts'

/** Size of a file of parked events: what is left of one is read anew for each step. */
export const PARKED_FILE_BYTES = 4 * 2 ** 20
/** A read that finds nothing to park for so long is given up: what is left may not match. */
const READ_PATIENCE_MS = 2_000
/** The output keeps up while what waits for it is younger. */
const KEEPS_UP_MS = 5_000
const LOOK_INTERVAL_MS = 1_000
/** Rests so many times as long as a step took, so that fresh events have most of the output. */
const REST_SHARE = 3
const STEP_PATIENCE_MS = 20_000

/** Where an output's parked events lie. */
export interface Parked {
  readonly store: DeadLetters
  readonly directory: string
}

export interface ParkParts {
  readonly output: string
  readonly reader: Reader
  readonly parked: Parked
  readonly stats: OutputStats
  readonly limits: ReadLimits
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Parks what is not done before the position, and a little more where a batch goes beyond it. Nothing of the reader is
 * in flight. @returns false when there is no more room.
 */
export async function park(parts: ParkParts, to: Position, signal: AbortSignal): Promise<boolean> {
  const { output, reader, stats, log } = parts
  const before = stats.get('parked')
  try {
    return await parkUntil(parts, to, signal)
  } finally {
    // What was read and not parked, or waits in a filter, is read again.
    await reader.skip(0)
    const count = stats.get('parked') - before
    const { code, message, help } = new LogboomError('LB-P012', { output, count })
    if (count > 0) log.warn({ code, count }, `${message}. ${help}`)
  }
}

async function parkUntil(parts: ParkParts, to: Position, signal: AbortSignal): Promise<boolean> {
  const { reader, parked, stats, clock } = parts
  for (let batch = await readSoon(parts, signal); batch !== undefined; batch = await readSoon(parts, signal)) {
    const hasRoom = await parked.store.append(lettersOf(batch, clock.now())).then(
      () => true,
      (error: Error) => tellFull(parts, error),
    )
    if (!hasRoom) return false
    // Durable, then counted, then passed: so the ledger adds up and a crash repeats what it does not lose.
    stats.add('parked', batch.count)
    stats.set('parkedEvents', parked.store.count())
    reader.commit(batch)
    if (batch.to >= to) break
  }
  await reader.flush()
  return true
}

async function readSoon({ reader, limits }: ParkParts, signal: AbortSignal): Promise<Batch | undefined> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(READ_PATIENCE_MS)])
  try {
    return await reader.read({ ...limits, maxAgeMs: 0 }, soon)
  } catch (error) {
    if (soon.aborted) return undefined
    throw error
  }
}

function lettersOf(batch: Batch, refusedMs: number): DeadLetter[] {
  const all = Array.from({ length: batch.count }, (_, index) => index)
  return singleEvents(batch, all).map((event) => ({ ...event, refusedMs, attempts: 0, reason: 'parked', detail: '' }))
}

function tellFull({ output, log }: ParkParts, { message: reason }: Error): false {
  const { code, message, help } = new LogboomError('LB-P013', { output, reason })
  log.warn({ code }, `${message}. ${help}`)
  return false
}

export interface UnparkParts extends ParkParts {
  readonly deadLetters: Pick<DeadLetters, 'append'>
  readonly redeliver: Redeliver
  /** Whether the destination takes what it is handed. */
  readonly isWell: () => boolean
}

/** Delivers what is parked, the oldest first, while the output keeps up. Resolves when the signal aborts. */
export async function deliverParked(parts: UnparkParts, signal: AbortSignal): Promise<void> {
  const { clock, parked, stats, log, output } = parts
  stats.set('parkedEvents', parked.store.count())
  for (let restMs = LOOK_INTERVAL_MS; ; ) {
    await clock.sleep(restMs, signal)
    if (signal.aborted) return
    restMs = LOOK_INTERVAL_MS
    if (parked.store.count() === 0 || !keepsUp(parts)) continue
    const beganMs = clock.monotonic()
    try {
      await deliverSome(parts)
      restMs = REST_SHARE * (clock.monotonic() - beganMs)
    } catch (error) {
      log.debug({ err: error, output }, 'parked events could not be delivered')
    }
  }
}

function keepsUp({ reader, clock, isWell }: UnparkParts): boolean {
  const { oldestReceivedMs } = reader.status()
  return isWell() && (oldestReceivedMs === undefined || clock.now() - oldestReceivedMs < KEEPS_UP_MS)
}

/** One batch. What the destination refuses for good is a dead letter before it leaves the parked ones. */
async function deliverSome({ parked, limits, stats, deadLetters, redeliver }: UnparkParts): Promise<void> {
  const { store, directory } = parked
  const search = { limit: limits.maxEvents, bytesMax: limits.maxBytes }
  const { letters: found } = await findLetters(directory, search)
  if (found.length === 0) return
  const died = new Map<string, DeadLetter>()
  const grave = { append: async (more: readonly DeadLetter[]) => more.forEach((it) => void died.set(it.id, it)) }
  const letters = distinctLetters(found)
  const tally = await redeliver(batchOfLetters(letters), grave, AbortSignal.timeout(STEP_PATIENCE_MS))
  // Of some it is not known whether they were taken: all are handed over again, under their ids.
  if (tally === undefined) return
  const refused = [...died.values()].filter(({ reason }) => reason !== 'retry_limit')
  if (refused.length > 0) await deadLetters.append(refused)
  const isLeft = (id: string) => died.get(id)?.reason === 'retry_limit'
  const done = found.filter(({ letter }) => !isLeft(letter.id)).map(({ place }) => place)
  stats.add('parkedDelivered', letters.length - died.size)
  stats.add('parkedDead', refused.length)
  stats.countDead(countReasons(refused))
  await store.replace(done, [])
  stats.set('parkedEvents', store.count())
}
