/**
 * JSON, from text to msgpack, byte by byte: integers of 64 bits stay exact, invalid UTF-8 stays as it is, and of keys
 * that are the same the last one counts. No JavaScript values in between.
 */
import { MalformedError } from '../../server/core/msgpack.ts'
import { EntryWriter } from './entry-writer.ts'
import { isExactDouble } from './exact-number.ts'
import { MapPairs } from './map-pairs.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const REPLACEMENT = 0xfffd
/** Longest number that becomes a number, in bytes. */
const NUMBER_BYTES = 400
/** Longest integer that is read digit by digit: every double up to it is exact. */
const PLAIN_DIGITS = 15
/** Keys of one object. */
export const KEYS_MAX = 1_024
const ESCAPES: Readonly<Record<string, number>> = { b: 8, f: 12, n: 10, r: 13, t: 9, '"': 34, '\\': 92, '/': 47 }

export interface JsonRules {
  /** Containers within containers, the outermost being 1. */
  readonly depth: number
  /** Bytes of one key, its msgpack head included. */
  readonly keyBytes: number
  /** Takes control characters within strings, and a comma before the end of an object or array. */
  readonly isLenient: boolean
  /**
   * What becomes of a number that is neither an integer of 64 bits nor exactly what a double prints: its text, as a
   * string; else the nearest double, which may be infinite.
   */
  readonly isExact: boolean
}

/**
 * @param text exactly one value, maybe with white space around it.
 * @throws MalformedError when it is no JSON, or deeper than `depth`.
 */
export function jsonToMsgpack(text: Uint8Array, depth: number): Buffer {
  const from = Buffer.from(text.buffer, text.byteOffset, text.byteLength)
  // A value in msgpack is longer than in JSON only for fractions and for containers of more than 15.
  const to = new EntryWriter(from.length + 64)
  const json = new JsonTranscoder({ depth, keyBytes: Number.MAX_SAFE_INTEGER, isLenient: false, isExact: false })
  json.begin(from, 0, from.length, to)
  json.value(depth)
  if (json.space() !== -1) throw json.wrong()
  return to.bytes.subarray(0, to.length)
}

/** Reads values from one text into one writer; made once and used again. After an error `at` is where it stopped. */
export class JsonTranscoder {
  readonly rules: JsonRules
  /** The next byte of the text. */
  at = 0
  readonly #pairs = new MapPairs()
  #text: Buffer = Buffer.alloc(0)
  #end = 0
  #to: EntryWriter = new EntryWriter(0)

  constructor(rules: JsonRules) {
    this.rules = rules
  }

  begin(text: Buffer, start: number, end: number, to: EntryWriter): void {
    this.#text = text
    this.at = start
    this.#end = end
    this.#to = to
    this.#pairs.clear()
  }

  wrong(): MalformedError {
    return new MalformedError('not JSON')
  }

