/**
 * What the index of words is given of an event: its tag and its values as text, each behind the word of its key.
 * One walk over the msgpack, without making objects.
 *
 *   <tag> docker.web \n <key> value \n <key.within> value \n …        <…>: see key-token.ts
 */
import { skipTrusted } from '../../server/core/msgpack.ts'
import { type ByteSink, createByteSink, emptySink, reserve } from '../encoding/byte-sink.ts'
import { DEPTH_MAX, writeKey, writeValue } from '../encoding/json-value.ts'
import { hashBytes, hashDot, keyToken, PATH_START, TAG_PATH, writeKeyToken } from './key-token.ts'

/** Of one event this much text can be found by its words; what follows is stored, not indexed. */
export const INDEXED_BYTES_MAX = 64 * 1024

const NEW_LINE = 0x0a
const QUOTE = 0x22

/** The text of one event at a time; made once and used again. */
export interface SearchText {
  readonly sink: ByteSink
  /** For keys that are no strings. */
  readonly odd: ByteSink
  depth: number
}

export function createSearchText(): SearchText {
  return { sink: createByteSink(INDEXED_BYTES_MAX), odd: createByteSink(1_024), depth: 0 }
}

/** Begins an event of which `tagPart` (from `tagText`) is the tag, and whose record, a map, stands at `pos`. */
export function writeSearchText(text: SearchText, tagPart: Uint8Array, from: DataView, pos: number): void {
  emptySink(text.sink)
  reserve(text.sink, tagPart.length)
  text.sink.bytes.set(tagPart, 0)
  text.sink.at = tagPart.length
  walk(from, pos, text, PATH_START)
}

/** The part of the text that all events of a tag share. */
export function tagText(tag: string): Uint8Array {
  return Buffer.from(`${keyToken(TAG_PATH)} ${tag}\n`)
}

/** Writes the value at `pos`, whose key has this hash. Returns the position after it. */
function walk(from: DataView, pos: number, text: SearchText, hash: number): number {
  const first = from.getUint8(pos)
  if (first >= 0xa0 && first < 0xc0) return writeText(from, pos + 1, first & 31, text, hash)
  if (first >= 0x80 && first < 0x90) return walkMap(from, pos + 1, first & 15, text, hash)
  if (first >= 0x90 && first < 0xa0) return walkArray(from, pos + 1, first & 15, text, hash)
  switch (first) {
    case 0xc4:
    case 0xd9:
      return writeText(from, pos + 2, from.getUint8(pos + 1), text, hash)
    case 0xc5:
    case 0xda:
      return writeText(from, pos + 3, from.getUint16(pos + 1), text, hash)
    case 0xc6:
    case 0xdb:
      return writeText(from, pos + 5, from.getUint32(pos + 1), text, hash)
    case 0xdc:
      return walkArray(from, pos + 3, from.getUint16(pos + 1), text, hash)
    case 0xdd:
      return walkArray(from, pos + 5, from.getUint32(pos + 1), text, hash)
    case 0xde:
      return walkMap(from, pos + 3, from.getUint16(pos + 1), text, hash)
    case 0xdf:
      return walkMap(from, pos + 5, from.getUint32(pos + 1), text, hash)
    default:
      return writeScalar(from, pos, text, hash)
  }
}

function walkMap(from: DataView, start: number, count: number, text: SearchText, hash: number): number {
  const inner = text.depth === 0 ? hash : hashDot(hash)
  let pos = start
  text.depth++
  for (let left = count; left > 0; left--) {
    if (text.depth > DEPTH_MAX) {
      pos = skip(from, skip(from, pos))
      continue
    }
    const value = keyEnd(from, pos)
    pos = walk(from, value, text, hashKey(from, pos, value, text.odd, inner))
  }
  text.depth--
  return pos
}

/** The items of a list belong to the list's key. */
function walkArray(from: DataView, start: number, count: number, text: SearchText, hash: number): number {
  let pos = start
  text.depth++
  for (let left = count; left > 0; left--) {
    pos = text.depth > DEPTH_MAX ? skip(from, pos) : walk(from, pos, text, hash)
  }
  text.depth--
  return pos
}

function keyEnd(from: DataView, pos: number): number {
  const first = from.getUint8(pos)
  return first >= 0xa0 && first < 0xc0 ? pos + 1 + (first & 31) : skip(from, pos)
}

/** The hash over the key from `pos` to `end`, by the text it has in the document. */
function hashKey(from: DataView, pos: number, end: number, odd: ByteSink, hash: number): number {
  const first = from.getUint8(pos)
  if (first >= 0xa0 && first < 0xc0) return hashBytes(hash, from, pos + 1, end)
  if (first >= 0xd9 && first <= 0xdb) return hashBytes(hash, from, pos + 1 + (1 << (first - 0xd9)), end)
  if (first >= 0xc4 && first <= 0xc6) return hashBytes(hash, from, pos + 1 + (1 << (first - 0xc4)), end)
  odd.at = 0
  writeKey(from, pos, odd)
  return hashBytes(hash, odd.view, 1, odd.bytes.lastIndexOf(QUOTE, odd.at - 1))
}

function writeText(from: DataView, start: number, length: number, text: SearchText, hash: number): number {
  const { sink } = text
  const room = INDEXED_BYTES_MAX - sink.at
  if (room > 0) {
    writeKeyToken(hash, sink)
    copy(from, start, Math.min(length, room), sink)
  }
  return start + length
}

/** Numbers and constants, as the document has them. */
function writeScalar(from: DataView, pos: number, text: SearchText, hash: number): number {
  const { sink } = text
  if (sink.at >= INDEXED_BYTES_MAX) return skip(from, pos)
  writeKeyToken(hash, sink)
  const next = writeValue(from, pos, sink, text.depth)
  reserve(sink, 1)
  sink.view.setUint8(sink.at++, NEW_LINE)
  return next
}

/** Copies bytes, four at a time, and ends the line. */
function copy(from: DataView, start: number, length: number, sink: ByteSink): void {
  reserve(sink, length + 1)
  const { view, at } = sink
  const whole = length & ~3
  for (let index = 0; index < whole; index += 4) {
    view.setInt32(at + index, from.getInt32(start + index, true), true)
  }
  for (let index = whole; index < length; index++) view.setUint8(at + index, from.getUint8(start + index))
  view.setUint8(at + length, NEW_LINE)
  sink.at = at + length + 1
}

function skip(from: DataView, pos: number): number {
  return skipTrusted(new Uint8Array(from.buffer, from.byteOffset, from.byteLength), pos, from.byteLength)
}
