/** What the admin side may ask of the running server; the pipeline provides it. Nothing here does anything. */

import type { Logger } from '../core/log.ts'
import type { InputStats } from '../core/metrics.ts'
import type { OutputDesk } from '../core/output-desk.ts'
import type { OutputStats } from '../core/output-stats.ts'
import type { EventSearch } from '../core/search.ts'
import type { StatusReport } from '../core/status.ts'

export interface AdminSources {
  /** Cheap: the console asks every two seconds, and `/readyz` whenever it is probed. */
  status(): StatusReport
  inputs(): Iterable<{ readonly name: string; readonly stats: InputStats }>
  outputs(): Iterable<{ readonly name: string; readonly stats: OutputStats }>
  /** One desk an output, by its name. */
  desks(): ReadonlyMap<string, OutputDesk>
  buffer(): StatusReport['buffer']
  /** The longest delay of late. */
  eventLoopDelaySeconds(): number
  /** Undefined: no output keeps events that can be searched. */
  readonly search: EventSearch | undefined
  readonly version: string
  readonly log: Logger
}
