/**
 * Events that went through the filters, as streams again: neighbours that did not change stay views of the memory they
 * came in, the others are written anew. A gap in the positions ends a stream, so that an output need not know of it.
 */
import type { Batch, Position, StoredStream } from '../../core/event.ts'
import { createEntryBytes } from './entry-bytes.ts'
import type { FilterEvent } from './filter-event.ts'

/** What the memory for changed entries begins with, bytes. */
const MEMORY_BYTES = 64 * 1024

interface OpenStream {
  tag: string
  position: Position
  idBase: string
  idIndex: number
  receivedMs: number
  count: number
  /** The stream it is a part of, from `start` to `end`; undefined: it lies in the new memory. */
  from: StoredStream | undefined
  start: number
  end: number
}

export class FilteredStreams {
  readonly #streams: StoredStream[] = []
  #memory = createEntryBytes(MEMORY_BYTES)
  #open: OpenStream | undefined
  #count = 0
  #bytes = 0

  /** A whole stream that no filter looks at. */
  addStream(stream: StoredStream): void {
    this.#close()
    this.#streams.push(stream)
    this.#count += stream.count
    this.#bytes += stream.packed.byteLength
  }

  add(event: FilterEvent): void {
    if (event.isChanged) this.#write(event)
    else this.#view(event)
    this.#count++
  }

  /** `from` and `to` enclose what is in it where nothing else is given. */
  batch(range?: { readonly from: Position; readonly to: Position }): Batch {
    this.#close()
    const streams = this.#streams
    const from = range?.from ?? streams.reduce((first, { position }) => Math.min(first, position), Infinity)
    const to = range?.to ?? streams.reduce((last, { position, count }) => Math.max(last, position + count), 0)
    return { streams, count: this.#count, bytes: this.#bytes, from, to }
  }

  #view(event: FilterEvent): void {
    const open = this.#continued(event)
    if (open !== undefined && open.from === event.stream && open.end === event.start) {
      open.count++
      open.end = event.end
      return
    }
    this.#begin(event, event.stream, event.start, event.end)
  }

  #write(event: FilterEvent): void {
    const open = this.#continued(event)
    const isNext = open !== undefined && open.from === undefined
    if (!isNext) this.#close()
    if (!isNext && this.#memory.at > MEMORY_BYTES / 2) this.#memory = createEntryBytes(MEMORY_BYTES)
    const start = this.#memory.at
    event.write(this.#memory)
    if (isNext) {
      open.count++
      open.end = this.#memory.at
    } else this.#begin(event, undefined, start, this.#memory.at)
  }

  /** The open stream, if the event is its next. */
  #continued({ tag, position, idBase, idIndex, receivedMs }: FilterEvent): OpenStream | undefined {
    const open = this.#open
    if (open === undefined || open.tag !== tag || open.idBase !== idBase || open.receivedMs !== receivedMs) {
      return undefined
    }
    return open.position + open.count === position && open.idIndex + open.count === idIndex ? open : undefined
  }

  #begin(event: FilterEvent, from: StoredStream | undefined, start: number, end: number): void {
    this.#close()
    const { tag, position, idBase, idIndex, receivedMs } = event
    this.#open = { tag, position, idBase, idIndex, receivedMs, count: 1, from, start, end }
  }

  #close(): void {
    const open = this.#open
    if (open === undefined) return
    this.#open = undefined
    const { tag, position, idBase, idIndex, receivedMs, count, from, start, end } = open
    const packed = from === undefined ? this.#memory.taken(start) : from.packed.subarray(start, end)
    this.#streams.push({ tag, packed, count, position, idBase, idIndex, receivedMs })
    this.#bytes += packed.byteLength
  }
}
