/**
 * The msgpack scanner: steps over values without making anything of them. No object, no string, no copy.
 * What a value means belongs to the room that asks.
 */

/** The value is not whole before `end`. */
export const NEED_MORE = -1
/** What the scanners within this room return beside positions; `skipValue` throws for them. */
export const OVER_LIMIT = -2
export const NOT_MSGPACK = -3

/** Bounds of one value, so that nothing downstream has to fear it. */
export interface ScanLimits {
  /** Containers within containers, the outermost being 1. */
  readonly depth: number
  /** Keys of one map. */
  readonly keys: number
  /** Bytes of one map key, its header included. */
  readonly keyBytes: number
  /** Bytes of one string, binary or extension, and items of one array: no more than a message may have bytes. */
  readonly length: number
}

export const SCAN_LIMITS: ScanLimits = { depth: 32, keys: 1_024, keyBytes: 1_024, length: 256 * 1024 * 1024 }

/** The bytes are not what the protocol says; the connection that sent them is closed without an ack. */
export class MalformedError extends Error {
  override readonly name = 'MalformedError'
}

/**
 * Whole size of a value by its first byte; 0 where more has to be read: containers, and lengths in bytes of their own.
 */
const SIZES = makeSizes()

function makeSizes(): Uint8Array {
  const sizes = new Uint8Array(256).fill(1)
  for (let b = 0x80; b < 0xa0; b += 1) sizes[b] = 0
  for (let b = 0xa0; b < 0xc0; b += 1) sizes[b] = 1 + (b & 31)
  sizes.set([1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 5, 9, 2, 3, 5, 9], 0xc0)
  sizes.set([2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 0, 0, 0, 0], 0xd0)
  return sizes
}

/** Bytes of the length or count behind the first byte, for 0xc0 to 0xdf; 0 where there is none. */
const LENGTH_BYTES = Uint8Array.of(
  ...[0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0],
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4],
)

/** Big-endian, unsigned; `width` 1, 2 or 4. */
function readLength(bytes: Uint8Array, at: number, width: number): number {
  // `| 0`: behind the end there is nothing, and that is 0 here, not NaN.
  if (width === 1) return bytes[at]! | 0
  if (width === 2) return (bytes[at]! << 8) | bytes[at + 1]!
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/**
 * Steps over one value and checks it against the limits.
 * @returns the position after the value, or NEED_MORE when it is not whole before `end`.
 * @throws MalformedError for the byte 0xc1, and for a depth, length or count over its limit, as soon as it is declared.
 */
export function skipValue(bytes: Uint8Array, at: number, end: number, limits: ScanLimits): number {
  const next = scanValue(bytes, at, end, limits, limits.depth)
  if (next === OVER_LIMIT) throw new MalformedError('a value is too deep or too long')
  if (next === NOT_MSGPACK) throw new MalformedError('the byte 0xc1 is never used')
  return next
}

/** `skipValue` that says its complaints as numbers: OVER_LIMIT, NOT_MSGPACK. `depth` is what is left of the limit. */
export function scanValue(bytes: Uint8Array, at: number, end: number, limits: ScanLimits, depth: number): number {
  if (at >= end) return NEED_MORE
  const first = bytes[at]!
  const size = SIZES[first]!
  if (size !== 0) return at + size <= end ? at + size : NEED_MORE
  if (first < 0xa0) {
    if (first < 0x90) return scanMap(bytes, at + 1, end, limits, depth, first & 15)
    return scanItems(bytes, at + 1, end, limits, depth, first & 15)
  }
  const width = LENGTH_BYTES[first - 0xc0]!
  if (width === 0) return NOT_MSGPACK
  const body = at + 1 + width
  if (body > end) return NEED_MORE
  const length = readLength(bytes, at + 1, width)
  if (length > limits.length) return OVER_LIMIT
  if (first >= 0xde) return scanMap(bytes, body, end, limits, depth, length)
  if (first >= 0xdc) return scanItems(bytes, body, end, limits, depth, length)
  const next = body + length + (first >= 0xc7 && first <= 0xc9 ? 1 : 0)
  return next <= end ? next : NEED_MORE
}

function scanItems(bytes: Uint8Array, at: number, end: number, limits: ScanLimits, depth: number, count: number) {
  if (depth === 0) return OVER_LIMIT
  // Each item has a byte at least, so what cannot be whole is not walked through.
  if (count > end - at) return NEED_MORE
  let next = at
  for (let left = count; left > 0; left -= 1) {
    if (next >= end) return NEED_MORE
    const size = SIZES[bytes[next]!]!
    next = size !== 0 ? next + size : scanValue(bytes, next, end, limits, depth - 1)
    if (next < 0) return next
  }
  return next <= end ? next : NEED_MORE
}

function scanMap(bytes: Uint8Array, at: number, end: number, limits: ScanLimits, depth: number, count: number) {
  if (depth === 0 || count > limits.keys) return OVER_LIMIT
  let next = at
  for (let left = count; left > 0; left -= 1) {
    if (next >= end) return NEED_MORE
    const key = next
    const keySize = SIZES[bytes[key]!]!
    next = keySize !== 0 ? key + keySize : scanValue(bytes, key, end, limits, depth - 1)
    if (next < 0) return next
    if (next - key > limits.keyBytes) return OVER_LIMIT
    if (next >= end) return NEED_MORE
    const size = SIZES[bytes[next]!]!
    next = size !== 0 ? next + size : scanValue(bytes, next, end, limits, depth - 1)
    if (next < 0) return next
  }
  return next <= end ? next : NEED_MORE
}

/**
 * Finds the end of one value that arrives in pieces, each byte looked at once, any depth in constant memory.
 * It checks nothing but 0xc1; bounds are the caller's, by `need`.
 */
export class ValueScan {
  /** Where the scan stands: everything before it has been stepped over. */
  at = 0
  /** Values still to come: a double, since hostile counts add up. */
  #pending = 0
  /** After NEED_MORE: the value ends here at the earliest. A lie of 4 billion items shows here at once. */
  need = 0

  start(at: number): void {
    this.at = at
    this.#pending = 1
    this.need = at + 1
  }

  /** The bytes were moved by `distance` (negative: towards the front). */
  shift(distance: number): void {
    this.at += distance
    this.need += distance
  }

  /**
   * Goes on up to `end`. @returns the position after the value, or NEED_MORE (then see `need`).
   * @throws MalformedError for the byte 0xc1.
   */
  advance(bytes: Uint8Array, end: number): number {
    let at = this.at
    let pending = this.#pending
    while (pending > 0 && at < end) {
      const size = SIZES[bytes[at]!]!
      if (size !== 0) {
        if (at + size > end) return this.#pause(at, pending, at + size)
        at += size
        pending -= 1
        continue
      }
      const first = bytes[at]!
      if (first < 0xa0) {
        pending += (first < 0x90 ? 2 * (first & 15) : first & 15) - 1
        at += 1
        continue
      }
      const width = LENGTH_BYTES[first - 0xc0]!
      if (width === 0) throw new MalformedError('the byte 0xc1 is never used')
      const body = at + 1 + width
      if (body > end) return this.#pause(at, pending, body)
      const length = readLength(bytes, at + 1, width)
      if (first >= 0xdc) {
        pending += (first >= 0xde ? 2 * length : length) - 1
        at = body
        continue
      }
      const next = body + length + (first >= 0xc7 && first <= 0xc9 ? 1 : 0)
      if (next > end) return this.#pause(at, pending, next)
      at = next
      pending -= 1
    }
    if (pending === 0) {
      this.at = at
      return at
    }
    return this.#pause(at, pending, at + 1)
  }

  #pause(at: number, pending: number, tokenEnd: number): number {
    this.at = at
    this.#pending = pending
    this.need = tokenEnd + pending - 1
    return NEED_MORE
  }
}

