/** Bytes that should be UTF-8 into a JSON string. Invalid bytes become U+FFFD, as the WHATWG decoder does it. */
import { type ByteSink, reserve } from './byte-sink.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
/** A byte becomes six at most: `\u001f`. */
const BYTES_PER_BYTE_MAX = 6
/** Two quotes, and what follows. */
const ROOM = 3
/** What ends a string: `",` and `":`, as two bytes. */
export const QUOTE_COMMA = 0x222c
export const QUOTE_COLON = 0x223a

const HIGH_BITS = 0x80808080 | 0

/** The letter after the backslash by byte; 0: `\u00xx`. */
const LETTERS = new Uint8Array(128)
for (const [byte, letter] of Object.entries({
  8: 'b',
  9: 't',
  10: 'n',
  12: 'f',
  13: 'r',
  34: '"',
  92: '\\',
})) {
  LETTERS[Number(byte)] = letter.charCodeAt(0)
}
const HEX = new Uint8Array([...'0123456789abcdef'].map((digit) => digit.charCodeAt(0)))

/**
 * Writes `"…"` with what JSON wants escaped. Eight bytes are tested and copied at a time, since that is most of the
 * work of the whole product; after a byte that needs care it goes on with eight at a time behind it.
 * @param close QUOTE_COMMA or QUOTE_COLON
 */
export function writeString(from: DataView, start: number, length: number, close: number, sink: ByteSink): void {
  reserve(sink, length * BYTES_PER_BYTE_MAX + ROOM)
  const to = sink.view
  const end = start + length
  const lastPair = end - 8
  let at = sink.at
  let pos = start
  to.setUint8(at++, QUOTE)
  for (;;) {
    let special = 0
    while (pos <= lastPair) {
      const low = from.getInt32(pos, true)
      const high = from.getInt32(pos + 4, true)
      to.setInt32(at, low, true)
      to.setInt32(at + 4, high, true)
      const specialLow = specialBytes(low)
      special = specialBytes(high)
      if ((special | specialLow) !== 0) {
        if (specialLow !== 0) {
          special = specialLow
        } else {
          pos += 4
          at += 4
        }
        break
      }
      pos += 8
      at += 8
    }
    if (special === 0) {
      if (pos === end) break
      const left = end - pos
      if (left >= 4) {
        const word = from.getInt32(pos, true)
        to.setInt32(at, word, true)
        special = specialBytes(word)
        if (special === 0) {
          pos += 4
          at += 4
          continue
        }
      } else {
        const word = shortWord(from, end, left)
        to.setInt32(at, word, true)
        special = specialBytes(word) & ((1 << (left << 3)) - 1)
        if (special === 0) {
          at += left
          break
        }
      }
    }
    const plain = (31 - Math.clz32(special & -special)) >> 3
    pos += plain
    at += plain
    let byte = from.getUint8(pos)
    if (byte < 0x80) {
      at = writeEscape(byte, to, at)
      pos++
      continue
    }
    do {
      const size = sequenceLength(from, pos, end)
      at = writeSequence(from, pos, size, to, at)
      pos += Math.abs(size)
      byte = pos < end ? from.getUint8(pos) : 0
    } while (byte >= 0x80)
  }
  to.setUint16(at, close)
  sink.at = at + 2
}

/**
 * The high bit of the lowest byte that is a quote, a backslash, a control character or not ASCII; bits above it mean
 * nothing. Without such a byte no subtraction borrows from the next byte, so 0 says that all four can be copied. A
 * byte ^ 2 is below 0x21 for the control characters and the quote, and for nothing else in ASCII.
 */
function specialBytes(word: number): number {
  return (((word ^ 0x02020202) - 0x21212121) | ((word ^ 0x5c5c5c5c) - 0x01010101) | word) & HIGH_BITS
}

/**
 * The last one to three bytes before `end`, read without touching what lies behind: a string never begins the memory.
 */
function shortWord(from: DataView, end: number, size: number): number {
  return from.getInt32(end - 4, true) >>> ((4 - size) << 3)
}

function writeEscape(byte: number, to: DataView, at: number): number {
  const letter = LETTERS[byte]!
  to.setUint8(at, BACKSLASH)
  if (letter !== 0) {
    to.setUint8(at + 1, letter)
    return at + 2
  }
  to.setUint8(at + 1, 0x75)
  to.setUint16(at + 2, 0x3030)
  to.setUint8(at + 4, HEX[byte >> 4]!)
  to.setUint8(at + 5, HEX[byte & 15]!)
  return at + 6
}

/**
 * Copies a sequence of `size` bytes, or writes one U+FFFD for a broken one (`size` < 0). Returns the new write
 * position.
 */
function writeSequence(from: DataView, pos: number, size: number, to: DataView, at: number): number {
  if (size < 0) {
    to.setUint16(at, 0xefbf)
    to.setUint8(at + 2, 0xbd)
    return at + 3
  }
  for (let index = 0; index < size; index++) to.setUint8(at + index, from.getUint8(pos + index))
  return at + size
}

/**
 * Length of the UTF-8 sequence at `pos`, whose first byte is not ASCII. Negative: it is broken, and so many bytes
 * stand for one U+FFFD (Unicode 15, section 3.9, table 3-7 and "maximal subpart").
 */
function sequenceLength(from: DataView, pos: number, end: number): number {
  const first = from.getUint8(pos)
  if (first < 0xc2 || first > 0xf4) return -1
  if (pos + 1 >= end) return -1
  const second = from.getUint8(pos + 1)
  if (first < 0xe0) return (second & 0xc0) === 0x80 ? 2 : -1
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < low || second > high) return -1
  if (pos + 2 >= end || (from.getUint8(pos + 2) & 0xc0) !== 0x80) return -2
  if (first < 0xf0) return 3
  return pos + 3 < end && (from.getUint8(pos + 3) & 0xc0) === 0x80 ? 4 : -3
}
