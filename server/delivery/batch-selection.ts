/** Smaller batches out of a batch: views of the same memory, positions and ids as they were. No event is copied. */
import type { Batch, Position, StoredStream } from '../core/event.ts'
import { nextEntry } from '../core/packed-entries.ts'

/**
 * The events at these indexes, ascending. Neighbours in a stream stay one stream.
 * `from` and `to` enclose what was selected; only the batch that the reader gave may be committed.
 */
export function selectEvents(batch: Batch, indexes: readonly number[]): Batch {
  const streams: StoredStream[] = []
  let at = 0
  let first = 0
  for (const stream of batch.streams) {
    const end = first + stream.count
    const begin = at
    while (at < indexes.length && indexes[at]! < end) at += 1
    if (at - begin === stream.count) streams.push(stream)
    else if (at > begin) pushRuns(streams, stream, { indexes, begin, end: at, first })
    first = end
  }
  return batchOfStreams(streams)
}

/** Two halves, the first the larger one when the count is odd. The batch holds two events at least. */
export function halve(batch: Batch): [Batch, Batch] {
  const middle = Math.ceil(batch.count / 2)
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)
  return [selectEvents(batch, range(0, middle)), selectEvents(batch, range(middle, batch.count))]
}

/** One event of a batch, for the dead letters. */
export interface SingleEvent {
  readonly position: Position
  readonly id: string
  readonly tag: string
  readonly receivedMs: number
  /** `[time, record]`, a view. */
  readonly entry: Uint8Array
}

/** The events at these indexes, ascending, one by one. */
export function singleEvents(batch: Batch, indexes: readonly number[]): SingleEvent[] {
  return selectEvents(batch, indexes).streams.flatMap((stream) => {
    let at = 0
    return Array.from({ length: stream.count }, (_, index) => {
      const entry = stream.packed.subarray(at, nextEntry(stream.packed, at, stream.packed.byteLength))
      at += entry.byteLength
      const { tag, receivedMs } = stream
      const id = `${stream.idBase}.${stream.idIndex + index}`
      return { position: stream.position + index, id, tag, receivedMs, entry }
    })
  })
}

interface Selection {
  readonly indexes: readonly number[]
  /** The part of `indexes` that lies in the stream. */
  readonly begin: number
  readonly end: number
  /** Index of the stream's first event in the batch. */
  readonly first: number
}

/** Walks the entries once and cuts the stream into runs of consecutive events. */
function pushRuns(streams: StoredStream[], stream: StoredStream, { indexes, begin, end, first }: Selection): void {
  const { packed } = stream
  let event = 0
  let offset = 0
  for (let at = begin; at < end; ) {
    const runFirst = indexes[at]! - first
    let runEnd = runFirst
    while (at < end && indexes[at]! - first === runEnd) {
      runEnd += 1
      at += 1
    }
    for (; event < runFirst; event++) offset = nextEntry(packed, offset, packed.byteLength)
    const runOffset = offset
    for (; event < runEnd; event++) offset = nextEntry(packed, offset, packed.byteLength)
    streams.push({
      ...stream,
      packed: packed.subarray(runOffset, offset),
      count: runEnd - runFirst,
      position: stream.position + runFirst,
      idIndex: stream.idIndex + runFirst,
    })
  }
}

/** One stream at least. */
export function batchOfStreams(streams: readonly StoredStream[]): Batch {
  const first = streams[0]!
  const last = streams.at(-1)!
  return {
    streams,
    count: streams.reduce((sum, stream) => sum + stream.count, 0),
    bytes: streams.reduce((sum, stream) => sum + stream.packed.byteLength, 0),
    from: first.position,
    to: last.position + last.count,
  }
}
