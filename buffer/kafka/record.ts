/**
 * One Kafka record is one event stream, or a part of it. Pure.
 *
 *   value      `[time, record]*`, msgpack, as they came; at most EVENTS_MAX of them
 *   headers    tag        the tag's bytes
 *              count      how many events, decimal
 *              id         id of the first event: 16 base64url characters, a dot, a decimal number
 *              received   when the receiver took it, ms since 1970, decimal
 *
 * A position is where an event stands in its topic, and never changes:
 *
 *   (offset × 256 + partition) × 1,024 + index in the record
 *
 * so that `sequence` orders a partition, and no two events of a topic have the same. 2^53 is reached at 34 billion
 * records in a partition.
 */
import { createHash } from 'node:crypto'
import type { Position } from '../../server/core/event.ts'
import { ID_BASE_BYTES, idBaseText } from '../event-id.ts'

export const EVENTS_MAX = 1_024
export const PARTITIONS_MAX = 256
/** About what the headers, the key and the frame of a record take beside the tag, bytes. */
export const RECORD_OVERHEAD = 160

export interface StreamPart {
  readonly tag: Uint8Array
  readonly packed: Uint8Array
  readonly count: number
  readonly idBase: Uint8Array
  readonly idIndex: number
  readonly receivedMs: number
}

export type Header = readonly [Buffer | null, Buffer | null]

/** As it is read; what a foreign producer left out is made of where the record stands. */
export interface RecordLabel {
  readonly tag: string
  readonly count: number
  readonly idBase: string
  readonly idIndex: number
  readonly receivedMs: number
}

export function headersOf(part: StreamPart): Map<string, Buffer> {
  return new Map([
    ['tag', Buffer.from(part.tag)],
    ['count', Buffer.from(`${part.count}`)],
    ['id', Buffer.from(`${idBaseText(part.idBase)}.${part.idIndex}`)],
    ['received', Buffer.from(`${part.receivedMs}`)],
  ])
}

/** Undefined: it is no record of ours. */
export function labelOf(headers: readonly Header[]): RecordLabel | undefined {
  const texts = new Map<string, string>()
  for (const [key, value] of headers) if (key !== null && value !== null) texts.set(key.toString(), value.toString())
  const [, idBase, idIndex] = /^([A-Za-z0-9_-]{16})\.(\d{1,10})$/.exec(texts.get('id') ?? '') ?? []
  const [tag, count, receivedMs] = [texts.get('tag'), Number(texts.get('count')), Number(texts.get('received'))]
  if (tag === undefined || tag === '' || idBase === undefined) return undefined
  if (!Number.isInteger(count) || count < 1 || count > EVENTS_MAX || !Number.isFinite(receivedMs)) return undefined
  return { tag, count, idBase, idIndex: Number(idIndex), receivedMs }
}

export function positionOf(partition: number, offset: bigint): Position {
  return (Number(offset) * PARTITIONS_MAX + (partition % PARTITIONS_MAX)) * EVENTS_MAX
}

/** Names what a receiver gives ids to that came without one: another for each time it is started. */
export function receiverIdBase(random: Uint8Array): Uint8Array {
  return createHash('sha256').update('receiver').update(random).digest().subarray(0, ID_BASE_BYTES)
}