  /** Steps over white space. @returns the byte that follows, which is not stepped over; -1 at the end of the text. */
  space(): number {
    const text = this.#text
    let at = this.at
    while (at < this.#end && (text[at] === 0x20 || (text[at]! >= 9 && text[at]! <= 13))) at += 1
    this.at = at
    return at < this.#end ? text[at]! : -1
  }

  /** Writes one value that may hold `depth` containers within each other. @throws MalformedError */
  value(depth: number): void {
    const first = this.space()
    if (first === QUOTE) this.string()
    else if (first === 0x7b) this.#object(depth)
    else if (first === 0x5b) this.#array(depth)
    else if (first === 0x74) this.#word('true', 0xc3)
    else if (first === 0x66) this.#word('false', 0xc2)
    else if (first === 0x6e) this.#word('null', 0xc0)
    else this.#number()
  }

  #word(word: string, code: number): void {
    if (this.at + word.length > this.#end) throw this.wrong()
    for (let i = 0; i < word.length; i += 1) if (this.#text[this.at + i] !== word.charCodeAt(i)) throw this.wrong()
    this.at += word.length
    this.#to.byte(code)
  }

  #array(depth: number): void {
    if (depth === 0) throw new MalformedError('JSON is too deep')
    this.at += 1
    const opened = this.#to.open()
    let count = 0
    for (let more = this.space() !== 0x5d; more; more = this.comma(0x5d)) {
      this.value(depth - 1)
      count += 1
    }
    this.at += 1
    this.#to.closeArray(opened, count)
  }

  #object(depth: number): void {
    if (depth === 0) throw new MalformedError('JSON is too deep')
    this.at += 1
    const pairs = this.#pairs
    const opened = this.#to.open()
    const base = pairs.open()
    for (let more = this.space() !== 0x7d; more; more = this.comma(0x7d)) {
      pairs.add(this.#to.length)
      this.key()
      this.value(depth - 1)
      if (pairs.count(base) > KEYS_MAX) throw new MalformedError('JSON has too many keys')
    }
    this.at += 1
    this.#to.closeMap(opened, pairs.close(base, this.#to))
  }

  /** Writes a key and steps over its colon. */
  key(): void {
    const from = this.#to.length
    if (this.space() !== QUOTE) throw this.wrong()
    this.string()
    if (this.#to.length - from > this.rules.keyBytes) throw new MalformedError('JSON has a key that is too long')
    if (this.space() !== 0x3a) throw this.wrong()
    this.at += 1
  }

  /** After an item: true when another follows; else the text stands at `close`. */
  comma(close: number): boolean {
    const byte = this.space()
    if (byte === close) return false
    if (byte !== COMMA) throw this.wrong()
    this.at += 1
    return !(this.rules.isLenient && this.space() === close)
  }

  /** Writes the string whose quote stands at `at`. */
  string(): void {
    const text = this.#text
    const start = this.at + 1
    const least = this.rules.isLenient ? 0 : 0x20
    let escapes = false
    let at = start
    for (; at < this.#end; at += 1) {
      const byte = text[at]!
      if (byte === QUOTE) break
      if (byte < least) throw this.wrong()
      if (byte !== BACKSLASH) continue
      escapes = true
      at += 1
    }
    if (at >= this.#end) throw this.wrong()
    if (escapes) this.#unescape(start, at)
    else this.#to.string(text, start, at)
    this.at = at + 1
  }

  /** The text of a string is never longer in UTF-8 than with its escapes. */
  #unescape(start: number, end: number): void {
    const to = this.#to
    const text = this.#text
    to.room(5 + end - start)
    const { bytes, length: head } = to
    const body = head + 5
    let next = body
    for (let at = start; at < end; ) {
      const byte = text[at]!
      at += 1
      if (byte !== BACKSLASH) bytes[next++] = byte
      else {
        const code = this.#escape(at, end)
        at += text[at] === 0x75 ? (code > 0xffff ? 11 : 5) : 1
        next = writeUtf8(bytes, next, code)
      }
    }
    to.stringHead(next - body)
    to.bytes.copyWithin(to.length, body, next)
    to.length += next - body
  }

  /** The code point of the escape behind a backslash; a surrogate without its other half becomes U+FFFD. */
  #escape(at: number, end: number): number {
    const letter = String.fromCharCode(this.#text[at]!)
    if (letter !== 'u') {
      const code = ESCAPES[letter]
      if (code === undefined) throw this.wrong()
      return code
    }
    const high = this.#hex(at + 1, end)
    if (high < 0xd800 || high > 0xdfff) return high
    const paired = high < 0xdc00 && this.#text[at + 5] === BACKSLASH && this.#text[at + 6] === 0x75
    const low = paired ? this.#hex(at + 7, end) : 0
    if (low < 0xdc00 || low > 0xdfff) return REPLACEMENT
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
  }

  #hex(at: number, end: number): number {
    const digits = this.#text.toString('latin1', at, Math.min(at + 4, end))
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.wrong()
    return Number.parseInt(digits, 16)
  }

  #number(): void {
    const text = this.#text
    const isNegative = this.at < this.#end && text[this.at] === 0x2d
    const first = this.at + (isNegative ? 1 : 0)
    const limit = Math.min(this.#end, first + PLAIN_DIGITS)
    let value = 0
    let at = first
    for (; at < limit && text[at]! >= 0x30 && text[at]! <= 0x39; at += 1) value = value * 10 + text[at]! - 0x30
    const isWhole = at > first && !(at < this.#end && isNumeric(text[at]!))
    const isPlain = isWhole && (at === first + 1 || text[first] !== 0x30) && !(isNegative && value === 0)
    if (isPlain) {
      this.at = at
      this.#to.integer(isNegative ? -value : value)
    } else this.#unusualNumber()
  }

  #unusualNumber(): void {
    let end = this.at
    const limit = this.rules.isExact ? this.#end : Math.min(this.#end, this.at + NUMBER_BYTES + 1)
    while (end < limit && isNumeric(this.#text[end]!)) end += 1
    const text = this.#text.toString('latin1', this.at, end)
    if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) throw this.wrong()
    const integer = /^-?\d{1,20}$/.test(text) && text !== '-0' ? BigInt(text) : undefined
    if (integer !== undefined && integer >= -(2n ** 63n) && integer < 2n ** 64n) this.#to.bigInteger(integer)
    else if (!this.rules.isExact || (text.length <= NUMBER_BYTES && isExactDouble(text))) this.#to.double(Number(text))
    else this.#to.string(this.#text, this.at, end)
    this.at = end
  }
}

function isNumeric(byte: number): boolean {
  const sign = byte === 0x2b || byte === 0x2d || byte === 0x2e
  return (byte >= 0x30 && byte <= 0x39) || sign || byte === 0x65 || byte === 0x45
}

function writeUtf8(out: Buffer, at: number, code: number): number {
  if (code < 0x80) {
    out[at] = code
    return at + 1
  }
  let next = at
  if (code < 0x800) out[next++] = 0xc0 | (code >> 6)
  else {
    if (code < 0x10000) out[next++] = 0xe0 | (code >> 12)
    else {
      out[next++] = 0xf0 | (code >> 18)
      out[next++] = 0x80 | ((code >> 12) & 63)
    }
    out[next++] = 0x80 | ((code >> 6) & 63)
  }
  out[next++] = 0x80 | (code & 63)
  return next
}
