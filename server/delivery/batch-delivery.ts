/** The life of one batch: written, tried again, halved, its refused events buried, until every event is done. */
import {
  OutputError,
  type OutputFault,
  RETRY_REASONS,
  type Rejection,
  type RetryReason,
  type WriteResult,
  type Writer,
} from '../../outputs/output.ts'
import type { Clock } from '../core/clock.ts'
import type { Batch } from '../core/event.ts'
import type { Logger } from '../core/log.ts'
import type { OutputStats } from '../core/output-stats.ts'
import { halve, selectEvents, singleEvents } from './batch-selection.ts'
import type { Circuit, Pass } from './circuit.ts'
import type { Complaints } from './complaints.ts'
import type { DeadLetter } from './dead-letter-format.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { HealthBoard } from './health.ts'
import { backoffMs, type Random } from './retry.ts'

export interface RetryPolicy {
  /** Tries before an event goes to the dead letters; undefined: without end. */
  readonly limit: number | undefined
  /** Longest back-off, unless the destination asks for more, ms. */
  readonly maxIntervalMs: number
  readonly random: Random
}

export interface BatchDeliveryParts {
  readonly writer: Writer
  readonly circuit: Circuit
  readonly deadLetters: Pick<DeadLetters, 'append'>
  readonly health: HealthBoard
  readonly complaints: Complaints
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
  dead: number
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
  /** The back-off before the next try. */
  readonly waitMs: number
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
  readonly #tally: Tally = { delivered: 0, dead: 0 }
  /** What is left to do, the next at the end, so that halves go in order. */
  readonly #work: Piece[]

  constructor(batch: Batch, parts: BatchDeliveryParts) {
    this.#parts = parts
    this.#work = [{ batch, attempts: 0, tries: 0, setbacks: 0, waitMs: 0 }]
  }

  /** Resolves when every event is delivered or durable among the dead letters; undefined: it was left unfinished. */
  async run(): Promise<Tally | undefined> {
    const { circuit, clock } = this.#parts
    for (let piece = this.#work.pop(); piece !== undefined; piece = this.#work.pop()) {
      if (piece.waitMs > 0) await clock.sleep(piece.waitMs, this.#patience())
      const pass = await circuit.enter(this.#patience())
      if (pass === undefined || !(await this.#try(piece, pass))) return undefined
    }
    return this.#tally
  }

  #patience(): AbortSignal {
    return this.#tally.delivered + this.#tally.dead > 0 ? this.#parts.abandon : this.#parts.stop
  }

  /** False: left unfinished. */
  async #try(piece: Piece, pass: Pass): Promise<boolean> {
    const tried = { ...piece, attempts: piece.attempts + 1 }
    const answer = await this.#write(piece.batch)
    if (answer === undefined) {
      this.#parts.circuit.abandoned(pass)
      return false
    }
    return 'fault' in answer ? this.#faulted(tried, pass, answer) : this.#answered(tried, pass, answer)
  }

  async #write(batch: Batch): Promise<WriteResult | Fault | undefined> {
    const { writer, abandon, log } = this.#parts
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

  async #answered(piece: Piece, pass: Pass, { rejected, pending, ...result }: WriteResult): Promise<boolean> {
    const done = piece.batch.count - pending.length
    this.#tally.delivered += done - rejected.length
    if (pending.length === 0) this.#succeeded(pass)
    const isBuried = rejected.length === 0 || (await this.#bury(piece, rejected))
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
    return this.#again(rest, pass, { ...fault, isPartial: done > 0 })
  }

  async #faulted(piece: Piece, pass: Pass, fault: Fault): Promise<boolean> {
    if (fault.fault !== 'split') return this.#again(piece, pass, { ...fault, isPartial: false })
    this.#succeeded(pass)
    if (piece.batch.count === 1) return this.#bury(piece, [{ index: 0, reason: fault.reason, detail: fault.words }])
    const [first, second] = halve(piece.batch)
    this.#work.push({ ...piece, batch: second, waitMs: 0 }, { ...piece, batch: first, waitMs: 0 })
    return true
  }

  /** Puts the piece back to be tried again after a while, or among the dead letters when that was its last try. */
  async #again(piece: Piece, pass: Pass, fault: Setback): Promise<boolean> {
    const { stats, retry } = this.#parts
    const isBlocked = fault.fault === 'blocked'
    const tries = piece.tries + (isBlocked ? 0 : 1)
    const waitMs = this.#backOff(piece, pass, fault)
    stats.add(isBlocked ? 'retry_blocked' : `retry_${retryReason(fault.reason)}`, 1)
    if (isBlocked || retry.limit === undefined || tries < retry.limit) {
      this.#work.push({ ...piece, tries, setbacks: piece.setbacks + 1, waitMs })
      return true
    }
    const rejection = { reason: 'retry_limit', detail: fault.words }
    return this.#bury(
      piece,
      Array.from({ length: piece.batch.count }, (_, index) => ({ index, ...rejection })),
    )
  }

  /** Tells the circuit and the operator. One draw serves both waits, so that a single batch waits as it does. */
  #backOff(piece: Piece, pass: Pass, { fault, isPartial, reason, words, retryAfterMs }: Setback): number {
    const { circuit, health, complaints, retry } = this.#parts
    const drawn = retry.random()
    const bounds = { retryAfterMs, mostMs: retry.maxIntervalMs }
    const delayMs = (failures: number) => backoffMs(failures, () => drawn, bounds)
    const waitMs = delayMs(piece.setbacks + 1)
    if (isPartial) {
      circuit.strained(pass)
      this.#recovered()
    } else {
      circuit.failed(pass, delayMs)
      health.trouble('destination', fault === 'blocked' ? 'blocked' : 'retrying', words)
    }
    if (fault === 'blocked') complaints.blocked(words)
    else complaints.retrying(reason, words, waitMs)
    this.#parts.changed()
    return waitMs
  }

  #succeeded(pass: Pass): void {
    this.#parts.circuit.succeeded(pass)
    this.#recovered()
  }

  #recovered(): void {
    const { circuit, health, complaints } = this.#parts
    if (circuit.status().failures > 0) return
    const over = health.recovered('destination')
    if (over !== undefined) complaints.recovered(over.lastError)
  }

  /** Makes the refused events durable among the dead letters, however long that takes. False: left unfinished. */
  async #bury(piece: Piece, rejections: readonly Rejection[]): Promise<boolean> {
    const { deadLetters, health, complaints, stats, clock, retry } = this.#parts
    const letters = lettersOf(piece, rejections, clock.now())
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
    complainOfDead(rejections, complaints)
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

function lettersOf({ batch, attempts }: Piece, rejections: readonly Rejection[], refusedMs: number): DeadLetter[] {
  const indexes = rejections.map((it) => it.index)
  return singleEvents(batch, indexes).map((event, at) => {
    const { reason, detail } = rejections[at]!
    return { ...event, refusedMs, attempts, reason, detail: detail.slice(0, DETAIL_LENGTH_MAX) }
  })
}

function complainOfDead(rejections: readonly Rejection[], complaints: Complaints): void {
  const counts = new Map<string, number>()
  for (const { reason } of rejections) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  for (const [reason, count] of counts) complaints.died(reason, count)
}
