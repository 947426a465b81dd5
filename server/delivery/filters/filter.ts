/** The contract of a filter: declared fields, compiled to a stage that events go through one by one. */
import type { ConfigOf, Described, Fields } from '../../core/fields.ts'
import type { FilterReason } from '../../core/metrics.ts'
import type { FilterEvent } from './filter-event.ts'

export interface Filter<F extends Fields> extends Described<F> {
  /**
   * Makes a stage, which may keep state: once for each output's thread, and once to check the configuration.
   * Throws FilterFieldError for what the fields' declarations cannot say.
   */
  compile(config: ConfigOf<F>, context: FilterContext): Stage
}

export interface FilterContext {
  /** Monotonic ms. */
  monotonic(): number
  /** Counts what did not go as it should, for the metric. */
  count(reason: FilterReason): void
}

/** One filter of one output. It makes nothing of an event's tag: whether it matches was asked before. */
export interface Stage {
  /**
   * Hands the event on, now or later, or drops it: exactly one of `out`'s words for each event.
   * Throws FilterFault, before it has changed anything: the event goes on as it was, marked.
   */
  take(event: FilterEvent, out: Passage): void
  /** When what waits has waited long enough, monotonic ms; undefined: nothing waits. */
  due?(): number | undefined
  /** Hands on what is due. */
  expire?(nowMs: number, out: Passage): void
  /** Lets go of what waits without handing it on. */
  forget?(): void
}

/** What a stage can do with an event. */
export interface Passage {
  /** On to the next filter, or to the output. */
  pass(event: FilterEvent): void
  drop(event: FilterEvent): void
  /** The event waits: the cursor does not pass it. The copy that is returned is the stage's to keep and to hand on. */
  hold(event: FilterEvent): FilterEvent
}

/** A filter of the configuration, for the threads: plain data. */
export interface FilterOrder {
  /** The action, such as `grep`. */
  readonly type: string
  /** URL of the module that exports it as `filter`. */
  readonly module: string
  readonly match: string
  /** `ConfigOf` the filter's fields. */
  readonly options: object
}

/** A filter cannot do with an event what it should; the event is kept. */
export class FilterFault extends Error {
  override readonly name = 'FilterFault'
  readonly reason: FilterReason
  constructor(reason: FilterReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** A field of a filter's configuration that cannot be used, with its path below the action. */
export class FilterFieldError extends Error {
  override readonly name = 'FilterFieldError'
  readonly within: readonly (string | number)[]
  /** How it may be written. */
  readonly example: string
  constructor(within: readonly (string | number)[], reason: string, example: string) {
    super(reason)
    this.within = within
    this.example = example
  }
}
