/**
 * A batch as records of a Kinesis stream: JSON text and a partition key for each event, or many events in one record in
 * the format of the Kinesis Producer Library. Pure, but for the chance in random keys.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Batch, Sequence, StoredStream } from '../../server/core/event.ts'
import { type ByteSink, createByteSink, emptySink, reserve, writeAscii } from '../encoding/byte-sink.ts'
import {
  createDocumentCursor,
  type DocumentCursor,
  enterStream,
  leaveStream,
  readEventTime,
  writeDocument,
  writeRecord,
} from '../encoding/document.ts'
import { fieldText } from '../encoding/field-value.ts'
import { SECOND_LENGTH, writeSecond } from '../encoding/iso-time.ts'
import type { Rejection } from '../output.ts'
import { aggregatedBytes, aggregateRecord } from './aggregate.ts'

/** Characters of a partition key. [PutRecords] */
const KEY_CHARACTERS_MAX = 256
/** An aggregated record is closed at this size, bytes: the producer library's own default. */
const AGGREGATE_BYTES = 50 * 1024
const NEWLINE = 0x0a
const SINK_BYTES = 256 * 1024

/** How the partition key of a record is made. */
export type KeyRule = 'uuid' | 'hex' | 'event_id' | { readonly field: string }

export interface RecordOptions {
  readonly shape: 'document' | 'fluentd'
  readonly key: KeyRule
  readonly newline: boolean
  readonly aggregate: boolean
  /** Most bytes of one record, its key counted. */
  readonly recordBytes: number
  readonly sequence: Sequence
}

/** One record of a request; `data` is a view that is valid until the next batch. */
export interface KinesisRecord {
  readonly data: Uint8Array
  readonly key: string
  /** The events in it: numbers in the batch, one behind the other. */
  readonly first: number
  readonly count: number
  /** What counts towards the limits: data and key. */
  readonly bytes: number
}

export interface Records {
  readonly records: readonly KinesisRecord[]
  readonly rejected: readonly Rejection[]
}

/** An event's JSON in the sink. */
interface Piece {
  readonly index: number
  readonly start: number
  readonly end: number
  readonly key: string
}

/** @returns a function that turns batches into records; one batch at a time. */
export function createRecordMaker(options: RecordOptions): (batch: Batch) => Records {
  const cursor = createDocumentCursor(options.sequence)
  const sink = createByteSink(SINK_BYTES)
  const field = typeof options.key === 'object' ? Buffer.from(options.key.field) : undefined
  const write = options.shape === 'fluentd' ? writeFluentdRecord : writeDocumentRecord

  function pieceOf(stream: StoredStream, event: number, at: { pos: number; index: number }): Piece {
    const start = sink.at
    const record = readEventTime(cursor, at.pos)
    const id = `${stream.idBase}.${stream.idIndex + event}`
    const key = partitionKey(options.key, id, field && fieldText(cursor.from, record, field))
    at.pos = write(cursor, record, { position: stream.position + event, id }, sink)
    if (options.newline) writeByte(sink, NEWLINE)
    return { index: at.index++, start, end: sink.at, key }
  }

  return (batch) => {
    emptySink(sink)
    const pieces: Piece[] = []
    const rejected: Rejection[] = []
    const at = { pos: 0, index: 0 }
    for (const stream of batch.streams) {
      at.pos = enterStream(cursor, stream)
      for (let event = 0; event < stream.count; event += 1) {
        const piece = pieceOf(stream, event, at)
        const bytes = piece.end - piece.start + Buffer.byteLength(piece.key)
        if (bytes <= options.recordBytes) pieces.push(piece)
        else rejected.push({ index: piece.index, reason: 'record_too_large', detail: tooLarge(bytes, options) })
      }
    }
    leaveStream(cursor)
    const records = options.aggregate ? aggregate(sink, pieces) : pieces.map((piece) => single(sink, piece))
    return { records, rejected }
  }
}

function tooLarge(bytes: number, { recordBytes }: RecordOptions): string {
  return `a record of ${bytes} bytes; record_size_limit is ${recordBytes}`
}

function single(sink: ByteSink, { index, start, end, key }: Piece): KinesisRecord {
  const data = sink.bytes.subarray(start, end)
  return { data, key, first: index, count: 1, bytes: data.length + Buffer.byteLength(key) }
}

/** Neighbours in one record, until AGGREGATE_BYTES; the key of the first decides on the shard. */
function aggregate(sink: ByteSink, pieces: readonly Piece[]): KinesisRecord[] {
  const records: KinesisRecord[] = []
  for (let from = 0; from < pieces.length; ) {
    const { key, index } = pieces[from]!
    let bytes = aggregatedBytes(key)
    let to = from
    // Only neighbours: an event between them may have been refused.
    while (to < pieces.length && pieces[to]!.index === index + to - from) {
      bytes += pieces[to]!.end - pieces[to]!.start
      if (to > from && bytes > AGGREGATE_BYTES) break
      to += 1
    }
    const data = aggregateRecord(
      key,
      pieces.slice(from, to).map(({ start, end }) => sink.bytes.subarray(start, end)),
    )
    records.push({ data, key, first: index, count: to - from, bytes: data.length + Buffer.byteLength(key) })
    from = to
  }
  return records
}

function partitionKey(rule: KeyRule, id: string, field: string | undefined): string {
  if (rule === 'uuid') return randomUUID()
  if (rule === 'hex') return randomBytes(16).toString('hex')
  if (rule === 'event_id') return id
  // A key must have a character: an event without the field goes where chance has it.
  return field ? field.slice(0, KEY_CHARACTERS_MAX) : randomUUID()
}

interface Identity {
  readonly position: number
  readonly id: string
}

/** The document that every destination gets, and `event_id`, by which a reader can tell what came twice. */
function writeDocumentRecord(
  cursor: DocumentCursor,
  record: number,
  { position, id }: Identity,
  sink: ByteSink,
): number {
  const next = writeDocument(cursor, record, position, sink)
  sink.at -= 1
  writeAscii(sink, `,"event_id":"${id}"}`)
  return next
}

/** The record with `time` (whole seconds, `Z`) and `tag`, as fluent-plugin-kinesis 0.4 wrote it. */
function writeFluentdRecord(cursor: DocumentCursor, record: number, _identity: Identity, sink: ByteSink): number {
  const start = sink.at
  const next = writeRecord(cursor, record, sink)
  sink.at -= 1
  writeAscii(sink, sink.at - start > 1 ? ',"time":"' : '"time":"')
  reserve(sink, SECOND_LENGTH + 1)
  writeSecond(cursor.seconds, 0x54, sink.view, sink.at)
  sink.at += SECOND_LENGTH
  const tag = new TextEncoder().encode(`Z","tag":${JSON.stringify(cursor.tag)}}`)
  reserve(sink, tag.length)
  sink.bytes.set(tag, sink.at)
  sink.at += tag.length
  return next
}

function writeByte(sink: ByteSink, byte: number): void {
  reserve(sink, 1)
  sink.view.setUint8(sink.at++, byte)
}
