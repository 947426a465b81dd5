/** What may be asked of an output while it runs: by the API, the console and the command line. Only shapes. */

import type { Position } from './event.ts'

/** Letters of one answer, and of one step of a replay. */
export const LETTERS_MAX = 1_000

export interface LetterCause {
  /** The destination's name for the fault, or `retry_limit`. */
  readonly cause: string
  readonly letters: number
  /** When the first and the last of them was refused, ms since 1970. */
  readonly oldestMs: number
  readonly newestMs: number
}

export interface LetterSummary {
  readonly output: string
  readonly letters: number
  /** Of the events themselves. */
  readonly bytes: number
  /** The most frequent first; at most CAUSES_MAX, the rest together as `other causes`. */
  readonly causes: readonly LetterCause[]
}

/** One dead letter as it is shown. */
export interface ShownLetter {
  readonly cause: string
  /** The destination's words. */
  readonly detail: string
  readonly attempts: number
  readonly refusedMs: number
  readonly receivedMs: number
  readonly position: number
  readonly id: string
  readonly tag: string
  /** The event's time as ISO 8601, UTC; nothing where its client gave none. */
  readonly time?: string
  /** JSON text of the record; base64 of the packed entry, where the record cannot be said in JSON. */
  readonly record?: string
  readonly packed?: string
}

export interface LetterQuery {
  /** Only those of this cause. */
  readonly cause?: string
  /** At most so many, 1 to LETTERS_MAX. */
  readonly limit: number
  /** `next` of the answer before. */
  readonly from?: string
}

export interface LetterPage {
  readonly letters: readonly ShownLetter[]
  /** Absent: there are no more. */
  readonly next?: string
}

export interface ReplayQuery extends LetterQuery {
  /** `before` of the first answer: what dies again is not replayed again. */
  readonly before?: number
}

export interface ReplayStep {
  /** Letters that the destination has now; they have left the store. */
  readonly replayed: number
  /** Letters it refused once more; they are in the store with one attempt more. */
  readonly dead: number
  readonly before: number
  readonly next?: string
}

/** One of the two. */
export interface RewindQuery {
  readonly position?: number
  /** ms since 1970. */
  readonly timeMs?: number
}

/** The events [from, to) are delivered again. */
export interface Rewound {
  readonly from: Position
  readonly to: Position
}

/** Rejects with LogboomError: LB-P002 when the output cannot be asked, LB-P003 when it did not take a replay. */
export interface OutputDesk {
  list(): Promise<LetterSummary>
  /** Oldest first. */
  show(query: LetterQuery): Promise<LetterPage>
  /** One step: hands up to `limit` letters to the output, and to it alone. */
  replay(query: ReplayQuery): Promise<ReplayStep>
  discard(query: { readonly cause?: string }): Promise<{ readonly discarded: number }>
  /** The cursor goes back. Rejects with LB-P008 when nothing of it is stored or was delivered. */
  rewind(query: RewindQuery): Promise<Rewound>
}
