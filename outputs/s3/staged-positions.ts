/**
 * Which events were staged last. The cursor moves after the staging, so that a crash between the two reads events again:
 * their positions are in here, and they are passed over.
 *
 * The rule, since a batch does not say why it is read: what a start finds here is passed over from that start on, until
 * the reader has been behind the last of it for LINGER_MS (an event that filters held back comes later than its
 * neighbours). So a replay (`Reader.seek`) of a running output is staged again in full; one that begins together with a
 * start passes over what was staged last before it, at most POSITIONS_MAX events.
 */
import type { Batch, Position } from '../../server/core/event.ts'

/**
 * Events that are remembered: more than the cursor can be behind, which follows a commit within a second or 16 MiB.
 */
export const POSITIONS_MAX = 4 * 1024 * 1024
/** Ranges of them. */
export const RANGES_MAX = 128 * 1024
/** How long what was found at the start is asked after the reader is past it, ms. */
const LINGER_MS = 60_000

/** From, to (excluded), from, to… */
export type Ranges = readonly Position[]

/** The newest ranges, in the order of staging. */
export class StagedPositions {
  readonly #ranges: Position[] = []
  /** Where the ranges begin that count; what lies before is cut off now and then. */
  #start = 0
  #events = 0

  add(ranges: Ranges): void {
    const all = this.#ranges
    for (let at = 0; at < ranges.length; at += 2) {
      const [from, to] = [ranges[at]!, ranges[at + 1]!]
      this.#events += to - from
      if (all.length > this.#start && all.at(-1) === from) all[all.length - 1] = to
      else all.push(from, to)
    }
    this.#forget()
  }

  get ranges(): Ranges {
    return this.#ranges.slice(this.#start)
  }

  #forget(): void {
    const all = this.#ranges
    while (all.length - this.#start > 2) {
      const length = all[this.#start + 1]! - all[this.#start]!
      if (all.length - this.#start <= RANGES_MAX * 2 && this.#events - length < POSITIONS_MAX) break
      this.#events -= length
      this.#start += 2
    }
    if (this.#start <= all.length / 2) return
    all.splice(0, this.#start)
    this.#start = 0
  }
}

/** What a start found, until the reader is past it. */
export class ReadAgain {
  /** Ascending, none touching another. */
  #ranges: Ranges
  readonly #end: Position
  readonly #monotonic: () => number
  #pastSinceMs: number | undefined

  constructor(ranges: Ranges, monotonic: () => number) {
    this.#ranges = merge(ranges)
    this.#end = this.#ranges.at(-1) ?? 0
    this.#monotonic = monotonic
  }

  /** To be asked for each event of the batch; undefined: none of them was staged. */
  question({ from }: Batch): ((position: Position) => boolean) | undefined {
    if (this.#ranges.length === 0) return undefined
    if (from >= this.#end) this.#pastSinceMs ??= this.#monotonic()
    if (this.#pastSinceMs !== undefined && this.#monotonic() - this.#pastSinceMs >= LINGER_MS) this.#ranges = []
    return this.#ranges.length === 0 ? undefined : (position) => holds(this.#ranges, position)
  }
}

function merge(ranges: Ranges): Ranges {
  const pairs = Array.from({ length: ranges.length / 2 }, (_, n) => [ranges[n * 2]!, ranges[n * 2 + 1]!] as const)
  pairs.sort((a, b) => a[0] - b[0])
  const merged: Position[] = []
  for (const [from, to] of pairs) {
    const last = merged.at(-1)
    if (last !== undefined && from <= last) merged[merged.length - 1] = Math.max(last, to)
    else merged.push(from, to)
  }
  return merged
}

function holds(ranges: Ranges, position: Position): boolean {
  let low = 0
  let high = ranges.length / 2
  while (low < high) {
    const middle = (low + high) >> 1
    if (ranges[middle * 2 + 1]! <= position) low = middle + 1
    else high = middle
  }
  return low < ranges.length / 2 && ranges[low * 2]! <= position
}
