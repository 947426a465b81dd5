/**
 * One JSON value, from text to msgpack, byte by byte: integers of 64 bits stay exact, invalid UTF-8 stays as it is,
 * and of keys that are the same the last one counts. No JavaScript values in between.
 */
import { MalformedError } from '../../server/core/msgpack.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const REPLACEMENT = 0xfffd
/** Longest number that is read, in bytes. */
const NUMBER_BYTES = 400
/** Keys of one object. */
const KEYS_MAX = 1_024
const ESCAPES: Readonly<Record<string, number>> = { b: 8, f: 12, n: 10, r: 13, t: 9, '"': 34, '\\': 92, '/': 47 }

/**
 * @param text exactly one value, maybe with white space around it.
 * @throws MalformedError when it is no JSON, or deeper than `depth`.
 */
export function jsonToMsgpack(text: Uint8Array, depth: number): Buffer {
  return new Transcoder(text, depth).run()
}

class Transcoder {
  readonly #text: Uint8Array
  readonly #depth: number
  #at = 0
  #out: Buffer
  #length = 0

  constructor(text: Uint8Array, depth: number) {
    this.#text = text
    this.#depth = depth
    // A value in msgpack is longer than in JSON only for fractions and for containers of more than 15.
    this.#out = Buffer.allocUnsafe(text.length + 64)
  }

  run(): Buffer {
    this.#value(this.#depth)
    this.#space()
    if (this.#at < this.#text.length) throw this.#wrong()
    return this.#out.subarray(0, this.#length)
  }

  #wrong(): MalformedError {
    return new MalformedError('not JSON')
  }

