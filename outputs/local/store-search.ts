/** Answers questions over all slices, one at a time and without waiting: runs in a thread of its own. */
import type { Position } from '../../server/core/event.ts'
import type { FieldValues, Histogram, SearchHit, SearchPage } from '../../server/core/search.ts'
import type { StoredEvent } from './block.ts'
import { parseDocument, passes } from './event-filter.ts'
import { FieldCount } from './field-values.ts'
import { type Plan, planQuery } from './match-expression.ts'
import { OpenSlices, type Slice } from './open-slices.ts'
import type { Query } from './query.ts'
import type { EventRow, SliceReader, TimeSpan, Window } from './slice-reader.ts'

export const SEARCH_LIMITS = {
  /** A question that takes longer is answered with what was found until then. */
  timeMs: 10_000,
  /** Text of the events of one page, characters: a page of large events is shorter than was asked for. */
  pageCharacters: 8 * 1024 * 1024,
  /** Events checked one by one for a histogram; beyond them it is partial. */
  checkedTimes: 2_000_000,
  /** Matching events whose fields are counted, and their text in characters. */
  fieldEvents: 2_000,
  fieldCharacters: 16 * 1024 * 1024,
} as const

/** A tail that is at most so many events behind reads all that match of them and turns them round. */
const SHORT_TAIL_EVENTS = 10_000
/** Events that are looked at between two looks at the clock. */
const EVENTS_PER_LOOK = 256

/** A question whose text was parsed and whose cursors were read. */
export interface StoreQuery {
  readonly query: Query
  readonly fromMs: number | undefined
  readonly toMs: number | undefined
  readonly after: Position | undefined
  readonly before: Position | undefined
  readonly limit: number
}

/** How far a walk came: the position to go on from, or undefined when it saw all. */
interface WalkEnd {
  readonly at: Position | undefined
  /** The time limit ended it, or a damaged slice is missing. */
  readonly isPartial: boolean
}

interface Walk {
  readonly plan: Plan
  readonly window: Window
  readonly newestFirst: boolean
  readonly deadline: number
  /** How many more events are wanted; 0 ends the walk. */
  wanted(): number
  take(row: EventRow, event: StoredEvent | undefined): void
  /** Whether `take` is given the event, which has to be read and unpacked. */
  readonly needsEvent: boolean
}

export class StoreSearch {
  readonly #slices: OpenSlices
  readonly #now: () => number

  /** `now`: monotonic ms. `onDamage` is told of a slice that cannot be read. */
  constructor(directory: string, now: () => number, onDamage: (path: string, reason: string) => void) {
    this.#slices = new OpenSlices(directory, onDamage)
    this.#now = now
  }

