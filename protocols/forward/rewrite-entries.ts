/**
 * Writes checked entries anew with what the configuration adds: keys of the sender in each record, and times in
 * milliseconds as EventTime. By bytes: no record is decoded, and what is not changed is copied as it came.
 *
 *   entry out   92 time map(n + added) key value … added key value …
 *   time out    d7 00 SSSSSSSS NNNNNNNN where milliseconds came, else as it came, metadata included
 */
import { readContainerHeader, readStringHeader, type Span, skipTrusted } from '../../server/core/msgpack.ts'
import { entryRecordAt, entryTimeAt, nextEntry } from '../../server/core/packed-entries.ts'

/** A key and its text, to be put into every record in the place of the client's own key of that name. */
export interface AddedField {
  readonly key: string
  readonly text: string
}

export interface EntryRewriter {
  /** Entries that were checked, to entries of the same number and order. */
  rewrite(packed: Uint8Array): Uint8Array
}

interface Added {
  readonly key: Uint8Array
  /** Key and text as msgpack. */
  readonly pair: Uint8Array
}

export function createEntryRewriter(fields: readonly AddedField[], timeInMs: boolean): EntryRewriter {
  const added = fields.map(({ key, text }) => ({ key: Buffer.from(key), pair: Buffer.concat([str(key), str(text)]) }))
  const addedBytes = added.reduce((sum, { pair }) => sum + pair.length, 0)
  return { rewrite: (packed) => rewriteAll(packed, { added, addedBytes, timeInMs }) }
}

interface Rewrite {
  readonly added: readonly Added[]
  readonly addedBytes: number
  readonly timeInMs: boolean
}

/** EventTime's seconds are a u32. */
const SECONDS_END = 2 ** 32
/** What an entry may gain beside the added pairs: a wider time and a wider map header. */
const HEADERS_BYTES = 1 + 10 + 5

function rewriteAll(packed: Uint8Array, rewrite: Rewrite): Uint8Array {
  const end = packed.length
  let out = Buffer.allocUnsafeSlow(Math.ceil(end * 1.25) + rewrite.addedBytes + HEADERS_BYTES)
  let length = 0
  for (let at = 0; at < end; ) {
    const next = nextEntry(packed, at, end)
    const needed = length + next - at + rewrite.addedBytes + HEADERS_BYTES
    if (needed > out.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, out.length * 2))
      grown.set(out.subarray(0, length))
      out = grown
    }
    length = rewriteEntry(packed, at, next, { ...rewrite, out, at: length })
    at = next
  }
  return out.subarray(0, length)
}

interface Target extends Rewrite {
  readonly out: Buffer
  readonly at: number
}

/** @returns the position in `out` behind the entry. */
function rewriteEntry(packed: Uint8Array, start: number, end: number, { out, at, added, timeInMs }: Target): number {
  const record = entryRecordAt(packed, start, end)
  const time = entryTimeAt(packed, start)
  out[at] = 0x92
  let to = timeInMs ? writeTime(packed, time, out, at + 1) : 0
  if (to === 0) to = copy(packed, timeStart(packed, start), record, out, at + 1)
  return writeRecord(packed, record, end, { out, at: to, added })
}

/** Where the entry's first element begins, metadata around the time included. */
function timeStart(packed: Uint8Array, start: number): number {
  readContainerHeader(packed, start, packed.length, 'array', span)
  return span.start
}

const span: Span = { start: 0, end: 0 }

/** An integer or a float of milliseconds as EventTime; what is another time stays. @returns 0 when it is another. */
function writeTime(packed: Uint8Array, time: number, out: Buffer, at: number): number {
  const ms = readMilliseconds(packed, time)
  if (ms === undefined || !(ms >= 0 && ms < SECONDS_END * 1000)) return 0
  out[at] = 0xd7
  out[at + 1] = 0
  out.writeUInt32BE(Math.floor(ms / 1000), at + 2)
  out.writeUInt32BE(Math.min(Math.round((ms % 1000) * 1e6), 999_999_999), at + 6)
  return at + 10
}

/** Undefined for EventTime, which is exact already. */
function readMilliseconds(packed: Uint8Array, at: number): number | undefined {
  const first = packed[at]!
  if (first < 0x80) return first
  const view = new DataView(packed.buffer, packed.byteOffset + at + 1)
  switch (first) {
    case 0xca:
      return view.getFloat32(0)
    case 0xcb:
      return view.getFloat64(0)
    case 0xcc:
      return view.getUint8(0)
    case 0xcd:
      return view.getUint16(0)
    case 0xce:
      return view.getUint32(0)
    case 0xcf:
      return Number(view.getBigUint64(0))
    case 0xd3:
      return Number(view.getBigInt64(0))
    case 0xd2:
      return view.getInt32(0)
    default:
      return undefined
  }
}

interface RecordTarget {
  readonly out: Buffer
  readonly at: number
  readonly added: readonly Added[]
}

/** The client's own pairs but those with an added key, then the added ones: no key stands there twice. */
function writeRecord(packed: Uint8Array, record: number, end: number, { out, at, added }: RecordTarget): number {
  readContainerHeader(packed, record, end, 'map', span)
  const { start, end: pairs } = span
  let kept = pairs
  for (let key = start, left = pairs; left > 0; left -= 1) {
    if (isAdded(packed, key, end, added)) kept -= 1
    key = skipTrusted(packed, skipTrusted(packed, key, end), end)
  }
  let to = writeMapHeader(kept + added.length, out, at)
  if (kept === pairs) to = copy(packed, start, end, out, to)
  else {
    for (let key = start, left = pairs; left > 0; left -= 1) {
      const next = skipTrusted(packed, skipTrusted(packed, key, end), end)
      if (!isAdded(packed, key, end, added)) to = copy(packed, key, next, out, to)
      key = next
    }
  }
  for (const { pair } of added) to = copy(pair, 0, pair.length, out, to)
  return to
}

function isAdded(packed: Uint8Array, at: number, end: number, added: readonly Added[]): boolean {
  if (added.length === 0 || !readStringHeader(packed, at, end, span)) return false
  const length = span.end - span.start
  return added.some(({ key }) => key.length === length && key.every((byte, i) => packed[span.start + i] === byte))
}

function writeMapHeader(pairs: number, out: Buffer, at: number): number {
  if (pairs < 16) return out.writeUInt8(0x80 | pairs, at)
  if (pairs < 65_536) return out.writeUInt16BE(pairs, out.writeUInt8(0xde, at))
  return out.writeUInt32BE(pairs, out.writeUInt8(0xdf, at))
}

function copy(from: Uint8Array, start: number, end: number, out: Buffer, at: number): number {
  out.set(from.subarray(start, end), at)
  return at + end - start
}

/** A text of at most 65,535 bytes. */
function str(text: string): Buffer {
  const bytes = Buffer.from(text)
  const { length } = bytes
  if (length < 32) return Buffer.concat([Buffer.of(0xa0 + length), bytes])
  return Buffer.concat([length < 256 ? Buffer.of(0xd9, length) : Buffer.of(0xda, length >> 8, length & 255), bytes])
}
