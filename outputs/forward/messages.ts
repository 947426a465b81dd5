/**
 * A batch as Forward messages, one for each stored stream. Pure. The stored entries go out as the bytes they are.
 *
 *   93 <tag> c6 LLLLLLLL <entries> <option>               entries as bin, which every server takes for bytes
 *   option  {size, compressed, event_id?, chunk?}         [Forward spec v1, "PackedForward"]
 *
 *   chunk     base64 of id base (12 bytes) ‖ index (6 bytes, big-endian): 24 characters, as most clients have
 *   event_id  `<id base>.<index>` of the first event, for a Logboom that knows the key: it keeps these ids
 *
 * Both are made of what stands in the buffer, and a stored stream is cut at the same places each time. So a message is
 * the same after a restart and for another server, and a Logboom that makes its event ids of chunk, tag and entries
 * makes the same ones. Where it believes `event_id`, they are the same however the stream is cut.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { Batch, StoredStream } from '../../server/core/event.ts'
import { nextEntry } from '../../server/core/packed-entries.ts'
import { str, wide } from './msgpack.ts'

/** Entries of fewer bytes go as they are: compressed they would not be smaller. */
const COMPRESS_BYTES_MIN = 512
/** Copying fewer bytes than this costs less than a further piece of the write. */
const COPY_BYTES_MAX = 4 * 1024
/** Where a stored stream's id goes beyond this, no `event_id` is sent: a Logboom keeps 32 bits of it. */
const INDEX_MAX = 2 ** 32 - 1

export interface MessageOptions {
  readonly compress: 'text' | 'gzip' | 'zstd'
  /** A stream of more bytes becomes several messages, each of one event at least. */
  readonly chunkBytes: number
  readonly asksForAcks: boolean
  /** Whether `event_id` is sent: only where every server believes it, or the same event would have two ids. */
  readonly givesIds: boolean
}

export interface WireMessage {
  /** What its ack repeats. */
  readonly chunk: string
  /** The events in it: numbers in the batch, one behind the other. */
  readonly first: number
  readonly count: number
  /** To be written in order; views of the batch's memory among them. */
  readonly pieces: readonly Uint8Array[]
  readonly bytes: number
}

/** Entries of one message. */
type Part = Pick<StoredStream, 'tag' | 'packed' | 'count' | 'idBase' | 'idIndex'>

export function encodeMessages(batch: Batch, options: MessageOptions): WireMessage[] {
  const messages: WireMessage[] = []
  let first = 0
  for (const stream of batch.streams) {
    for (const part of cutStream(stream, options.chunkBytes)) {
      messages.push(encodePart(part, first, options))
      first += part.count
    }
  }
  return messages
}

/** Cuts behind the last event with which a part is not too large. */
function cutStream(stream: StoredStream, chunkBytes: number): Part[] {
  const { packed, count, idIndex } = stream
  if (packed.length <= chunkBytes) return [stream]
  const parts: Part[] = []
  let start = 0
  let begun = 0
  let at = 0
  for (let event = 0; event <= count; event += 1) {
    const next = event < count ? nextEntry(packed, at, packed.length) : Number.POSITIVE_INFINITY
    if (next - start > chunkBytes && event > begun) {
      const part = { packed: packed.subarray(start, at), count: event - begun, idIndex: idIndex + begun }
      parts.push({ tag: stream.tag, idBase: stream.idBase, ...part })
      start = at
      begun = event
    }
    at = next
  }
  return parts
}

function encodePart(part: Part, first: number, options: MessageOptions): WireMessage {
  const { tag, packed, count } = part
  const isCompressed = options.compress !== 'text' && packed.length >= COMPRESS_BYTES_MIN
  const entries = isCompressed ? compress(packed, options.compress) : packed
  const chunk = chunkId(part)
  const head = Buffer.concat([Buffer.of(0x93), str(tag), wide(0xc6, entries.length)])
  const pairs: Buffer[] = [
    Buffer.concat([str('size'), wide(0xce, count)]),
    Buffer.concat([str('compressed'), str(isCompressed ? options.compress : 'text')]),
  ]
  if (options.givesIds && part.idIndex + count - 1 <= INDEX_MAX) {
    pairs.push(Buffer.concat([str('event_id'), str(`${part.idBase}.${part.idIndex}`)]))
  }
  if (options.asksForAcks) pairs.push(Buffer.concat([str('chunk'), str(chunk)]))
  const tail = Buffer.concat([Buffer.of(0x80 | pairs.length), ...pairs])
  const bytes = head.length + entries.length + tail.length
  const pieces = entries.length <= COPY_BYTES_MAX ? [Buffer.concat([head, entries, tail])] : [head, entries, tail]
  return { chunk, first, count, pieces, bytes }
}

function compress(entries: Uint8Array, kind: MessageOptions['compress']): Buffer {
  return kind === 'gzip' ? gzipSync(entries) : zstdCompressSync(entries)
}

function chunkId({ idBase, idIndex }: Part): string {
  const bytes = Buffer.alloc(18)
  bytes.write(idBase, 'base64url')
  bytes.writeUIntBE(idIndex, 12, 6)
  return bytes.toString('base64')
}

/**
 * A message without events that asks for an ack. A server that runs answers it, if only by closing the connection; one
 * that is stopped does not.
 */
export function encodeQuestion(chunk: string): Buffer {
  const option = Buffer.concat([Buffer.of(0x81), str('chunk'), str(chunk)])
  return Buffer.concat([Buffer.of(0x93), str('logboom.heartbeat'), wide(0xc6, 0), option])
}
