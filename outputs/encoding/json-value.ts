/**
 * msgpack values into JSON bytes, in one walk and without making objects of them.
 *
 *   nil, bool, int                      as they are; 64 bits exactly
 *   float                               as JavaScript prints it; 3.0 stays 3.0, NaN and infinities become null
 *   str, bin                            text; invalid UTF-8 becomes U+FFFD
 *   array, map                          array, object; keys that come twice are written twice
 *   ext 0 (EventTime), -1 (timestamp)   ISO 8601 text
 *   any other ext                       its bytes as base64 text
 *   a key that is no string             its text; `[]` for an array, `{}` for a map
 *
 * Every value is written with a comma behind it, and whoever closes a container takes the last one back: so nothing
 * has to be known of what comes next.
 */
import { skipTrusted } from '../../server/core/msgpack.ts'
import { type ByteSink, reserve, writeAscii } from './byte-sink.ts'
import { ISO_SECONDS_END, ISO_SECONDS_MIN, writeIsoTime } from './iso-time.ts'
import { writeDouble, writeInt64, writeInteger, writeUint64, writeUnsigned } from './json-number.ts'
import { QUOTE_COLON, QUOTE_COMMA, writeString } from './json-string.ts'

/** Containers within containers. The inputs let fewer pass; what lies deeper becomes null. */
export const DEPTH_MAX = 100

const COMMA = 0x2c
const COLON = 0x3a
const QUOTE = 0x22

/** Writes the value at `pos`, which is whole and was checked, and a comma. Returns the position after it. */
export function writeValue(from: DataView, pos: number, sink: ByteSink, depth: number): number {
  const first = from.getUint8(pos)
  if (first >= 0xa0 && first < 0xc0) return writeText(from, pos + 1, first & 31, sink)
  if (first === 0xd9) return writeText(from, pos + 2, from.getUint8(pos + 1), sink)
  if (first >= 0x80 && first < 0x90) return writeMap(from, pos + 1, first & 15, sink, depth)
  if (first >= 0x90 && first < 0xa0) return writeArray(from, pos + 1, first & 15, sink, depth)
  return writeLongForm(from, pos, first, sink, depth)
}

/** Everything that has no length in its first byte. */
function writeLongForm(from: DataView, pos: number, first: number, sink: ByteSink, depth: number): number {
  switch (first) {
    case 0xc4:
      return writeText(from, pos + 2, from.getUint8(pos + 1), sink)
    case 0xc5:
    case 0xda:
      return writeText(from, pos + 3, from.getUint16(pos + 1), sink)
    case 0xc6:
    case 0xdb:
      return writeText(from, pos + 5, from.getUint32(pos + 1), sink)
    case 0xc7:
      return writeExtension(from, pos + 2, from.getUint8(pos + 1), sink)
    case 0xc8:
      return writeExtension(from, pos + 3, from.getUint16(pos + 1), sink)
    case 0xc9:
      return writeExtension(from, pos + 5, from.getUint32(pos + 1), sink)
    case 0xdc:
      return writeArray(from, pos + 3, from.getUint16(pos + 1), sink, depth)
    case 0xdd:
      return writeArray(from, pos + 5, from.getUint32(pos + 1), sink, depth)
    case 0xde:
      return writeMap(from, pos + 3, from.getUint16(pos + 1), sink, depth)
    case 0xdf:
      return writeMap(from, pos + 5, from.getUint32(pos + 1), sink, depth)
    default:
      if (first >= 0xd4 && first <= 0xd8) return writeExtension(from, pos + 1, 1 << (first - 0xd4), sink)
  }
  const next = writeScalar(from, pos, first, sink)
  writeByte(sink, COMMA)
  return next
}

/** Constants and numbers, without a comma. */
function writeScalar(from: DataView, pos: number, first: number, sink: ByteSink): number {
  const body = pos + 1
  if (first < 0x80 || first >= 0xe0) {
    writeInteger(first < 0x80 ? first : first - 256, sink)
    return body
  }
  switch (first) {
    case 0xc0:
      writeAscii(sink, 'null')
      return body
    case 0xc2:
      writeAscii(sink, 'false')
      return body
    case 0xc3:
      writeAscii(sink, 'true')
      return body
    case 0xca:
      writeDouble(from.getFloat32(body), sink)
      return body + 4
    case 0xcb:
      writeDouble(from.getFloat64(body), sink)
      return body + 8
    case 0xcc:
      writeUnsigned(from.getUint8(body), sink)
      return body + 1
    case 0xcd:
      writeUnsigned(from.getUint16(body), sink)
      return body + 2
    case 0xce:
      writeUnsigned(from.getUint32(body), sink)
      return body + 4
    case 0xcf:
      writeUint64(from, body, sink)
      return body + 8
    case 0xd0:
      writeInteger(from.getInt8(body), sink)
      return body + 1
    case 0xd1:
      writeInteger(from.getInt16(body), sink)
      return body + 2
    case 0xd2:
      writeInteger(from.getInt32(body), sink)
      return body + 4
    case 0xd3:
      writeInt64(from, body, sink)
      return body + 8
    default:
      throw new Error(`the buffer holds the byte ${first}, which is no msgpack`)
  }
}

