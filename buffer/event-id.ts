/** The base of the event ids of one message; the same whenever and wherever an agent sends the message again. */
import { hash } from 'node:crypto'
import { ID_GIVEN, ID_OF_BUFFER, type Label, putU64, viewOf } from './chunk-format.ts'

export const ID_BASE_BYTES = 12

const DOMAIN = Buffer.from('v1')
const GIVEN_DOMAIN = Buffer.from('given')

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
  // As text it comes without a piece of memory of its own, which costs more than the hash.
  const digest = hash('sha256', scratch.subarray(0, length), 'binary')
  const base = new Uint8Array(ID_BASE_BYTES)
  for (let i = 0; i < ID_BASE_BYTES; i += 1) base[i] = digest.charCodeAt(i)
  return base
}

/** As events carry it: 16 base64url characters. */
export function idBaseText(base: Uint8Array): string {
  return Buffer.from(base.buffer, base.byteOffset, ID_BASE_BYTES).toString('base64url')
}

/**
 * What a stored stream is remembered by, so that it is told when it comes again; undefined: it came without an id.
 * A message has its id base. Where the ids were given, a message may hold any part of what has that base, so it is the
 * first 12 bytes of sha256("given" ‖ id base ‖ u32 id index ‖ u32 count ‖ tag). The payload is not in it: who may give
 * ids is believed, and a chunk is gone through without its payloads.
 */
export function rememberedBy(label: Label, count: number): string | undefined {
  if (label.idKind === ID_OF_BUFFER) return undefined
  if (label.idKind !== ID_GIVEN) return idBaseText(label.idBase)
  const numbers = Buffer.alloc(8)
  numbers.writeUInt32LE(label.idIndex, 0)
  numbers.writeUInt32LE(count, 4)
  return idBaseText(hash('sha256', Buffer.concat([GIVEN_DOMAIN, label.idBase, numbers, label.tag]), 'buffer'))
}
