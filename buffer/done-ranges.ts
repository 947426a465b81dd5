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
  #ranges: Range[]

  constructor(cursor: Position, ranges: readonly Range[] = []) {
    this.cursor = cursor
    this.#ranges = []
    for (const { from, to } of ranges) this.add(from, to)
  }

  get ranges(): readonly Range[] {
    return this.#ranges
  }

  /** Sum of the events in the ranges beyond the cursor. */
  get eventsBeyond(): number {
    return this.#ranges.reduce((sum, { from, to }) => sum + to - from, 0)
  }

  add(from: Position, to: Position): void {
    if (to <= this.cursor) return
    const merged = { from, to }
    const apart: Range[] = []
    for (const range of this.#ranges) {
      if (range.to < merged.from || range.from > merged.to) {
        apart.push(range)
        continue
      }
      merged.from = Math.min(merged.from, range.from)
      merged.to = Math.max(merged.to, range.to)
    }
    if (merged.from <= this.cursor) this.cursor = merged.to
    else apart.push(merged)
    this.#ranges = apart.sort((a, b) => a.from - b.from)
  }

  /** Whether all of [from, to) is done. */
  has(from: Position, to: Position): boolean {
    return to <= this.cursor || this.#ranges.some((range) => range.from <= from && to <= range.to)
  }
}
