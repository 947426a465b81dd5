/**
 * Batches as bodies of Elasticsearch's bulk API, written straight from msgpack into one sink:
 *
 *   {"create":{"_index":"logstash-2026.11.20","_id":"AAAAAAAAAAAAAAAA.17"}}\n
 *   {"log":"…","@timestamp":"…","tag":"…","sequence":34}\n
 */
import type { Batch, Sequence, StoredStream } from '../../server/core/event.ts'
import {
  type ByteSink,
  copyTemplate,
  createTemplate,
  emptySink,
  reserve,
  type Template,
} from '../encoding/byte-sink.ts'
import {
  createDocumentCursor,
  type DocumentCursor,
  enterStream,
  leaveStream,
  readEventTime,
  writeDocument,
} from '../encoding/document.ts'
import { copyUnsigned } from '../encoding/json-number.ts'
import { INDEX_DAYS_AHEAD, INDEX_DAYS_PAST, type IndexPattern, renderIndexName } from './index-name.ts'
import { type PlainEvents, writePlainEvents } from './plain-events.ts'

/** The digits of an id's index, `"}}` and a newline; then the newline behind the document. */
const ACTION_ROOM = 32

/** `"}}\n` */
const ACTION_END = 0x227d7d0a
const NEWLINE = 0x0a

/** Writes the record at `record` as a document. Returns the position after the entry. */
export type WriteDocument = (cursor: DocumentCursor, record: number, position: number, sink: ByteSink) => number

/** What the action lines of one output are written with: made once, moved from event to event. */
export interface BulkCursor {
  readonly document: DocumentCursor
  /** Writes the plain ones; undefined: all are written here. */
  readonly plain: PlainEvents | undefined
  readonly writeDocument: WriteDocument
  readonly pattern: IndexPattern
  /** `{"create":{"_index":"…","_id":"AAAAAAAAAAAAAAAA.` */
  action: Template
  idBase: string
  index: string
  /**
   * The event times for which `index` is right while events were received on `receivedDay`, seconds: from, and before.
   */
  indexFrom: number
  indexEnd: number
  receivedDay: number
}

/** Where a body ended within a stream; an object that is used again. */
interface Place {
  event: number
  pos: number
}

/** With `plain` or without, the same bytes are written; `plain` writes documents of the usual shape alone. */
export function createBulkCursor(
  pattern: IndexPattern,
  sequence: Sequence,
  plain: PlainEvents | undefined,
  write: WriteDocument = writeDocument,
): BulkCursor {
  return {
    document: createDocumentCursor(sequence),
    plain,
    writeDocument: write,
    pattern,
    action: createTemplate(''),
    idBase: '',
    index: '',
    indexFrom: 0,
    indexEnd: 0,
    receivedDay: 0,
  }
}

/** The events of a batch that are in the sink: `count` from index `first`. */
export interface BulkBody {
  readonly first: number
  readonly count: number
}

/**
 * Writes the batch into the sink, one body after the other: each ends with the event that reaches `limit` bytes, and
 * the sink is emptied for the next when that is asked for.
 */
export function* encodeBodies(cursor: BulkCursor, batch: Batch, sink: ByteSink, limit: number): Generator<BulkBody> {
  const place: Place = { event: 0, pos: 0 }
  let first = 0
  let count = 0
  emptySink(sink)
  for (const stream of batch.streams) {
    place.event = 0
    place.pos = stream.packed.byteOffset
    while (place.event < stream.count) {
      const before = place.event
      writeEvents(cursor, stream, place, sink, limit)
      count += place.event - before
      if (sink.at < limit) continue
      leaveStream(cursor.document)
      yield { first, count }
      first += count
      count = 0
      emptySink(sink)
    }
  }
  leaveStream(cursor.document)
  if (count > 0) yield { first, count }
}

/** Writes events of a stream from `place` on until the stream or the limit is reached, and moves `place`. */
function writeEvents(cursor: BulkCursor, stream: StoredStream, place: Place, sink: ByteSink, limit: number): void {
  const { document, plain } = cursor
  enterStream(document, stream)
  enterIds(cursor, stream)
  while (place.event < stream.count && sink.at < limit) {
    const record = readEventTime(document, place.pos)
    if (document.seconds < cursor.indexFrom || document.seconds >= cursor.indexEnd) chooseIndex(cursor, document)
    const written =
      plain === undefined ? 0 : writePlainEvents(plain, document, stream, place, cursor.action, sink, limit)
    if (written > 0) {
      place.event += written
      place.pos = plain!.pos
    } else {
      place.pos = writeEvent(cursor, stream, place.event, record, sink)
      place.event += 1
    }
  }
}

/** Writes any event. Returns the position after it. */
function writeEvent(cursor: BulkCursor, stream: StoredStream, event: number, record: number, sink: ByteSink): number {
  reserve(sink, cursor.action.length + ACTION_ROOM)
  const at = copyUnsigned(stream.idIndex + event, sink.view, copyTemplate(cursor.action, sink.view, sink.at))
  sink.view.setInt32(at, ACTION_END)
  sink.at = at + 4
  const next = cursor.writeDocument(cursor.document, record, stream.position + event, sink)
  sink.view.setUint8(sink.at++, NEWLINE)
  return next
}

function enterIds(cursor: BulkCursor, { idBase, receivedMs }: StoredStream): void {
  const receivedDay = dayOf(receivedMs / 1000)
  if (receivedDay !== cursor.receivedDay) {
    cursor.receivedDay = receivedDay
    cursor.indexFrom = 0
    cursor.indexEnd = 0
  }
  if (cursor.idBase === idBase) return
  const isSameLength = cursor.idBase.length === idBase.length
  cursor.idBase = idBase
  if (isSameLength) replaceIdBase(cursor.action, idBase)
  else cursor.action = actionOf(cursor)
}

/** Streams are short in message mode, so the sixteen characters change often. */
function replaceIdBase({ view, length }: Template, idBase: string): void {
  const start = length - 1 - idBase.length
  for (let index = 0; index < idBase.length; index++) view.setUint8(start + index, idBase.charCodeAt(index))
}

/** What is chosen depends on the event's day and the day it was received, never on the events around it. */
function chooseIndex(cursor: BulkCursor, { seconds, receivedSeconds }: DocumentCursor): void {
  const { pattern, receivedDay } = cursor
  const day = dayOf(seconds)
  const isNear = day >= receivedDay - INDEX_DAYS_PAST && day <= receivedDay + INDEX_DAYS_AHEAD
  const period = isNear ? pattern.period : 1
  cursor.indexFrom = Math.floor(seconds / period) * period
  cursor.indexEnd = cursor.indexFrom + period
  const index = renderIndexName(pattern, isNear ? seconds : receivedSeconds)
  if (index === cursor.index) return
  cursor.index = index
  cursor.action = actionOf(cursor)
}

/** The id base is 16 base64url characters, which JSON takes as they are. */
function actionOf({ index, idBase }: BulkCursor): Template {
  return createTemplate(`{"create":{"_index":${JSON.stringify(index)},"_id":"${idBase}.`)
}

function dayOf(seconds: number): number {
  return Math.floor(seconds / 86_400)
}
