/** Which positions an output is done with: all before the cursor, and ranges beyond it that were done out of order. */
import type { Position } from '../server/core/event.ts'

/** [from, to). */
export interface Range {
  from: Position
  to: Position
}

export class DoneRanges {
  /** Every event before it is done. */
  cursor: Position
  /** Beyond the cursor; ascending, disjoint, not touching. */
  readonly #ranges: Range[] = []

  constructor(cursor: Position, ranges: readonly Range[] = []) {
    this.cursor = cursor
    for (const { from, to } of ranges) this.add(from, to)
  }

  get ranges(): readonly Range[] {
    return this.#ranges
  }

  /** Sum of the events in the ranges beyond the cursor. */
  get eventsBeyond(): number {
    return this.#ranges.reduce((sum, { from, to }) => sum + to - from, 0)
  }

  /** Cheap where ranges are many: an output that joins lines leaves a hole for each that waits. */
  add(from: Position, to: Position): void {
    if (to <= from || to <= this.cursor) return
    const merged = { from, to }
    const first = this.#firstEndingAt(from)
    let end = first
    for (; end < this.#ranges.length && this.#ranges[end]!.from <= to; end++) {
      merged.from = Math.min(merged.from, this.#ranges[end]!.from)
      merged.to = Math.max(merged.to, this.#ranges[end]!.to)
    }
    if (merged.from > this.cursor) {
      this.#ranges.splice(first, end - first, merged)
      return
    }
    this.cursor = merged.to
    this.#ranges.splice(first, end - first)
  }

  /** Whether nothing from the position on is done: so it is for what is read the first time. */
  areBefore(position: Position): boolean {
    return (this.#ranges.at(-1)?.to ?? this.cursor) <= position
  }

  /** What of [from, to) is not done, in order. */
  gaps(from: Position, to: Position): Range[] {
    const gaps: Range[] = []
    let at = Math.max(from, this.cursor)
    for (let i = this.#firstEndingAt(at); i < this.#ranges.length && this.#ranges[i]!.from < to; i++) {
      const range = this.#ranges[i]!
      if (range.from > at) gaps.push({ from: at, to: range.from })
      at = Math.max(at, range.to)
    }
    if (at < to) gaps.push({ from: at, to })
    return gaps
  }

  /** Index of the first range that ends at `position` or beyond it. */
  #firstEndingAt(position: Position): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#ranges[middle]!.to < position) low = middle + 1
      else high = middle
    }
    return low
  }
}
