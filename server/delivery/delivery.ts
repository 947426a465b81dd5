/** The main thread's handle on one output's thread. */
import type { ReaderSeat } from '../../buffer/buffer.ts'
import type { Sequence } from '../core/event.ts'
import type { Logger } from '../core/log.ts'
import type { OutputDesk } from '../core/output-desk.ts'
import type { OutputStats } from '../core/output-stats.ts'
import type { FilterOrder } from './filters/filter.ts'
import type { LagLimit } from './lag.ts'

/** Everything a delivery thread is told; plain data that crosses by structured clone. */
export interface DeliveryOrder {
  readonly output: string
  readonly type: string
  /** URL of the output's module, which exports `output`. */
  readonly module: string
  readonly options: object
  readonly seat: ReaderSeat
  /** Of the tag as it came. */
  readonly match: string
  /** In their order; most outputs have none, and their events are not looked at. */
  readonly filters: readonly FilterOrder[]
  readonly batch: { readonly sizeBytes: number; readonly events: number; readonly ageMs: number }
  readonly retry: { readonly limit: number | undefined; readonly maxIntervalMs: number }
  /** What takes the events that this output does not get rid of. */
  readonly secondary?: SecondaryOrder | undefined
  /** Beyond it the oldest events are skipped or parked; undefined: they never are. */
  readonly lagLimit: LagLimit | undefined
  readonly node: string
  readonly sequence: Sequence
  /** `<buffer.path>/outputs/<output>`: the output's own folder. */
  readonly directory: string
  /** `<buffer.path>/dead-letters/<output>`: this output's dead letters and nothing else; made if need be. */
  readonly deadLetterDirectory: string
  readonly deadLettersMaxBytes: number
  /** Undefined: nothing is parked, and nothing will be. */
  readonly parked?: { readonly directory: string; readonly maxBytes: number } | undefined
  readonly logLevel: string
}

/** Another output of the file, opened a second time for this one. */
export interface SecondaryOrder {
  readonly output: string
  readonly module: string
  readonly options: object
  /** A folder for this use of it alone. */
  readonly directory: string
  /** ms. */
  readonly afterMs: number
}

export interface Delivery {
  readonly stats: OutputStats
  /**
   * `ok`, or what is wrong in the destination's words and when it is tried again:
   * `elasticsearch answers 503; next try in 4 s`. `restarting`: the thread died.
   */
  state(): { readonly state: 'ok' | 'retrying' | 'blocked' | 'restarting'; readonly lastError: string | undefined }
  /** Asks the thread. Rejects with LogboomError LB-P002 while the thread is away. */
  readonly desk: OutputDesk
  /** Finishes the batches in flight, or leaves them in the buffer after `limitMs`; makes the cursor durable. */
  close(limitMs: number): Promise<void>
}

/**
 * Starts the thread; one that dies is started again after a pause. Resolves once the output is open.
 * Throws LogboomError LB-O004 when it cannot be opened.
 */
export type StartDelivery = (order: DeliveryOrder, log: Logger) => Promise<Delivery>
