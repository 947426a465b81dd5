/**
 * msgpack values as the values the driver writes as BSON, in one walk.
 *
 *   nil, bool                     as they are
 *   int                           Int32, else Int64, else (beyond 2^63) Decimal128: exactly
 *   float                         Double; NaN and infinities become null, as in the documents of the other outputs
 *   str, bin that is text         String; invalid UTF-8 in a str becomes U+FFFD
 *   bin that is no text, ext      Binary
 *   array, map                    Array, Object; of keys that come twice the last one counts
 *   ext 0 (EventTime), -1         Date, whole milliseconds
 *
 * Maps become `Map`: its keys are data whatever they are called (`__proto__`, `_bsontype`), and keep their order.
 */
import { isUtf8 } from 'node:buffer'
import { skipTrusted } from '../../server/core/msgpack.ts'

/** The driver's own value types; handed in, since the driver is imported when an output is opened. */
export interface BsonTypes {
  readonly Long: { fromBigInt(value: bigint): object }
  readonly Double: new (value: number) => object
  readonly Decimal128: { fromString(digits: string): object }
  readonly Binary: new (bytes: Uint8Array) => object
}

/** A record that BSON cannot hold; the message says why. */
export class NoBsonError extends Error {
  override readonly name = 'NoBsonError'
}

/** Containers within containers that MongoDB takes. The inputs let fewer pass; what lies deeper becomes null. */
const DEPTH_MAX = 90
const INT32_MAX = 2 ** 31 - 1
const INT32_MIN = -(2 ** 31)
const INT64_MAX = 2n ** 63n - 1n

export type BsonMap = Map<string, unknown>

/** Reads one value after the other from memory that is lent: nothing it gives back points into it. */
export class BsonReader {
  /** Where the next value begins. */
  pos = 0
  readonly #types: BsonTypes
  #from: DataView = new DataView(new ArrayBuffer(0))
  #bytes = Buffer.alloc(0)

  constructor(types: BsonTypes) {
    this.#types = types
  }

  enter(memory: ArrayBufferLike): void {
    if (this.#from.buffer === memory) return
    this.#from = new DataView(memory)
    this.#bytes = Buffer.from(memory as ArrayBuffer)
  }

  /** Lets go of the memory. */
  leave(): void {
    this.enter(new ArrayBuffer(0))
  }

  /** The map at `pos`, put into `into`. Throws NoBsonError. */
  readMap(into: BsonMap, depth = 0): BsonMap {
    const first = this.#from.getUint8(this.pos)
    const count = first < 0x90 ? first & 15 : this.#count(first === 0xde ? 2 : 4)
    if (first < 0x90) this.pos += 1
    for (let i = 0; i < count; i += 1) {
      const key = this.#key()
      into.set(key, this.readValue(depth + 1))
    }
    return into
  }

  /** The value at `pos`. Throws NoBsonError. */
  readValue(depth: number): unknown {
    const first = this.#from.getUint8(this.pos)
    if (first >= 0xa0 && first < 0xc0) return this.#text(1, first & 31)
    if (first < 0x80 || first >= 0xe0) return this.#fixint(first)
    if (first < 0x90 || first === 0xde || first === 0xdf)
      return this.#nested(depth, () => this.readMap(new Map(), depth))
    if (first < 0xa0 || first === 0xdc || first === 0xdd) return this.#nested(depth, () => this.#array(first, depth))
    if (first >= 0xca && first <= 0xd3) return this.#number(first)
    return this.#bytesOrConstant(first)
  }

  #fixint(first: number): number {
    this.pos += 1
    return first < 0x80 ? first : first - 256
  }

  #nested(depth: number, read: () => unknown): unknown {
    if (depth < DEPTH_MAX) return read()
    this.pos = skipTrusted(this.#bytes, this.pos, this.#bytes.length)
    return null
  }