function writeText(from: DataView, start: number, length: number, sink: ByteSink): number {
  writeString(from, start, length, QUOTE_COMMA, sink)
  return start + length
}

function writeArray(from: DataView, start: number, count: number, sink: ByteSink, depth: number): number {
  if (depth >= DEPTH_MAX) return writeTooDeep(from, start, count, sink)
  writeByte(sink, 0x5b)
  let pos = start
  for (let index = 0; index < count; index++) pos = writeValue(from, pos, sink, depth + 1)
  if (count > 0) sink.at--
  writeByte(sink, 0x5d)
  writeByte(sink, COMMA)
  return pos
}

function writeMap(from: DataView, start: number, count: number, sink: ByteSink, depth: number): number {
  if (depth >= DEPTH_MAX) return writeTooDeep(from, start, count * 2, sink)
  writeByte(sink, 0x7b)
  let pos = start
  for (let index = 0; index < count; index++) pos = writeValue(from, writeKey(from, pos, sink), sink, depth + 1)
  if (count > 0) sink.at--
  writeByte(sink, 0x7d)
  writeByte(sink, COMMA)
  return pos
}

/** Writes a key of a map as a string, whatever it is, and a colon. Returns the position after it. */
export function writeKey(from: DataView, pos: number, sink: ByteSink): number {
  const first = from.getUint8(pos)
  if (first < 0xa0 || first >= 0xc0) return writeOddKey(from, pos, first, sink)
  writeString(from, pos + 1, first & 31, QUOTE_COLON, sink)
  return pos + 1 + (first & 31)
}

function writeOddKey(from: DataView, pos: number, first: number, sink: ByteSink): number {
  const isArray = (first >= 0x90 && first < 0xa0) || first === 0xdc || first === 0xdd
  const isMap = (first >= 0x80 && first < 0x90) || first === 0xde || first === 0xdf
  if (isArray || isMap) {
    writeAscii(sink, isArray ? '"[]":' : '"{}":')
    return skip(from, pos)
  }
  reserve(sink, 1)
  const start = sink.at++
  const next = writeValue(from, pos, sink, 0)
  const last = sink.at - 1
  if (sink.view.getUint8(start + 1) === QUOTE) {
    sink.bytes.copyWithin(start, start + 1, last)
    sink.view.setUint8(last - 1, COLON)
    sink.at = last
  } else {
    sink.view.setUint8(start, QUOTE)
    sink.view.setUint8(last, QUOTE)
    writeByte(sink, COLON)
  }
  return next
}

/** `start`: the type byte of an extension, behind its length. */
function writeExtension(from: DataView, start: number, length: number, sink: ByteSink): number {
  const type = from.getInt8(start)
  const body = start + 1
  if (!((type === 0 || type === -1) && writeTimeExtension(from, body, type === 0, length, sink))) {
    const bytes = Buffer.from(from.buffer as ArrayBuffer, from.byteOffset + body, length)
    writeAscii(sink, `"${bytes.toString('base64')}"`)
  }
  writeByte(sink, COMMA)
  return body + length
}

/**
 * EventTime (Forward spec v1) and the timestamp of the msgpack specification. False: it is no time of years 0 to 9999.
 */
function writeTimeExtension(
  from: DataView,
  body: number,
  isEventTime: boolean,
  length: number,
  sink: ByteSink,
): boolean {
  let seconds = 0
  let nanoseconds = 0
  if (length === 8 && isEventTime) {
    seconds = from.getUint32(body)
    nanoseconds = from.getUint32(body + 4)
  } else if (length === 4 && !isEventTime) {
    seconds = from.getUint32(body)
  } else if (length === 8) {
    const packed = from.getBigUint64(body)
    seconds = Number(packed & 0x3_ffff_ffffn)
    nanoseconds = Number(packed >> 34n)
  } else if (length === 12 && !isEventTime) {
    nanoseconds = from.getUint32(body)
    seconds = Number(from.getBigInt64(body + 4))
  } else {
    return false
  }
  if (nanoseconds > 999_999_999 || seconds < ISO_SECONDS_MIN || seconds >= ISO_SECONDS_END) return false
  writeIsoTime(seconds, nanoseconds, sink)
  return true
}

function writeTooDeep(from: DataView, start: number, values: number, sink: ByteSink): number {
  writeAscii(sink, 'null,')
  let pos = start
  for (let index = 0; index < values; index++) pos = skip(from, pos)
  return pos
}

function skip(from: DataView, pos: number): number {
  return skipTrusted(new Uint8Array(from.buffer, from.byteOffset, from.byteLength), pos, from.byteLength)
}

function writeByte(sink: ByteSink, byte: number): void {
  reserve(sink, 1)
  sink.view.setUint8(sink.at++, byte)
}
