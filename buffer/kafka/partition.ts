/** One partition that an output's reader was given: what was handed out of it, and up to where all of that is done. */
import type { Position } from '../../server/core/event.ts'
import type { DoneRanges } from '../done-ranges.ts'

/** Records are told of together up to so many events: the offset is committed in such steps. */
const RUN_EVENTS_MAX = 1_024

interface Run {
  /** Places in the reader's own count, [from, to). */
  readonly from: Position
  to: Position
  /** Where to go on when all of it is done. */
  next: bigint
}

export class Partition {
  readonly topic: string
  readonly id: number
  /** Where the next fetch begins. */
  fetchOffset: bigint
  /** Everything before it is done. */
  doneOffset: bigint
  committedOffset: bigint
  /** The offset after the last record there is. */
  highWatermark: bigint
  readonly #runs: Run[] = []

  constructor(topic: string, id: number, offset: bigint) {
    this.topic = topic
    this.id = id
    this.fetchOffset = offset
    this.doneOffset = offset
    this.committedOffset = offset
    this.highWatermark = offset
  }

  /** Records are handed out, or passed, as the events [from, to); `next` is the offset behind them. */
  handOut(from: Position, to: Position, next: bigint): void {
    const last = this.#runs.at(-1)
    if (last !== undefined && last.to === from && to - last.from <= RUN_EVENTS_MAX) {
      last.to = to
      last.next = next
      return
    }
    this.#runs.push({ from, to, next })
  }

  /** Takes the runs that are done. */
  settle(done: DoneRanges): void {
    let settled = 0
    for (const { from, to, next } of this.#runs) {
      if (done.gaps(from, to).length > 0) break
      this.doneOffset = next
      settled += 1
    }
    this.#runs.splice(0, settled)
  }
}