  #array(first: number, depth: number): unknown[] {
    const count = first < 0xa0 ? first & 15 : this.#count(first === 0xdc ? 2 : 4)
    if (first < 0xa0) this.pos += 1
    const values: unknown[] = []
    for (let i = 0; i < count; i += 1) values.push(this.readValue(depth + 1))
    return values
  }

  /** Steps over a type byte and a count of `width` bytes. */
  #count(width: 1 | 2 | 4): number {
    const at = this.pos + 1
    this.pos = at + width
    return this.#bytes.readUIntBE(at, width)
  }

  #text(header: number, length: number): string {
    const start = this.pos + header
    this.pos = start + length
    return this.#bytes.toString('utf8', start, this.pos)
  }

  #number(first: number): unknown {
    const at = this.pos + 1
    const from = this.#from
    this.pos = at + NUMBER_BYTES[first - 0xca]!
    switch (first) {
      case 0xca:
        return this.#double(from.getFloat32(at))
      case 0xcb:
        return this.#double(from.getFloat64(at))
      case 0xcf:
        return this.#integer(from.getBigUint64(at))
      case 0xd3:
        return this.#integer(from.getBigInt64(at))
      case 0xce:
        return this.#integer(BigInt(from.getUint32(at)))
      default:
        return first < 0xcf ? this.#bytes.readUIntBE(at, this.pos - at) : this.#bytes.readIntBE(at, this.pos - at)
    }
  }

  /** The driver would write a whole number as an integer. */
  #double(value: number): unknown {
    return Number.isFinite(value) ? new this.#types.Double(value) : null
  }

  #integer(value: bigint): unknown {
    if (value <= INT32_MAX && value >= INT32_MIN) return Number(value)
    if (value <= INT64_MAX) return this.#types.Long.fromBigInt(value)
    return this.#types.Decimal128.fromString(value.toString())
  }

  #bytesOrConstant(first: number): unknown {
    if (first <= 0xc3) {
      this.pos += 1
      return first === 0xc0 ? null : first === 0xc3
    }
    if (first >= 0xd9 && first <= 0xdb) return this.#text(0, this.#count(WIDTHS[first - 0xd9]!))
    if (first <= 0xc6) return this.#binary(this.#count(WIDTHS[first - 0xc4]!))
    if (first <= 0xc9) return this.#extension(this.#count(WIDTHS[first - 0xc7]!))
    this.pos += 1
    return this.#extension(1 << (first - 0xd4))
  }

  #binary(length: number): unknown {
    const bytes = this.#bytes.subarray(this.pos, this.pos + length)
    this.pos += length
    return isUtf8(bytes) ? bytes.toString() : new this.#types.Binary(new Uint8Array(bytes))
  }

  /** `pos` stands at the type byte. */
  #extension(length: number): unknown {
    const type = this.#from.getInt8(this.pos)
    const body = this.pos + 1
    this.pos = body + length
    const ms = type === 0 || type === -1 ? this.#milliseconds(body, length, type === 0) : Number.NaN
    if (Math.abs(ms) <= DATE_MAX_MS) return new Date(ms)
    return new this.#types.Binary(new Uint8Array(this.#bytes.subarray(body, this.pos)))
  }

  /** EventTime (Forward spec v1) and the timestamps of the msgpack specification; NaN: it is neither. */
  #milliseconds(body: number, length: number, isEventTime: boolean): number {
    const from = this.#from
    if (length === 8 && isEventTime) return from.getUint32(body) * 1000 + Math.floor(from.getUint32(body + 4) / 1e6)
    if (isEventTime) return Number.NaN
    if (length === 4) return from.getUint32(body) * 1000
    if (length === 12) return Number(from.getBigInt64(body + 4)) * 1000 + Math.floor(from.getUint32(body) / 1e6)
    if (length !== 8) return Number.NaN
    const packed = from.getBigUint64(body)
    return Number(packed & 0x3_ffff_ffffn) * 1000 + Math.floor(Number(packed >> 34n) / 1e6)
  }

  /** A key of BSON is text without NUL, which ends it. */
  #key(): string {
    const first = this.#from.getUint8(this.pos)
    const value = first >= 0xa0 && first < 0xc0 ? this.#text(1, first & 31) : keyText(this.readValue(DEPTH_MAX))
    if (value.includes('\0')) throw new NoBsonError(`the key ${JSON.stringify(value)} holds a NUL`)
    return value
  }
}

/** Latest day that a Date can say, ms. */
const DATE_MAX_MS = 8_640_000_000_000_000
/** Bytes of a length field: those of bin, str and ext alike. */
const WIDTHS = [1, 2, 4] as const
/** Bytes of float 32 (0xca) to int 64 (0xd3). */
const NUMBER_BYTES = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8] as const

function keyText(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value)
}
