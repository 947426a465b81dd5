/** The base of the event ids of one message; the same whenever and wherever an agent sends the message again. */
import { hash } from 'node:crypto'
import { putU64, viewOf } from './chunk-format.ts'

export const ID_BASE_BYTES = 12

const DOMAIN = Buffer.from('v1')

/** The message as its id sees it. */
export interface MessageIdentity {
  readonly tag: Uint8Array
  readonly chunkId: Uint8Array
  /** CRC-32 and length of all packed bytes. */
  readonly packedCrc: number
  readonly packedBytes: number
}

let scratch = Buffer.alloc(4_096)

/**
 * The first 12 bytes of sha256("v1" ‖ u32 length, tag ‖ u32 length, chunk id ‖ u32 CRC-32 of the packed bytes ‖ u64
 * their length). The chunk id is what nobody can guess; the payload is in it only so that another payload under the
 * same id is another event, and for that its CRC and length do. A sha256 of every payload would cost a whole core at
 * 0.18 GB/s on machines without SHA instructions.
 */
export function messageIdBase(message: MessageIdentity): Uint8Array {
  const { tag, chunkId } = message
  const length = 2 + 4 + tag.length + 4 + chunkId.length + 4 + 8
  if (scratch.length < length) scratch = Buffer.alloc(length)
  const view = viewOf(scratch)
  scratch.set(DOMAIN)
  let at = 2
  for (const part of [tag, chunkId]) {
    view.setUint32(at, part.length, true)
    scratch.set(part, at + 4)
    at += 4 + part.length
  }
  view.setUint32(at, message.packedCrc, true)
  putU64(view, at + 4, message.packedBytes)
  return hash('sha256', scratch.subarray(0, length), 'buffer').subarray(0, ID_BASE_BYTES)
}

/** As events carry it: 16 base64url characters. */
export function idBaseText(base: Uint8Array): string {
  return Buffer.from(base.buffer, base.byteOffset, ID_BASE_BYTES).toString('base64url')
}
