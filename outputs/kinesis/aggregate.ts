/**
 * Many events in one record, as the Kinesis Producer Library has it, so that its consumers take them apart:
 *
 *   f3 89 9a c2 | AggregatedRecord (protobuf) | MD5 of the protobuf, 16 bytes
 *
 *   AggregatedRecord { 1: partition_key_table (string)*, 3: Record* }
 *   Record           { 1: partition_key_index (varint), 3: data (bytes) }
 */
import { createHash } from 'node:crypto'

const MAGIC = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2)
const MD5_BYTES = 16
/** Tags of protobuf: number of the field × 8 + wire type. */
const KEY_TABLE = 0x0a
const RECORD = 0x1a
const KEY_INDEX = 0x08
const DATA = 0x1a

/** Bytes that an aggregated record has before the first event. */
export function aggregatedBytes(key: string): number {
  return MAGIC.length + MD5_BYTES + 2 + Buffer.byteLength(key)
}

/** @param data one event each; all are said to have the one key. */
export function aggregateRecord(key: string, data: readonly Uint8Array[]): Uint8Array {
  const keyBytes = Buffer.from(key)
  const parts: Uint8Array[] = [Uint8Array.of(KEY_TABLE), varint(keyBytes.length), keyBytes]
  for (const event of data) {
    const length = varint(event.length)
    parts.push(Uint8Array.of(RECORD), varint(3 + length.length + event.length))
    parts.push(Uint8Array.of(KEY_INDEX, 0, DATA), length, event)
  }
  const message = Buffer.concat(parts)
  return Buffer.concat([MAGIC, message, createHash('md5').update(message).digest()])
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}