const wholeScan = new ValueScan()

/** `skipValue` without limits: for values that are only to be left out. Constant memory at any depth. */
export function skipAny(bytes: Uint8Array, at: number, end: number): number {
  wholeScan.start(at)
  return wholeScan.advance(bytes, end)
}

/** Steps over one value that was checked when it came in: no limits. Never goes past `end`. */
export function skipTrusted(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  for (let pending = 1; pending > 0 && at < end; pending -= 1) {
    const first = bytes[at]!
    const size = SIZES[first]!
    if (size !== 0) {
      at += size
    } else if (first < 0xa0) {
      pending += first < 0x90 ? 2 * (first & 15) : first & 15
      at += 1
    } else {
      const width = LENGTH_BYTES[first - 0xc0]!
      const length = width === 0 ? 0 : readLength(bytes, at + 1, width)
      at += 1 + width
      if (first >= 0xdc) pending += first >= 0xde ? 2 * length : length
      else at += length + (first >= 0xc7 && first <= 0xc9 ? 1 : 0)
    }
  }
  return Math.min(at, end)
}

/** A string or binary as the scanner sees it; reused, so that reading one makes no object. */
export interface Span {
  start: number
  end: number
}

/**
 * Reads the header of a string or binary at `at` into `out`; the body may lie beyond `end`.
 * @returns true; false when the value is of another type. `out.end` is NEED_MORE when the header itself is not whole.
 */
export function readStringHeader(bytes: Uint8Array, at: number, end: number, out: Span): boolean {
  const first = bytes[at]!
  if (first >= 0xa0 && first < 0xc0) {
    out.start = at + 1
    out.end = out.start + (first & 31)
    return true
  }
  if (!((first >= 0xc4 && first <= 0xc6) || (first >= 0xd9 && first <= 0xdb))) return false
  const width = LENGTH_BYTES[first - 0xc0]!
  out.start = at + 1 + width
  out.end = out.start <= end ? out.start + readLength(bytes, at + 1, width) : NEED_MORE
  return true
}

/**
 * Reads the header of an array or map at `at`: `out.start` is where its first item stands, `out.end` how many items
 * (pairs, for a map) it declares, or NEED_MORE when the header is not whole.
 * @returns true; false when the value is of another type.
 */
export function readContainerHeader(bytes: Uint8Array, at: number, end: number, kind: 'array' | 'map', out: Span) {
  const first = bytes[at]!
  const fixed = kind === 'array' ? 0x90 : 0x80
  if ((first & 0xf0) === fixed) {
    out.start = at + 1
    out.end = first & 15
    return true
  }
  const wide = kind === 'array' ? 0xdc : 0xde
  if (first !== wide && first !== wide + 1) return false
  const width = LENGTH_BYTES[first - 0xc0]!
  out.start = at + 1 + width
  out.end = out.start <= end ? readLength(bytes, at + 1, width) : NEED_MORE
  return true
}