  #space(): number {
    let byte = this.#text[this.#at]
    while (byte === 0x20 || (byte !== undefined && byte >= 9 && byte <= 13)) byte = this.#text[++this.#at]
    return byte ?? -1
  }

  #room(count: number): void {
    if (this.#length + count <= this.#out.length) return
    const grown = Buffer.allocUnsafe((this.#length + count) * 2)
    grown.set(this.#out.subarray(0, this.#length))
    this.#out = grown
  }

  #byte(value: number): void {
    this.#room(1)
    this.#out[this.#length] = value
    this.#length += 1
  }

  #value(depth: number): void {
    const first = this.#space()
    if (first === QUOTE) this.#string()
    else if (first === 0x7b) this.#object(depth)
    else if (first === 0x5b) this.#array(depth)
    else if (first === 0x74) this.#word('true', 0xc3)
    else if (first === 0x66) this.#word('false', 0xc2)
    else if (first === 0x6e) this.#word('null', 0xc0)
    else this.#number()
  }

  #word(word: string, code: number): void {
    for (let i = 0; i < word.length; i += 1) if (this.#text[this.#at + i] !== word.charCodeAt(i)) throw this.#wrong()
    this.#at += word.length
    this.#byte(code)
  }

  #array(depth: number): void {
    if (depth === 0) throw new MalformedError('JSON is too deep')
    this.#at += 1
    const start = this.#length
    let count = 0
    if (this.#space() !== 0x5d) {
      do {
        this.#value(depth - 1)
        count += 1
      } while (this.#comma(0x5d))
    }
    this.#at += 1
    this.#header(start, count, 0x90, 0xdc)
  }

  #object(depth: number): void {
    if (depth === 0) throw new MalformedError('JSON is too deep')
    this.#at += 1
    const start = this.#length
    const pairs = new Map<string, { from: number; to: number }>()
    let count = 0
    if (this.#space() !== 0x7d) {
      do {
        const from = this.#length
        if (this.#space() !== QUOTE) throw this.#wrong()
        this.#string()
        const key = this.#out.toString('latin1', from, this.#length)
        if (this.#space() !== 0x3a) throw this.#wrong()
        this.#at += 1
        this.#value(depth - 1)
        pairs.set(key, { from, to: this.#length })
        count += 1
        if (count > KEYS_MAX) throw new MalformedError('JSON has too many keys')
      } while (this.#comma(0x7d))
    }
    this.#at += 1
    if (pairs.size < count) this.#keepLast(start, [...pairs.values()])
    this.#header(start, pairs.size, 0x80, 0xde)
  }

  /** Of pairs with the same key only the last one is in `pairs`. */
  #keepLast(start: number, pairs: readonly { from: number; to: number }[]): void {
    const kept = Buffer.concat(pairs.map(({ from, to }) => this.#out.subarray(from, to)))
    this.#out.set(kept, start)
    this.#length = start + kept.length
  }

  /** After an item: true when another follows. */
  #comma(close: number): boolean {
    const byte = this.#space()
    if (byte === close) return false
    if (byte !== 0x2c) throw this.#wrong()
    this.#at += 1
    return true
  }

  /** Puts the header before what was written since `start`, now that the count is known. */
  #header(start: number, count: number, fixed: number, wide: number): void {
    const size = count < 16 ? 1 : count < 65_536 ? 3 : 5
    this.#room(size)
    this.#out.copyWithin(start + size, start, this.#length)
    this.#length += size
    this.#out[start] = size === 1 ? fixed | count : size === 3 ? wide : wide + 1
    if (size === 3) this.#out.writeUInt16BE(count, start + 1)
    if (size === 5) this.#out.writeUInt32BE(count, start + 1)
  }

  #string(): void {
    // The text of a string is never longer in UTF-8 than with its escapes.
    const start = this.#length
    this.#room(5 + this.#text.length - this.#at)
    const body = start + 5
    let to = body
    let at = this.#at + 1
    for (;;) {
      const byte = this.#text[at]
      if (byte === undefined || byte < 0x20) throw this.#wrong()
      at += 1
      if (byte === QUOTE) break
      if (byte !== BACKSLASH) this.#out[to++] = byte
      else {
        const code = this.#escape(at)
        at += this.#text[at] === 0x75 ? (code > 0xffff ? 11 : 5) : 1
        to = writeUtf8(this.#out, to, code)
      }
    }
    this.#at = at
    const length = to - body
    const size = length < 32 ? 1 : length < 256 ? 2 : length < 65_536 ? 3 : 5
    this.#out.copyWithin(start + size, body, to)
    if (size === 1) this.#out[start] = 0xa0 | length
    else this.#out[start] = size === 2 ? 0xd9 : size === 3 ? 0xda : 0xdb
    if (size > 1) this.#out.writeUIntBE(length, start + 1, size - 1)
    this.#length = start + size + length
  }

  /** The code point of the escape behind a backslash; a surrogate without its other half becomes U+FFFD. */
  #escape(at: number): number {
    const letter = String.fromCharCode(this.#text[at] ?? 0)
    if (letter !== 'u') {
      const code = ESCAPES[letter]
      if (code === undefined) throw this.#wrong()
      return code
    }
    const high = this.#hex(at + 1)
    if (high < 0xd800 || high > 0xdfff) return high
    const paired = high < 0xdc00 && this.#text[at + 5] === BACKSLASH && this.#text[at + 6] === 0x75
    const low = paired ? this.#hex(at + 7) : 0
    if (low < 0xdc00 || low > 0xdfff) return REPLACEMENT
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
  }

  #hex(at: number): number {
    const digits = Buffer.from(this.#text.buffer, this.#text.byteOffset + at, Math.min(4, this.#text.length - at))
    const text = digits.toString('latin1')
    if (!/^[0-9a-fA-F]{4}$/.test(text)) throw this.#wrong()
    return Number.parseInt(text, 16)
  }

  #number(): void {
    let end = this.#at
    while (end < this.#text.length && end - this.#at <= NUMBER_BYTES && isNumeric(this.#text[end]!)) end += 1
    const text = Buffer.from(this.#text.subarray(this.#at, end)).toString('latin1')
    if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) throw this.#wrong()
    this.#at = end
    this.#room(9)
    const integer = /^-?\d{1,20}$/.test(text) && text !== '-0' ? BigInt(text) : undefined
    if (integer !== undefined && integer >= -(2n ** 63n) && integer < 2n ** 64n) {
      this.#length = writeInteger(this.#out, this.#length, integer)
      return
    }
    this.#out[this.#length] = 0xcb
    this.#length = this.#out.writeDoubleBE(Number(text), this.#length + 1)
  }
}

function isNumeric(byte: number): boolean {
  const sign = byte === 0x2b || byte === 0x2d || byte === 0x2e
  return (byte >= 0x30 && byte <= 0x39) || sign || byte === 0x65 || byte === 0x45
}

function writeInteger(out: Buffer, at: number, value: bigint): number {
  if (value >= 0n && value < 128n) return out.writeUInt8(Number(value), at)
  if (value < 0n) {
    out[at] = 0xd3
    return out.writeBigInt64BE(value, at + 1)
  }
  if (value < 2n ** 32n) {
    out[at] = 0xce
    return out.writeUInt32BE(Number(value), at + 1)
  }
  out[at] = 0xcf
  return out.writeBigUInt64BE(value, at + 1)
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
