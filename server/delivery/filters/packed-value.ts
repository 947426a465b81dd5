/** Single msgpack values: made of text and of plain values, and read as text. Records are event-record.ts's matter. */
import { Packr } from 'msgpackr'
import { MalformedError, NEED_MORE, readStringHeader, SCAN_LIMITS, skipValue } from '../../core/msgpack.ts'
import { FilterFault } from './filter.ts'

/** Longest text that a filter works on, bytes: patterns are linear, but not cheap. */
export const TEXT_BYTES_MAX = 1024 * 1024

const packr = new Packr({ useRecords: false, variableMapSize: true, largeBigIntToString: true })
const span = { start: 0, end: 0 }

/** msgpack str of the bytes, whether they are UTF-8 or not. */
export function packString(bytes: Uint8Array): Uint8Array {
  const { byteLength: length } = bytes
  return withHead(length < 32 ? [0xa0 | length] : longHead(0xd9, length), bytes)
}

/** msgpack of the bytes as what `like` is: bin, or else str. */
export function packLike(like: Uint8Array, bytes: Uint8Array): Uint8Array {
  const isBinary = like[0]! >= 0xc4 && like[0]! <= 0xc6
  return isBinary ? withHead(longHead(0xc4, bytes.byteLength), bytes) : packString(bytes)
}

/** `first`: the type with a length of one byte; those of two and four follow. */
function longHead(first: number, length: number): number[] {
  if (length < 256) return [first, length]
  if (length < 65_536) return [first + 1, length >> 8, length & 255]
  return [first + 2, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255]
}

function withHead(head: readonly number[], bytes: Uint8Array): Uint8Array {
  const packed = new Uint8Array(head.length + bytes.byteLength)
  packed.set(head)
  packed.set(bytes, head.length)
  return packed
}

export function packText(text: string): Uint8Array {
  return packString(Buffer.from(text, 'utf8'))
}

/**
 * msgpack of what JSON can say and of bigints; one that 64 bits cannot hold becomes text.
 * Throws FilterFault when it is deeper or has more keys than an event may.
 */
export function packValue(value: unknown): Uint8Array {
  if (typeof value === 'string') return packText(value)
  try {
    const packed = Uint8Array.from(packr.pack(value))
    skipValue(packed, 0, packed.length, SCAN_LIMITS)
    return packed
  } catch (error) {
    if (error instanceof MalformedError || error instanceof RangeError) {
      throw new FilterFault('too_large', 'it is nested too deeply or has too many keys')
    }
    throw error
  }
}

/** The bytes of a str or bin; undefined for a value of another type. */
export function stringBytes(value: Uint8Array): Uint8Array | undefined {
  if (value.length === 0 || !readStringHeader(value, 0, value.length, span) || span.end === NEED_MORE) return undefined
  return value.subarray(span.start, span.end)
}

/**
 * A value as text: strings (invalid UTF-8 becomes U+FFFD), numbers, booleans; undefined for nil, maps, arrays and
 * extensions. Throws FilterFault when it is longer than TEXT_BYTES_MAX.
 */
export function textOf(value: Uint8Array | undefined): string | undefined {
  if (value === undefined) return undefined
  const bytes = stringBytes(value)
  if (bytes === undefined) return scalarText(value)
  if (bytes.length > TEXT_BYTES_MAX)
    throw new FilterFault('too_large', `its text is longer than ${TEXT_BYTES_MAX} bytes`)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

function scalarText(value: Uint8Array): string | undefined {
  const first = value[0]!
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  if (first < 0x80) return String(first)
  if (first >= 0xe0) return String(first - 256)
  switch (first) {
    case 0xc2:
      return 'false'
    case 0xc3:
      return 'true'
    case 0xca:
      return String(view.getFloat32(1))
    case 0xcb:
      return String(view.getFloat64(1))
    case 0xcc:
      return String(view.getUint8(1))
    case 0xcd:
      return String(view.getUint16(1))
    case 0xce:
      return String(view.getUint32(1))
    case 0xcf:
      return String(view.getBigUint64(1))
    case 0xd0:
      return String(view.getInt8(1))
    case 0xd1:
      return String(view.getInt16(1))
    case 0xd2:
      return String(view.getInt32(1))
    case 0xd3:
      return String(view.getBigInt64(1))
    default:
      return undefined
  }
}
