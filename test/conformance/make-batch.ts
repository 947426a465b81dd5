/** Makes batches and packed entries from plain objects, so that a test can say what it means. Only for tests. */
import { Packr } from 'msgpackr'
import type { Batch, StoredStream } from '../../server/core/event.ts'

const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true })

/** A time of the Forward protocol: seconds since 1970 in a number, or an EventTime. */
export type TimeLike = number | EventTime

/** Seconds and nanoseconds, packed as extension type 0 (`d7 00`, 4 bytes each, big-endian). */
export class EventTime {
  readonly seconds: number
  readonly nanoseconds: number
  constructor(seconds: number, nanoseconds: number) {
    this.seconds = seconds
    this.nanoseconds = nanoseconds
  }
  static ofIso(text: string): EventTime {
    const fraction = /\.(\d+)/.exec(text)?.[1] ?? ''
    return new EventTime(Math.floor(Date.parse(text) / 1000), Number(fraction.padEnd(9, '0').slice(0, 9)))
  }
}

/** A record as an object (bigint: 64 bits, Uint8Array inside: bin), or as the msgpack bytes it shall be. */
export type RecordLike = Readonly<Record<string, unknown>> | Uint8Array

export interface EventLike {
  /** Bytes are taken as the msgpack of the time. Default: 2026-11-20T12:00:00.123456789Z. */
  readonly time?: TimeLike | Uint8Array
  readonly record: RecordLike
}

export interface StreamLike {
  readonly tag?: string
  readonly events: readonly EventLike[]
  /** Default: after the last event of the stream before, or 0. */
  readonly position?: number
  /** Default: 16 characters made of the position. */
  readonly idBase?: string
  readonly idIndex?: number
  readonly receivedMs?: number
}

export const DEFAULT_TIME = new EventTime(Date.UTC(2026, 10, 20, 12) / 1000, 123_456_789)
/** When the streams were received, unless they say otherwise: one second after DEFAULT_TIME. */
export const DEFAULT_RECEIVED_MS = Date.UTC(2026, 10, 20, 12, 0, 1)

export function packTime(time: TimeLike): Uint8Array {
  if (typeof time === 'number') return packValue(time)
  const bytes = Buffer.from([0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  bytes.writeUInt32BE(time.seconds, 2)
  bytes.writeUInt32BE(time.nanoseconds, 6)
  return bytes
}

/** msgpack of a value; an EventTime may stand anywhere inside it only as bytes of its own (see packTime). */
export function packValue(value: unknown): Uint8Array {
  return Uint8Array.from(packr.pack(value))
}

/** `0x92 time record`. */
export function packEntry({ time = DEFAULT_TIME, record }: EventLike): Uint8Array {
  return Buffer.concat([
    Buffer.of(0x92),
    time instanceof Uint8Array ? time : packTime(time),
    record instanceof Uint8Array ? record : packValue(record),
  ])
}

/** `[time, record]*`, back to back. */
export function packEntries(events: readonly EventLike[]): Uint8Array {
  return Buffer.concat(events.map(packEntry))
}

/**
 * A batch of these streams, each at positions that follow the stream before unless it names its own.
 * Each `packed` lies at an odd offset of a larger memory, as in a chunk file.
 */
export function makeBatch(streams: readonly StreamLike[]): Batch {
  const from = streams[0]?.position ?? 0
  let next = from
  const stored = streams.map((stream): StoredStream => {
    const position = stream.position ?? next
    next = position + stream.events.length
    return {
      tag: stream.tag ?? 'docker.web',
      packed: atOddOffset(packEntries(stream.events)),
      count: stream.events.length,
      position,
      idBase: stream.idBase ?? String(position).padStart(16, 'A'),
      idIndex: stream.idIndex ?? 0,
      receivedMs: stream.receivedMs ?? DEFAULT_RECEIVED_MS,
    }
  })
  return {
    streams: stored,
    count: stored.reduce((sum, stream) => sum + stream.count, 0),
    bytes: stored.reduce((sum, stream) => sum + stream.packed.byteLength, 0),
    from,
    to: next,
  }
}

/** A batch of one stream that holds these records. */
export function batchOf(...records: readonly RecordLike[]): Batch {
  return makeBatch([{ events: records.map((record) => ({ record })) }])
}

/** The ids of a batch's events in order. */
export function idsOf(batch: Batch): string[] {
  return batch.streams.flatMap((stream) =>
    Array.from({ length: stream.count }, (_, index) => `${stream.idBase}.${stream.idIndex + index}`),
  )
}

function atOddOffset(bytes: Uint8Array): Uint8Array {
  const memory = new Uint8Array(bytes.byteLength + 10)
  memory.set(bytes, 7)
  return memory.subarray(7, 7 + bytes.byteLength)
}
