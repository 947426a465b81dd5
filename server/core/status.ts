/** What `/api/v1/status`, `logboom status` and the console show: one report, made by `server/pipeline.ts`. */
import type { BufferStatus } from '../../buffer/buffer.ts'

export type RunState = 'starting' | 'running' | 'draining'

export interface InputReport {
  readonly name: string
  readonly type: string
  readonly addresses: readonly string[]
  readonly connections: number
  readonly events: number
  readonly bytes: number
  /** Only reasons that occurred. */
  readonly rejected: Readonly<Record<string, number>>
}

export interface OutputReport {
  readonly name: string
  readonly type: string
  readonly match: string
  /** `ok`, `retrying`, `blocked`, `restarting`. */
  readonly state: string
  /** In words, when the state is not `ok`; with `ok`, which part of the destination is missing. */
  readonly lastError: string | undefined
  /** Wall clock of the next try while retrying, ms since 1970. */
  readonly nextTryMs: number | undefined
  readonly delivered: number
  /** Events that its `secondary` took. */
  readonly secondary: number
  readonly dead: number
  readonly dropped: number
  /** Moved out of the buffer since the start (`on_lag: park`), and those that are parked now. */
  readonly parked: number
  readonly parkedEvents: number
  /** Events that a filter made part of another. */
  readonly joined: number
  /** What filters could not do, by reason; only reasons that occurred. */
  readonly filterErrors: Readonly<Record<string, number>>
  readonly unmatched: number
  readonly lagEvents: number
  readonly oldestAgeS: number | undefined
  readonly deadLetters: number
  /** Bytes on disk that wait to be stored: only where the output stages (s3). */
  readonly stagedBytes: number
  /** Received less all the above: 0, or there is a fault in Logboom. */
  readonly unaccounted: number
  /** Only reasons that occurred. */
  readonly retries: Readonly<Record<string, number>>
}

/** One who was turned away: see `server/core/knocks.ts`. */
export interface KnockReport {
  /** When it was last: ISO 8601, UTC. */
  readonly at: string
  readonly input: string
  readonly peer: string
  readonly code: string
  readonly text: string
  readonly count: number
}

export interface StatusReport {
  readonly version: string
  readonly node: string
  readonly pid: number
  readonly state: RunState
  /** Why `/readyz` says 503; empty when ready. */
  readonly reasons: readonly string[]
  readonly startedMs: number
  readonly configFile: string | undefined
  readonly inputs: readonly InputReport[]
  readonly buffer: BufferStatus
  readonly outputs: readonly OutputReport[]
  /** Who knocked in vain of late, the latest one first; a bounded number. */
  readonly doorbell: readonly KnockReport[]
}
