/** Puts where an event stands in Kafka into its record, where `buffer.offset_key` asks for it. Pure. */
import { entryRecordAt, nextEntry } from '../../server/core/packed-entries.ts'

export interface Coordinates {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** A map header of msgpack, 16 and 32 bits, and their largest counts. */
const FIXMAP_MAX = 15
const MAP16 = 0xde
const MAP32 = 0xdf
const MAP16_MAX = 0xffff

/**
 * The same entries, each with `<key>: {topic, partition, offset, index}` as the first key of its record; `index` tells
 * the events of one Kafka record apart, which have one offset. A key that the record has too stays behind it.
 */
export function withCoordinates(packed: Uint8Array, count: number, key: string, where: Coordinates): Uint8Array {
  const prefix = Buffer.concat([text(key), Buffer.from([0x84]), text('topic'), text(where.topic)])
  const numbers = [text('partition'), uint64(where.partition), text('offset'), uint64(where.offset), text('index')]
  const own = Buffer.concat([prefix, ...numbers, uint64(0)])
  const out = Buffer.allocUnsafe(packed.length + count * (own.length + 4))
  let at = 0
  let index = 0
  for (let entry = 0; entry < packed.length; index += 1) {
    const next = nextEntry(packed, entry, packed.length)
    const record = entryRecordAt(packed, entry, next)
    out.set(packed.subarray(entry, record), at)
    at += record - entry
    const head = readMapHeader(packed, record)
    at = writeMapHeader(out, at, head.count + 1)
    own.writeBigUInt64BE(BigInt(index), own.length - 8)
    out.set(own, at)
    at += own.length
    out.set(packed.subarray(head.end, next), at)
    at += next - head.end
    entry = next
  }
  return out.subarray(0, at)
}

function readMapHeader(bytes: Uint8Array, at: number): { count: number; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const lead = bytes[at]!
  if (lead === MAP16) return { count: view.getUint16(at + 1), end: at + 3 }
  if (lead === MAP32) return { count: view.getUint32(at + 1), end: at + 5 }
  return { count: lead & 0x0f, end: at + 1 }
}

function writeMapHeader(out: Buffer, at: number, count: number): number {
  if (count <= FIXMAP_MAX) return out.writeUInt8(0x80 | count, at)
  if (count <= MAP16_MAX) return out.writeUInt16BE(count, out.writeUInt8(MAP16, at))
  return out.writeUInt32BE(count, out.writeUInt8(MAP32, at))
}

/** At most 255 bytes: names of keys and topics. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([0xd9, bytes.length]), bytes])
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = 0xcf
  bytes.writeBigUInt64BE(BigInt(value), 1)
  return bytes
}
