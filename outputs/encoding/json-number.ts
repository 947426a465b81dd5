/** Numbers into JSON: integers of 64 bits exactly, doubles as JavaScript prints them. */
import { type ByteSink, reserve, writeAscii } from './byte-sink.ts'

const ZERO = 0x30
const BILLION = 1_000_000_000
/** Bytes of `-9223372036854775808`. */
const INTEGER_LENGTH_MAX = 20
/** 2^53 / 2^32: below it the two halves make an exact double. */
const EXACT_HIGH = 0x20_0000

/** `00` to `99` as two bytes each, the first in the high one. */
const PAIRS = Uint16Array.from({ length: 100 }, (_, n) => ((ZERO + Math.floor(n / 10)) << 8) | (ZERO + (n % 10)))

/** Writes an integer from 0 to 2^53. */
export function writeUnsigned(value: number, sink: ByteSink): void {
  reserve(sink, INTEGER_LENGTH_MAX)
  sink.at = copyUnsigned(value, sink.view, sink.at)
}

/** `writeUnsigned` where there is room already (20 bytes). Returns the new write position. */
export function copyUnsigned(value: number, to: DataView, at: number): number {
  if (value < BILLION) return copySmall(value | 0, to, at)
  const high = Math.floor(value / BILLION)
  const rest = at + digitsOf(high)
  writePadded(high, rest - at, to, at)
  writePadded(value - high * BILLION, 9, to, rest)
  return rest + 9
}

function copySmall(value: number, to: DataView, at: number): number {
  const digits = digitsOf(value)
  writePadded(value, digits, to, at)
  return at + digits
}

function digitsOf(value: number): number {
  if (value < 10) return 1
  if (value < 100) return 2
  if (value < 1_000) return 3
  if (value < 10_000) return 4
  if (value < 100_000) return 5
  if (value < 1_000_000) return 6
  if (value < 10_000_000) return 7
  return value < 100_000_000 ? 8 : 9
}

/** Writes so many digits (9 at most), with zeros in front. */
export function writePadded(value: number, digits: number, to: DataView, at: number): void {
  let rest = value | 0
  let place = at + digits - 2
  while (place >= at) {
    const next = (rest / 100) | 0
    to.setUint16(place, PAIRS[rest - next * 100]!)
    rest = next
    place -= 2
  }
  if (place === at - 1) to.setUint8(at, ZERO + rest)
}

/** Writes an integer from -2^53 to 2^53. */
export function writeInteger(value: number, sink: ByteSink): void {
  reserve(sink, INTEGER_LENGTH_MAX)
  if (value < 0) sink.view.setUint8(sink.at++, 0x2d)
  sink.at = copyUnsigned(Math.abs(value), sink.view, sink.at)
}

/** Writes the big-endian 64 bits at `pos`. */
export function writeUint64(from: DataView, pos: number, sink: ByteSink): void {
  const high = from.getUint32(pos)
  if (high < EXACT_HIGH) writeUnsigned(high * 0x1_0000_0000 + from.getUint32(pos + 4), sink)
  else writeAscii(sink, String(from.getBigUint64(pos)))
}

/** Writes the big-endian 64 bits at `pos`, signed. */
export function writeInt64(from: DataView, pos: number, sink: ByteSink): void {
  const high = from.getInt32(pos)
  if (high < EXACT_HIGH && high >= -EXACT_HIGH) {
    writeInteger(high * 0x1_0000_0000 + from.getUint32(pos + 4), sink)
  } else {
    writeAscii(sink, String(from.getBigInt64(pos)))
  }
}

/**
 * Writes a double. One without a fraction keeps `.0`, so that a destination that derives its types from the first
 * document (as Elasticsearch does) takes it for what it is. NaN and infinities, which JSON lacks, become null.
 */
export function writeDouble(value: number, sink: ByteSink): void {
  writeAscii(sink, Number.isFinite(value) ? String(value) : 'null')
  if (Number.isInteger(value) && Math.abs(value) < 1e21) writeAscii(sink, '.0')
}
