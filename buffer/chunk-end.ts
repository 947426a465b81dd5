/**
 * The end of a chunk that was closed in good order: a MESSAGES frame, if the chunk holds messages with ids, and a SEAL.
 * What is found there spares going through the chunk when the buffer is opened.
 */
import { crc32 } from 'node:zlib'
import {
  emptyFrameHeader,
  FRAME_HEADER_BYTES,
  MESSAGE_ID_BYTES,
  MESSAGES,
  padded,
  payloadCrc,
  placeFrame,
  putFrameHeader,
  readFrameHeader,
  SEAL,
  viewOf,
} from './chunk-format.ts'
import type { OpenFile } from './file-system.ts'

export interface ChunkEnd {
  /** Position of the event that follows the chunk. */
  readonly next: number
  /** Id bases of the messages in the chunk, oldest first. */
  readonly messages: readonly string[]
  /** How many marks are in it. */
  readonly marks: number
}

/** What is written behind the last COMMIT. `seed` is where header CRCs start. */
export function encodeChunkEnd({ next, messages, marks }: ChunkEnd, seed: number): Buffer {
  const payloadBytes = messages.length * MESSAGE_ID_BYTES
  const messagesBytes = messages.length === 0 ? 0 : FRAME_HEADER_BYTES + padded(payloadBytes)
  const bytes = Buffer.alloc(messagesBytes + FRAME_HEADER_BYTES)
  const view = viewOf(bytes)
  const place = { position: next, seed }
  if (messagesBytes > 0) {
    const payload = bytes.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + payloadBytes)
    payload.write(messages.join(''), 'latin1')
    const header = { type: MESSAGES, payloadBytes, count: messages.length, packedBytes: 0, payloadCrc: crc32(payload) }
    putFrameHeader(view, 0, header)
    placeFrame(bytes, view, 0, place)
  }
  putFrameHeader(view, messagesBytes, {
    type: SEAL,
    payloadBytes: 0,
    count: marks,
    packedBytes: messagesBytes,
    payloadCrc: 0,
  })
  placeFrame(bytes, view, messagesBytes, place)
  return bytes
}

/**
 * Reads the end of a chunk of `size` bytes, without its messages where nobody wants them. Undefined when there is none
 * that is whole. Throws what the disk throws.
 */
export async function readChunkEnd(
  file: OpenFile,
  { size, seed, wantMessages }: { size: number; seed: number; wantMessages: boolean },
): Promise<ChunkEnd | undefined> {
  const header = emptyFrameHeader()
  const at = size - FRAME_HEADER_BYTES
  if (at < FRAME_HEADER_BYTES || at % 8 !== 0) return undefined
  const seal = await readBytes(file, at, FRAME_HEADER_BYTES)
  if (!readFrameHeader(seal, viewOf(seal), 0, seed, header) || header.type !== SEAL) return undefined
  const { position: next, packedBytes, count: marks } = header
  if (!wantMessages || packedBytes === 0) return { next, messages: [], marks }
  if (packedBytes > at) return undefined
  const bytes = await readBytes(file, at - packedBytes, packedBytes)
  const list = emptyFrameHeader()
  const whole =
    readFrameHeader(bytes, viewOf(bytes), 0, seed, list) &&
    list.type === MESSAGES &&
    FRAME_HEADER_BYTES + list.payloadBytes <= bytes.length &&
    payloadCrc(bytes, 0, list) === list.payloadCrc
  if (!whole) return undefined
  const text = bytes.toString('latin1', FRAME_HEADER_BYTES)
  const messages = Array.from({ length: list.count }, (_, index) =>
    text.slice(index * MESSAGE_ID_BYTES, (index + 1) * MESSAGE_ID_BYTES),
  )
  return { next, messages, marks }
}

async function readBytes(file: OpenFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  await file.read(bytes, offset)
  return bytes
}
