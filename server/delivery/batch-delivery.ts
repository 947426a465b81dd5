/** The life of one batch: written, tried again, halved, its refused events buried, until every event is done. */
import {
  OutputError,
  type OutputFault,
  RETRY_REASONS,
  type Rejection,
  type RetryReason,
  type WriteResult,
} from '../../outputs/output.ts'
import type { Clock } from '../core/clock.ts'
import type { Batch } from '../core/event.ts'
import type { Logger } from '../core/log.ts'
import type { OutputStats } from '../core/output-stats.ts'
import { halve, selectEvents, singleEvents } from './batch-selection.ts'
import type { DeadLetter } from './dead-letter-format.ts'
import type { DeadLetters } from './dead-letters.ts'
import { type Destination, firstWay, type Secondary, secondaryDueMs, type Way } from './destination.ts'
import type { HealthBoard } from './health.ts'
import { backoffMs, type Random } from './retry.ts'

export interface RetryPolicy {
  /** Tries before an event goes to the secondary, or else to the dead letters; undefined: without end. */
  readonly limit: number | undefined
  /** Longest back-off, unless the destination asks for more, ms. */
  readonly maxIntervalMs: number
  readonly random: Random
}

export interface BatchDeliveryParts {
  readonly first: Destination
  readonly secondary: Secondary | undefined
  readonly deadLetters: Pick<DeadLetters, 'append'>
  readonly health: HealthBoard
  readonly stats: OutputStats
  readonly retry: RetryPolicy
  readonly clock: Clock
  readonly log: Logger
  /** Aborts: what has not begun need not begin. A batch that is accepted in part goes on, lest that part come twice. */
  readonly stop: AbortSignal
  /** Aborts: everything is left as it is. */
  readonly abandon: AbortSignal
  /** Called when there is a new wait to be shown. */
  readonly changed: () => void
}

/** What became of a batch that is done: together its count. */
export interface Tally {
  delivered: number
  /** Taken by the secondary. */
  secondary: number
  dead: number
  /** The dead by their reasons. */
  readonly deadBy: Map<string, number>
}

/** A part of the batch that is not done. */
interface Piece {
  readonly batch: Batch
  /** Times it was handed to the destination. */
  readonly attempts: number
  /** Those of them that count towards the retry limit. */
  readonly tries: number
  /** Failures in a row without progress, for the back-off. */
  readonly setbacks: number
  /** End of the back-off before the next try, monotonic ms. */
  readonly notBeforeMs: number
  /** The retry limit is used up: the secondary is asked first. */
  readonly isSpent: boolean
}

/** A write of which nothing was accepted. */
interface Fault {
  readonly fault: OutputFault
  readonly reason: string
  readonly words: string
  readonly retryAfterMs: number | undefined
}

/** Partial: the rest of the batch was accepted or refused, so the destination works. */
type Setback = Fault & { readonly isPartial: boolean }

/** Most characters of the destination's words that are kept. */
const DETAIL_LENGTH_MAX = 1_000

export class BatchDelivery {
  readonly #parts: BatchDeliveryParts
  readonly #tally: Tally = { delivered: 0, secondary: 0, dead: 0, deadBy: new Map() }
  /** What is left to do, the next at the end, so that halves go in order. */
  readonly #work: Piece[]

  constructor(batch: Batch, parts: BatchDeliveryParts) {
    this.#parts = parts
    this.#work = [{ batch, attempts: 0, tries: 0, setbacks: 0, notBeforeMs: 0, isSpent: false }]
  }