  search(question: StoreQuery): SearchPage {
    const slices = this.#slices.list()
    const newest = this.#newest(slices)
    const isTail = question.after !== undefined
    const window = { ...windowOf(question), below: Math.min(question.before ?? newest + 1, newest + 1) }
    const hits: SearchHit[] = []
    let characters = 0
    const { at, isPartial } = this.#walk(slices, {
      plan: planQuery(question.query),
      window,
      newestFirst: !isTail,
      deadline: this.#now() + SEARCH_LIMITS.timeMs,
      needsEvent: true,
      wanted: () => (characters < SEARCH_LIMITS.pageCharacters ? question.limit - hits.length : 0),
      take: ({ position, timeMs }, event) => {
        if (event === undefined) return
        characters += event.json.length
        hits.push({ cursor: cursorOf(position), timeMs, ...event })
      },
    })
    const next = at ?? (isTail ? newest : undefined)
    return {
      hits,
      newest: cursorOf(newest),
      ...(next === undefined ? {} : { next: cursorOf(next) }),
      ...(isPartial ? { partial: true } : {}),
    }
  }

  histogram(question: StoreQuery, buckets: number): Histogram {
    const deadline = this.#now() + SEARCH_LIMITS.timeMs
    const slices = this.#slices.list()
    const plan = planQuery(question.query)
    const window = windowOf(question)
    if (plan.checks.length > 0) return this.#checkedHistogram(slices, { plan, window, deadline }, { question, buckets })
    let isPartial = false
    const each = (ask: (reader: SliceReader) => void) => {
      for (const slice of slices) {
        if (this.#now() > deadline || !this.#ask(slice, ask)) isPartial = true
      }
    }
    let found: TimeSpan | undefined
    if (question.fromMs === undefined || question.toMs === undefined) {
      each((reader) => {
        if (mayHold(reader, window)) found = union(found, reader.span(plan, window))
      })
    }
    const frame = frameOf(question, found, buckets)
    const { fromMs: start, bucketMs: width, counts } = frame
    // Clipped to the frame: what was stored after the span was found may lie beyond it.
    const within = { ...window, fromMs: start, toMs: Math.min(window.toMs, start + width * counts.length) }
    each((reader) => {
      if (mayHold(reader, within)) reader.count(plan, within, { start, width, counts })
    })
    return isPartial ? { ...frame, partial: true } : frame
  }

  /** Every event has to be looked at: newest first, so that what is left out at a limit is the oldest. */
  #checkedHistogram(
    slices: readonly Slice[],
    walk: Pick<Walk, 'plan' | 'window' | 'deadline'>,
    { question, buckets }: { question: StoreQuery; buckets: number },
  ): Histogram {
    const times: number[] = []
    const { at, isPartial } = this.#walk(slices, {
      ...walk,
      newestFirst: true,
      needsEvent: false,
      wanted: () => SEARCH_LIMITS.checkedTimes - times.length,
      take: ({ timeMs }) => times.push(timeMs),
    })
    let found: TimeSpan | undefined
    for (const time of times) found = union(found, { oldestMs: time, newestMs: time })
    const frame = frameOf(question, found, buckets)
    for (const time of times) frame.counts[Math.floor((time - frame.fromMs) / frame.bucketMs)]! += 1
    return isPartial || at !== undefined ? { ...frame, partial: true } : frame
  }

  fields(question: StoreQuery): FieldValues[] {
    const count = new FieldCount()
    let left = SEARCH_LIMITS.fieldEvents
    let characters = 0
    this.#walk(this.#slices.list(), {
      plan: planQuery(question.query),
      window: windowOf(question),
      newestFirst: true,
      deadline: this.#now() + SEARCH_LIMITS.timeMs,
      needsEvent: true,
      wanted: () => (characters < SEARCH_LIMITS.fieldCharacters ? left : 0),
      take: (_row, event) => {
        if (event === undefined) return
        left--
        characters += event.json.length
        count.add(parseDocument(event.json))
      },
    })
    return count.result()
  }

  close(): void {
    this.#slices.close()
  }

  /** -1 while nothing is stored. */
  #newest(slices: readonly Slice[]): Position {
    for (const slice of slices.toReversed()) {
      const newest = this.#slices.use(slice, (reader) => reader.newest())
      if (newest !== undefined) return newest
    }
    return -1
  }

  /** False: the slice is damaged or gone. */
  #ask(slice: Slice, ask: (reader: SliceReader) => void): boolean {
    return (
      this.#slices.use(slice, (reader) => {
        ask(reader)
        return true
      }) === true
    )
  }

  #walk(slices: readonly Slice[], walk: Walk): WalkEnd {
    if (walk.window.below - walk.window.above <= 1) return { at: undefined, isPartial: false }
    let isPartial = false
    let bound = walk.newestFirst ? walk.window.below : walk.window.above
    for (const slice of walk.newestFirst ? slices.toReversed() : slices) {
      if (slice.first >= walk.window.below || slice.end - 1 <= walk.window.above) continue
      if (walk.wanted() <= 0) return { at: bound, isPartial }
      if (this.#now() > walk.deadline) return { at: bound, isPartial: true }
      const end = this.#slices.use(slice, (reader) => this.#walkSlice(reader, walk))
      if (end === undefined) isPartial = true
      else if (end.at !== undefined) return { at: end.at, isPartial: isPartial || end.isPartial }
      bound = walk.newestFirst ? slice.first : slice.end - 1
    }
    return { at: undefined, isPartial }
  }

  #walkSlice(reader: SliceReader, walk: Walk): WalkEnd {
    const { plan, window, newestFirst } = walk
    if (!mayHold(reader, walk.window)) return { at: undefined, isPartial: false }
    // The index finds its end faster than a place in its middle.
    const isShortTail = !newestFirst && window.below - window.above <= SHORT_TAIL_EVENTS
    const found = reader.find(plan, window, newestFirst || isShortTail)
    let looked = 0
    for (const row of isShortTail ? [...found].reverse() : found) {
      this.#visit(reader, walk, row)
      if (walk.wanted() <= 0) return { at: row.position, isPartial: false }
      looked++
      if (looked % EVENTS_PER_LOOK === 0 && this.#now() > walk.deadline) return { at: row.position, isPartial: true }
    }
    reader.rest()
    return { at: undefined, isPartial: false }
  }

  #visit(reader: SliceReader, { plan, needsEvent, take }: Walk, row: EventRow): void {
    const hasChecks = plan.checks.length > 0
    const event = needsEvent || hasChecks ? reader.read(row) : undefined
    if (hasChecks && (event === undefined || !passes(plan.checks, event.json))) return
    take(row, event)
  }
}

/** Cursors are positions, counted from 1, so that one before the first event is 0. */
export function cursorOf(position: Position): string {
  return String(position + 1)
}

function windowOf({ fromMs, toMs, after, before }: StoreQuery): Window {
  return {
    above: after ?? -1,
    below: before ?? Number.MAX_SAFE_INTEGER,
    fromMs: fromMs ?? Number.MIN_SAFE_INTEGER,
    toMs: toMs ?? Number.MAX_SAFE_INTEGER,
  }
}

function mayHold(reader: SliceReader, { fromMs, toMs }: Window): boolean {
  const { oldestMs, newestMs } = reader.state()
  return oldestMs !== null && newestMs !== null && oldestMs < toMs && newestMs >= fromMs
}

function union(a: TimeSpan | undefined, b: TimeSpan | undefined): TimeSpan | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return { oldestMs: Math.min(a.oldestMs, b.oldestMs), newestMs: Math.max(a.newestMs, b.newestMs) }
}

/** Empty buckets over the range that was asked for; where an end was not given, up to the oldest or newest match. */
function frameOf(
  { fromMs, toMs }: StoreQuery,
  found: TimeSpan | undefined,
  buckets: number,
): { fromMs: number; bucketMs: number; counts: number[] } {
  const start = fromMs ?? found?.oldestMs
  const end = toMs ?? (found && found.newestMs + 1)
  if (start === undefined || end === undefined || end <= start) return { fromMs: start ?? 0, bucketMs: 1, counts: [] }
  const bucketMs = Math.max(1, Math.ceil((end - start) / buckets))
  return { fromMs: start, bucketMs, counts: new Array(Math.ceil((end - start) / bucketMs)).fill(0) }
}
