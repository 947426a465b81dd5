/**
 * The structured data of a message, as a map of maps.
 *
 *   [exampleSDID@32473 iut="3" eventSource="App"][other@32473 class="high"]                            [RFC 5424 6.3]
 *   {"exampleSDID@32473": {"iut": "3", "eventSource": "App"}, "other@32473": {"class": "high"}}
 *
 * Within a value `\"`, `\\` and `\]` stand for what follows the backslash; any other backslash is a backslash [6.3.3].
 * Of elements, or parameters of one element, with the same name the last one counts.
 */
import type { EntryWriter } from '../encoding/entry-writer.ts'
import { MapPairs } from '../encoding/map-pairs.ts'

/** Elements of one message, and parameters of one element: more, and it is no structured data. */
const COUNT_MAX = 128
/** Bytes of a name: the standard says 32, and a map key may have 1,024. */
const NAME_MAX = 1_000

const SPACE = 0x20
const QUOTE = 0x22
const EQUALS = 0x3d
const OPEN = 0x5b
const BACKSLASH = 0x5c
const CLOSE = 0x5d

/** @returns the position after the last element of those that begin at `start`; -1: this is no structured data. */
export function structuredDataEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  for (let count = 0; at < end && bytes[at] === OPEN; count += 1) {
    if (count === COUNT_MAX) return -1
    at = elementEnd(bytes, at, end)
    if (at < 0) return -1
  }
  return at
}

function elementEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = nameEnd(bytes, start + 1, end)
  for (let count = 0; at >= 0 && at < end; count += 1) {
    if (bytes[at] === CLOSE) return at + 1
    if (bytes[at] !== SPACE || count === COUNT_MAX) return -1
    // Some senders put two spaces, or one before the bracket.
    while (at < end && bytes[at] === SPACE) at += 1
    if (bytes[at] === CLOSE) return at < end ? at + 1 : -1
    at = nameEnd(bytes, at, end)
    if (at < 0 || bytes[at] !== EQUALS || bytes[at + 1] !== QUOTE) return -1
    at = valueEnd(bytes, at + 2, end) + 1
    if (at === 0) return -1
  }
  return -1
}

/** -1 for a name that is empty or too long. */
function nameEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && at - start <= NAME_MAX && !isNameEnd(bytes[at]!)) at += 1
  return at > start && at - start <= NAME_MAX && at < end ? at : -1
}

function isNameEnd(byte: number): boolean {
  return byte === SPACE || byte === EQUALS || byte === CLOSE || byte === QUOTE
}

/** Where the closing quote stands; -1: nowhere. */
function valueEnd(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at += 1) {
    if (bytes[at] === QUOTE) return at
    if (bytes[at] === BACKSLASH) at += 1
  }
  return -1
}

/** Writes structured data that `structuredDataEnd` has found good; made once for an input. */
export class StructuredDataWriter {
  readonly #pairs = new MapPairs()

  write(bytes: Buffer, start: number, end: number, to: EntryWriter): void {
    const map = to.open()
    const base = this.#pairs.open()
    for (let at = start; at < end; ) at = this.#element(bytes, at, end, to)
    to.closeMap(map, this.#pairs.close(base, to))
  }

  /** @returns the position after it. */
  #element(bytes: Buffer, start: number, end: number, to: EntryWriter): number {
    let at = nameEnd(bytes, start + 1, end)
    this.#pairs.add(to.length)
    to.string(bytes, start + 1, at)
    const map = to.open()
    const base = this.#pairs.open()
    for (;;) {
      while (bytes[at] === SPACE) at += 1
      if (bytes[at] === CLOSE) break
      const equals = nameEnd(bytes, at, end)
      const stop = valueEnd(bytes, equals + 2, end)
      this.#pairs.add(to.length)
      to.string(bytes, at, equals)
      writeValue(bytes, equals + 2, stop, to)
      at = stop + 1
    }
    to.closeMap(map, this.#pairs.close(base, to))
    return at + 1
  }
}

/** The value without the backslashes that only escape. */
function writeValue(bytes: Buffer, start: number, end: number, to: EntryWriter): void {
  let escapes = 0
  for (let at = start; at < end; at += 1) {
    if (!isEscape(bytes, at)) continue
    escapes += 1
    at += 1
  }
  if (escapes === 0) {
    to.string(bytes, start, end)
    return
  }
  to.stringHead(end - start - escapes)
  to.room(end - start)
  let length = to.length
  for (let at = start; at < end; at += 1) {
    if (isEscape(bytes, at)) at += 1
    to.bytes[length] = bytes[at]!
    length += 1
  }
  to.length = length
}

function isEscape(bytes: Uint8Array, at: number): boolean {
  const next = bytes[at + 1]
  return bytes[at] === BACKSLASH && (next === QUOTE || next === BACKSLASH || next === CLOSE)
}
