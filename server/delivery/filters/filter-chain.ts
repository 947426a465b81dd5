/**
 * The filters of one output, in their order: a batch goes in, a batch of what they leave comes out, with the count of
 * what they took. It keeps account of the events that wait; what becomes of the cursor is filtering-reader.ts's matter.
 */
import type { Batch, Position, StoredStream } from '../../core/event.ts'
import type { FilterReason } from '../../core/metrics.ts'
import { nextEntry } from '../../core/packed-entries.ts'
import { FilterFault, type Passage, type Stage } from './filter.ts'
import { FilterEvent } from './filter-event.ts'
import { FilteredStreams } from './filtered-streams.ts'

/** Tags that are remembered with whether a filter matches. */
const TAGS_MAX = 10_000

/** A filter at its place in the order. */
export interface ChainLink {
  /** The action, for what is said of a fault. */
  readonly name: string
  readonly matches: (tag: string) => boolean
  readonly stage: Stage
}

/** What became of the events of a batch. All positions are ascending. */
export interface Filtered {
  readonly batch: Batch
  /** Of this batch: they wait for others. */
  readonly held: readonly Position[]
  /** Of earlier batches: they are in this batch now, or dropped. */
  readonly released: readonly Position[]
  readonly dropped: number
  /** Events that became part of another one. */
  readonly joined: number
}

export class FilterChain {
  readonly #links: readonly ChainLink[]
  readonly #passages: readonly Passage[]
  readonly #count: (reason: FilterReason) => void
  readonly #firstLinks = new Map<string, number>()
  readonly #waiting = new Set<Position>()
  readonly #event = new FilterEvent()
  #streams = new FilteredStreams()
  #held: Position[] = []
  #released: Position[] = []
  #dropped = 0
  #joined = 0

  constructor(links: readonly ChainLink[], count: (reason: FilterReason) => void) {
    this.#links = links
    this.#count = count
    this.#passages = links.map((_, index) => ({
      pass: (event) => this.#onward(event, index + 1),
      drop: (event) => this.#drop(event),
      hold: (event) => this.#hold(event),
    }))
  }

  run(batch: Batch): Filtered {
    for (const stream of batch.streams) this.#stream(stream)
    return this.#take(batch)
  }

  /** When something has waited long enough, monotonic ms; undefined: nothing waits. */
  due(): number | undefined {
    let first: number | undefined
    for (const { stage } of this.#links) {
      const due = stage.due?.()
      if (due !== undefined && (first === undefined || due < first)) first = due
    }
    return first
  }

  /** What has waited long enough by `nowMs`. */
  expire(nowMs: number): Filtered {
    for (const [index, { stage }] of this.#links.entries()) stage.expire?.(nowMs, this.#passages[index]!)
    return this.#take()
  }

  /** Nothing waits any more. */
  forget(): void {
    this.#waiting.clear()
    for (const { stage } of this.#links) stage.forget?.()
  }

  #stream(stream: StoredStream): void {
    const first = this.#firstLink(stream.tag)
    if (first === this.#links.length) {
      this.#streams.addStream(stream)
      return
    }
    const { packed, count } = stream
    for (let index = 0, at = 0; index < count; index++) {
      const next = nextEntry(packed, at, packed.byteLength)
      this.#event.enter(stream, index, at, next)
      this.#apply(this.#event, first)
      at = next
    }
  }

  /** Index of the first filter that matches the tag; the count of filters where none does. */
  #firstLink(tag: string): number {
    const known = this.#firstLinks.get(tag)
    if (known !== undefined) return known
    if (this.#firstLinks.size >= TAGS_MAX) this.#firstLinks.clear()
    const found = this.#links.findIndex((link) => link.matches(tag))
    const first = found === -1 ? this.#links.length : found
    this.#firstLinks.set(tag, first)
    return first
  }

  #onward(event: FilterEvent, from: number): void {
    let index = from
    while (index < this.#links.length && !this.#links[index]!.matches(event.tag)) index++
    if (index < this.#links.length) this.#apply(event, index)
    else this.#deliver(event)
  }

  #apply(event: FilterEvent, index: number): void {
    const { name, stage } = this.#links[index]!
    try {
      stage.take(event, this.#passages[index]!)
    } catch (error) {
      // What a later filter threw was caught there, so this is the stage's own, and it has not handed the event on.
      if (error instanceof FilterFault) {
        this.#count(error.reason)
        event.mark(`${name}: ${error.message}`)
        this.#onward(event, index + 1)
        return
      }
      this.#count('fault')
      event.restore()
      event.mark(`${name}: ${error instanceof Error ? error.message : error}`)
      this.#deliver(event)
    }
  }

  #deliver(event: FilterEvent): void {
    this.#streams.add(event)
    this.#joined += event.joined.length
    this.#settle(event)
  }

  #drop(event: FilterEvent): void {
    this.#dropped += 1 + event.joined.length
    this.#settle(event)
  }

  #settle(event: FilterEvent): void {
    if (this.#waiting.delete(event.position)) this.#released.push(event.position)
    for (const position of event.joined) if (this.#waiting.delete(position)) this.#released.push(position)
  }

  #hold(event: FilterEvent): FilterEvent {
    this.#await(event.position)
    for (const position of event.joined) this.#await(position)
    return event.copy()
  }

  #await(position: Position): void {
    if (this.#waiting.has(position)) return
    this.#waiting.add(position)
    this.#held.push(position)
  }

  /** Ends the run. An event that began to wait in it and waits no more is neither held nor released. */
  #take(batch?: Batch): Filtered {
    const begun = new Set(this.#held)
    const filtered = {
      batch: this.#streams.batch(batch),
      held: this.#held.filter((position) => this.#waiting.has(position)).sort(ascending),
      released: this.#released.filter((position) => !begun.has(position)).sort(ascending),
      dropped: this.#dropped,
      joined: this.#joined,
    }
    this.#streams = new FilteredStreams()
    this.#held = []
    this.#released = []
    this.#dropped = 0
    this.#joined = 0
    return filtered
  }
}

const ascending = (a: number, b: number) => a - b
