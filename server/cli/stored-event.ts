/** Events of the buffer as JSON lines: position, id, tag, time, when it was received, and the record. */

import type { EventRange } from '../../buffer/offline.ts'
import { createByteSink, emptySink, reserve } from '../../outputs/encoding/byte-sink.ts'
import { createDocumentCursor, enterStream, readEventTime, writeRecord } from '../../outputs/encoding/document.ts'
import { writeIsoTime } from '../../outputs/encoding/iso-time.ts'
import type { Batch, StoredStream } from '../core/event.ts'
import { nextEntry } from '../core/packed-entries.ts'

const SINK_BYTES = 64 * 1024

/** Makes the lines of batch after batch; its memory is used again. */
export function createLineEncoder(range: EventRange): (batch: Batch) => Buffer {
  const cursor = createDocumentCursor({ seed: 0, step: 1 })
  const sink = createByteSink(SINK_BYTES)
  const writeStream = (stream: StoredStream) => {
    const { tag, idBase, idIndex, receivedMs, position, count } = stream
    const shared = `,"tag":${JSON.stringify(tag)},"received":"${new Date(receivedMs).toISOString()}","time":`
    const start = enterStream(cursor, stream)
    for (let i = 0, at = start; i < count; i++, at = nextEntry(cursor.bytes, at, cursor.end)) {
      if (position + i < range.from || position + i >= range.to) continue
      writeText(`{"position":${position + i},"id":"${idBase}.${idIndex + i}"${shared}`)
      const record = readEventTime(cursor, at)
      writeIsoTime(cursor.seconds, cursor.nanoseconds, sink)
      writeText(',"record":')
      writeRecord(cursor, record, sink)
      writeText('}\n')
    }
  }
  function writeText(text: string): void {
    const bytes = Buffer.from(text)
    reserve(sink, bytes.length)
    sink.bytes.set(bytes, sink.at)
    sink.at += bytes.length
  }
  return (batch) => {
    emptySink(sink)
    for (const stream of batch.streams) writeStream(stream)
    return Buffer.from(sink.bytes.subarray(0, sink.at))
  }
}

/** The packed events `[time, record]*` of a batch that lie in the range, as the clients sent them. */
export function packedEvents(batch: Batch, range: EventRange): Buffer {
  return Buffer.concat(batch.streams.map((stream) => packedOf(stream, range)))
}

function packedOf({ packed, position, count }: StoredStream, { to }: EventRange): Uint8Array {
  let end = 0
  const entries = Math.min(count, to - position)
  for (let i = 0; i < entries; i++) end = nextEntry(packed, end, packed.length)
  return packed.subarray(0, end)
}
