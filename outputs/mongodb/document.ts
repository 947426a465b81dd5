/**
 * An event as a document of MongoDB: `_id` (the event id), the record's own keys, and beside them `time` (a Date, whole
 * milliseconds), `tag` and `sequence`, where a key of the record with that name wins. As fluentd's plugin wrote it:
 * `_id`, the record, and `time`, which takes the place of one in the record.
 */
import type { Batch, Sequence, StoredStream } from '../../server/core/event.ts'
import { nextEntry } from '../../server/core/packed-entries.ts'
import { createDocumentCursor, enterStream, leaveStream, readEventTime } from '../encoding/document.ts'
import type { Rejection } from '../output.ts'
import { type BsonMap, BsonReader, type BsonTypes, NoBsonError } from './bson-value.ts'

/** The largest document that MongoDB takes, bytes of BSON. */
export const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024
/**
 * An entry with fewer bytes than this cannot become a larger document than MongoDB takes: the shortest elements, one
 * byte of msgpack in an array, become fewer than 16 of BSON.
 */
const SURELY_SMALL_BYTES = DOCUMENT_BYTES_MAX / 16

export interface DocumentOptions {
  readonly shape: 'document' | 'fluentd'
  readonly sequence: Sequence
  readonly types: BsonTypes
  /** Bytes of BSON that a document has; throws RangeError when it has more than the driver can write. */
  readonly sizeOf: (document: BsonMap) => number
}

/** The documents of a batch, each with its number in the batch, and what cannot become one. */
export interface Documents {
  readonly documents: readonly BsonMap[]
  readonly indexes: readonly number[]
  /** Bytes of the entry that each was made of. */
  readonly entryBytes: readonly number[]
  readonly rejected: readonly Rejection[]
}

/** @returns a function that turns batches into documents; they hold nothing of the batch's memory. */
export function createDocumentMaker(options: DocumentOptions): (batch: Batch) => Documents {
  const cursor = createDocumentCursor(options.sequence)
  const reader = new BsonReader(options.types)

  function makeOne(stream: StoredStream, event: number, pos: number): BsonMap {
    const document: BsonMap = new Map([['_id', `${stream.idBase}.${stream.idIndex + event}`]])
    const id = document.get('_id')
    reader.pos = readEventTime(cursor, pos)
    reader.readMap(document)
    // `_id` is what makes an event that comes twice one document: a record's own cannot be it.
    const own = document.get('_id')
    if (own !== id) document.set('_id', id).set('record_id', own)
    const time = new Date(cursor.seconds * 1000 + Math.floor(cursor.nanoseconds / 1e6))
    if (options.shape === 'fluentd') return document.set('time', time)
    const { seed, step } = options.sequence
    if (!document.has('time')) document.set('time', time)
    if (!document.has('tag')) document.set('tag', stream.tag)
    if (!document.has('sequence')) document.set('sequence', wholeNumber(seed + (stream.position + event) * step))
    return document
  }

  /** JavaScript's numbers beyond 32 bits would be written as Double. */
  function wholeNumber(value: number): unknown {
    return value <= 2 ** 31 - 1 ? value : options.types.Long.fromBigInt(BigInt(value))
  }

  function add(to: MutableDocuments, index: number, bytes: number, make: () => BsonMap): void {
    try {
      const document = make()
      if (bytes >= SURELY_SMALL_BYTES) checkSize(document, options.sizeOf)
      to.documents.push(document)
      to.indexes.push(index)
      to.entryBytes.push(bytes)
    } catch (error) {
      if (!(error instanceof NoBsonError)) throw error
      to.rejected.push({ index, reason: 'no_document', detail: error.message })
    }
  }

  return (batch) => {
    const made: MutableDocuments = { documents: [], indexes: [], entryBytes: [], rejected: [] }
    let index = 0
    for (const stream of batch.streams) {
      let pos = enterStream(cursor, stream)
      reader.enter(stream.packed.buffer)
      for (let event = 0; event < stream.count; event += 1) {
        const start = pos
        pos = nextEntry(cursor.bytes, start, cursor.end)
        add(made, index, pos - start, () => makeOne(stream, event, start))
        index += 1
      }
    }
    leaveStream(cursor)
    reader.leave()
    return made
  }
}

/** Throws NoBsonError. */
function checkSize(document: BsonMap, sizeOf: DocumentOptions['sizeOf']): void {
  let size = Number.POSITIVE_INFINITY
  try {
    size = sizeOf(document)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  if (size > DOCUMENT_BYTES_MAX) throw new NoBsonError(`the document has more than ${DOCUMENT_BYTES_MAX} bytes of BSON`)
}

interface MutableDocuments {
  readonly documents: BsonMap[]
  readonly indexes: number[]
  readonly entryBytes: number[]
  readonly rejected: Rejection[]
}