  /** Resolves when every event is delivered or durable among the dead letters; undefined: it was left unfinished. */
  async run(): Promise<Tally | undefined> {
    for (let piece = this.#work.pop(); piece !== undefined; piece = this.#work.pop()) {
      const way = await this.#wayOut(piece)
      if (way === undefined || !(await this.#try(piece, way))) return undefined
    }
    return this.#tally
  }

  /**
   * Waits until the piece may be written somewhere; undefined: left unfinished. Once the secondary is used, the
   * output's own destination is still asked whenever its circuit lets a probe through.
   */
  async #wayOut(piece: Piece): Promise<Way | undefined> {
    const { first, secondary, clock } = this.#parts
    const patience = this.#patience()
    const dueMs = secondary === undefined ? undefined : secondaryDueMs(first, secondary, clock)
    if (secondary !== undefined && dueMs !== undefined && dueMs > 0 && !piece.isSpent)
      return (await this.#wayWithin(piece, dueMs)) ?? (patience.aborted ? undefined : this.#wayOut(piece))
    await this.#backedOff(piece, patience)
    if (secondary === undefined) return firstWay([first], patience)
    const { destination } = secondary
    return firstWay(piece.isSpent ? [destination, first] : [first, destination], patience)
  }

  /** The way to the first destination, if there is one before the time is up. */
  async #wayWithin(piece: Piece, limitMs: number): Promise<Way | undefined> {
    const { first, clock } = this.#parts
    const over = new AbortController()
    void clock.sleep(limitMs, over.signal).then(() => over.abort())
    const patience = AbortSignal.any([this.#patience(), over.signal])
    await this.#backedOff(piece, patience)
    const way = await firstWay([first], patience)
    over.abort()
    return way
  }

  async #backedOff({ notBeforeMs }: Piece, patience: AbortSignal): Promise<void> {
    const { clock } = this.#parts
    const waitMs = notBeforeMs - clock.monotonic()
    if (waitMs > 0) await clock.sleep(waitMs, patience)
  }

  #patience(): AbortSignal {
    const { delivered, secondary, dead } = this.#tally
    return delivered + secondary + dead > 0 ? this.#parts.abandon : this.#parts.stop
  }

  /** False: left unfinished. */
  async #try(piece: Piece, way: Way): Promise<boolean> {
    const tried = { ...piece, attempts: piece.attempts + 1 }
    const answer = await this.#write(piece.batch, way.to)
    if (answer === undefined) {
      way.to.circuit.abandoned(way.pass)
      return false
    }
    return 'fault' in answer ? this.#faulted(tried, way, answer) : this.#answered(tried, way, answer)
  }

  async #write(batch: Batch, { writer }: Destination): Promise<WriteResult | Fault | undefined> {
    const { abandon, log } = this.#parts
    try {
      const result = await writer.write(batch, abandon)
      checkResult(result, batch.count)
      return result
    } catch (error) {
      if (abandon.aborted) return undefined
      const words = error instanceof Error ? error.message : String(error)
      if (error instanceof OutputError)
        return { fault: error.fault, reason: error.reason, words, retryAfterMs: error.retryAfterMs }
      log.debug({ err: error }, 'the output threw something else than an OutputError')
      return { fault: 'retry', reason: 'other', words, retryAfterMs: undefined }
    }
  }

  async #answered(piece: Piece, way: Way, { rejected, pending, ...result }: WriteResult): Promise<boolean> {
    const done = piece.batch.count - pending.length
    this.#accepted(way.to, done - rejected.length)
    if (pending.length === 0) this.#succeeded(way)
    const isBuried = rejected.length === 0 || (await this.#bury(piece, rejected, way.to))
    if (pending.length === 0 || !isBuried) return isBuried
    const reason = result.pendingReason ?? 'other'
    const words = `it put off ${pending.length} of ${piece.batch.count} events (${reason})`
    // What only an operator can mend costs no try, also where it holds up a part of the batch alone.
    const fault: Fault = {
      fault: reason === 'blocked' ? 'blocked' : 'retry',
      reason,
      words,
      retryAfterMs: result.retryAfterMs,
    }
    const rest = { ...piece, batch: selectEvents(piece.batch, pending), setbacks: done > 0 ? 0 : piece.setbacks }
    return this.#again(rest, way, { ...fault, isPartial: done > 0 })
  }

  #accepted(to: Destination, count: number): void {
    if (to === this.#parts.first) this.#tally.delivered += count
    else {
      this.#tally.secondary += count
      if (count > 0) this.#parts.first.complaints.handedOver(to.name, count)
    }
  }

  async #faulted(piece: Piece, way: Way, fault: Fault): Promise<boolean> {
    if (fault.fault !== 'split') return this.#again(piece, way, { ...fault, isPartial: false })
    this.#succeeded(way)
    const rejection = { index: 0, reason: fault.reason, detail: fault.words }
    if (piece.batch.count === 1) return this.#bury(piece, [rejection], way.to)
    const [first, second] = halve(piece.batch)
    this.#work.push({ ...piece, batch: second }, { ...piece, batch: first })
    return true
  }

  /** Puts the piece back to be tried again after a while, or gives it up when that was its last try. */
  async #again(piece: Piece, way: Way, fault: Setback): Promise<boolean> {
    const { stats, retry, secondary, clock } = this.#parts
    const isBlocked = fault.fault === 'blocked'
    const tries = piece.tries + (isBlocked ? 0 : 1)
    const waitMs = this.#backOff(piece, way, fault)
    stats.add(isBlocked ? 'retry_blocked' : `retry_${retryReason(fault.reason)}`, 1)
    const isSpent = piece.isSpent || (!isBlocked && retry.limit !== undefined && tries >= retry.limit)
    if (!isSpent || secondary !== undefined) {
      // Where another may take it meanwhile, it waits for the circuit of the one that failed, and no longer.
      const notBeforeMs = secondary !== undefined && !fault.isPartial ? 0 : clock.monotonic() + waitMs
      this.#work.push({ ...piece, tries, setbacks: piece.setbacks + 1, notBeforeMs, isSpent })
      return true
    }
    const rejection = { reason: 'retry_limit', detail: fault.words }
    const all = Array.from({ length: piece.batch.count }, (_, index) => ({ index, ...rejection }))
    return this.#bury(piece, all, way.to)
  }

  /** Tells the circuit and the operator. One draw serves both waits, so that a single batch waits as it does. */
  #backOff(piece: Piece, { to, pass }: Way, { fault, isPartial, reason, words, retryAfterMs }: Setback): number {
    const { health, retry } = this.#parts
    const { circuit, complaints, source } = to
    const drawn = retry.random()
    const bounds = { retryAfterMs, mostMs: retry.maxIntervalMs }
    const delayMs = (failures: number) => backoffMs(failures, () => drawn, bounds)
    const waitMs = delayMs(piece.setbacks + 1)
    if (isPartial) {
      circuit.strained(pass)
      this.#recovered(to)
    } else {
      circuit.failed(pass, delayMs)
      const shown = source === 'secondary' ? `secondary \`${to.name}\`: ${words}` : words
      health.trouble(source, fault === 'blocked' ? 'blocked' : 'retrying', shown)
    }
    if (fault === 'blocked') complaints.blocked(words)
    else complaints.retrying(reason, words, waitMs)
    this.#parts.changed()
    return waitMs
  }

  #succeeded({ to, pass }: Way): void {
    to.circuit.succeeded(pass)
    this.#recovered(to)
  }

  #recovered({ circuit, complaints, source }: Destination): void {
    if (circuit.status().failures > 0) return
    const over = this.#parts.health.recovered(source)
    if (over !== undefined) complaints.recovered(over.lastError)
  }

  /** Makes the refused events durable among the dead letters, however long that takes. False: left unfinished. */
  async #bury(piece: Piece, rejections: readonly Rejection[], by: Destination): Promise<boolean> {
    const { deadLetters, health, stats, clock, retry, first } = this.#parts
    const { complaints } = first
    const from = by === first ? '' : `secondary \`${by.name}\`: `
    const letters = lettersOf(piece, rejections, { refusedMs: clock.now(), from })
    for (let failures = 1; ; failures++) {
      try {
        await deadLetters.append(letters)
        break
      } catch (error) {
        const words = `cannot keep a refused event: ${error instanceof Error ? error.message : error}`
        health.trouble('dead letters', 'blocked', words)
        complaints.blocked(words)
        stats.add('retry_blocked', 1)
        const patience = this.#patience()
        await clock.sleep(backoffMs(failures, retry.random, { mostMs: retry.maxIntervalMs }), patience)
        if (patience.aborted) return false
      }
    }
    health.recovered('dead letters')
    this.#tally.dead += letters.length
    for (const [reason, count] of countReasons(rejections)) {
      this.#tally.deadBy.set(reason, (this.#tally.deadBy.get(reason) ?? 0) + count)
      complaints.died(reason, count)
    }
    return true
  }
}

