/** The contract of an output: a small `Writer`; batching, retry, dead letters and the cursor are the delivery's. */
import type { Clock } from '../server/core/clock.ts'
import type { Batch, Sequence } from '../server/core/event.ts'
import type { ConfigOf, Described, Fields } from '../server/core/fields.ts'
import type { Logger } from '../server/core/log.ts'
import type { OutputStats } from '../server/core/output-stats.ts'
import type { EventSearch } from '../server/core/search.ts'

/** All an output knows of the rest. */
export interface OutputContext {
  /** The output's name in the configuration. */
  readonly name: string
  /** This instance's name among others: `node.id`. */
  readonly node: string
  readonly sequence: Sequence
  /** A folder of the output's own, made before `open`. */
  readonly directory: string
  readonly log: Logger
  readonly clock: Clock
  /** Where an output notes what it measures itself; the delivery counts the events. */
  readonly stats: Pick<OutputStats, 'add' | 'set'>
}

export interface Output<F extends Fields> extends Described<F> {
  /** Most `write` calls in flight at a time; 1 keeps the order. Default 1. */
  concurrency?(config: ConfigOf<F>): number
  /** Imports its SDK here, not at the top of the file. Does not wait for the destination to be reachable. */
  open(config: ConfigOf<F>, context: OutputContext): Promise<Writer>
  /** Where the store can be asked: opened on the main thread, so it must answer without blocking it. */
  openSearch?(config: ConfigOf<F>, context: OutputContext): Promise<EventSearch>
}

export interface Writer {
  /**
   * Writes the batch; its memory is the caller's again when the promise settles.
   * What is neither rejected nor pending was accepted. Throws OutputError: nothing was accepted.
   */
  write(batch: Batch, signal: AbortSignal): Promise<WriteResult>
  /**
   * Of an output that goes on although a part of its destination does not work, such as one server of several: calls
   * `changed` now and at each change, with what is wrong in words, or undefined when all of it works.
   */
  watchParts?(changed: (words: string | undefined) => void): void
  close(): Promise<void>
}

export interface WriteResult {
  /** Refused for good: goes to the dead letters. Ascending by index. */
  readonly rejected: readonly Rejection[]
  /** To be tried again: indexes into the batch, ascending. */
  readonly pending: readonly number[]
  /** Why they are pending, for the metric: `throttled`, `unavailable`. */
  readonly pendingReason?: RetryReason
  /** How long the destination asked to be left alone. */
  readonly retryAfterMs?: number
}

export interface Rejection {
  /** Index of the event in the batch. */
  readonly index: number
  /** The destination's name for the fault, such as `document_parsing_exception`. */
  readonly reason: string
  /** The destination's words, at most 1,000 characters. */
  readonly detail: string
}

export const ALL_ACCEPTED: WriteResult = { rejected: [], pending: [] }

export const RETRY_REASONS = ['network', 'timeout', 'throttled', 'unavailable', 'blocked', 'other'] as const
export type RetryReason = (typeof RETRY_REASONS)[number]

/**
 * What the delivery must do with a batch of which nothing was accepted:
 * `retry` it later; wait `blocked` until an operator mends what only an operator can (credentials, a missing index);
 * `split` it, because it was refused whole (413, 400), until the culprit stands alone.
 */
export type OutputFault = 'retry' | 'blocked' | 'split'

export class OutputError extends Error {
  override readonly name = 'OutputError'
  readonly fault: OutputFault
  readonly reason: RetryReason | string
  readonly retryAfterMs: number | undefined
  constructor(
    fault: OutputFault,
    reason: RetryReason | string,
    message: string,
    options?: { retryAfterMs?: number; cause?: unknown },
  ) {
    super(message, { cause: options?.cause })
    this.fault = fault
    this.reason = reason
    this.retryAfterMs = options?.retryAfterMs
  }
}