function retryReason(reason: string): RetryReason {
  return RETRY_REASONS.find((it) => it === reason) ?? 'other'
}

/** An output that numbers events wrongly must not make us lose one: its answer counts as none. */
function checkResult({ rejected, pending }: WriteResult, count: number): void {
  const named = [...rejected.map((it) => it.index), ...pending]
  const isAscending = (list: readonly number[]) => list.every((it, at) => at === 0 || it > list[at - 1]!)
  const isKnown = named.every((index) => Number.isInteger(index) && index >= 0 && index < count)
  if (
    isKnown &&
    new Set(named).size === named.length &&
    isAscending(pending) &&
    isAscending(rejected.map((it) => it.index))
  )
    return
  throw new Error('the output names events that are not in the batch, twice, or out of order')
}

interface Refusal {
  readonly refusedMs: number
  /** Says who refused, before the words. */
  readonly from: string
}

function lettersOf(
  { batch, attempts }: Piece,
  rejections: readonly Rejection[],
  { refusedMs, from }: Refusal,
): DeadLetter[] {
  const indexes = rejections.map((it) => it.index)
  return singleEvents(batch, indexes).map((event, at) => {
    const { reason, detail } = rejections[at]!
    return { ...event, refusedMs, attempts, reason, detail: `${from}${detail}`.slice(0, DETAIL_LENGTH_MAX) }
  })
}

export function countReasons(refused: readonly { readonly reason: string }[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { reason } of refused) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return counts
}
