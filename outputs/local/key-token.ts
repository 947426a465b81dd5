/**
 * The one word that stands for a key in the index of words, in front of the key's value: so that `field:value` finds
 * the value where it belongs to that key, and no phrase reaches from one value into the next.
 *
 *   DEL (7f) and 4 characters: 20 bits of the FNV-1a hash of the key's path (`a.b` for b in a, and for the key `a.b`)
 *
 * Two keys may share a word: it only narrows a search down.
 */
import { type ByteSink, reserve } from '../encoding/byte-sink.ts'

/** A character that the tokenizer is told to take for a letter; ASCII, since that is the tokenizer's fast way. */
export const KEY_MARK = '\x7f'

/** The path of the event's tag; no key of a record that a query can name. */
export const TAG_PATH = '\0tag'

/** What the hash of a path starts with. */
export const PATH_START = 0x811c9dc5
const PRIME = 0x01000193
const DIGITS = '0123456789abcdefghijklmnopqrstuv'
const DIGIT_CODES = new TextEncoder().encode(DIGITS)
const DIGIT_COUNT = 4
/** The mark, the digits and a space. */
const TOKEN_BYTES = 1 + DIGIT_COUNT + 1

/** Goes on with the hash of a path over these bytes. */
export function hashBytes(hash: number, bytes: DataView, start: number, end: number): number {
  let next = hash
  for (let at = start; at < end; at++) next = Math.imul(next ^ bytes.getUint8(at), PRIME)
  return next
}

/** Goes from a key to one within it: the dot between them. */
export function hashDot(hash: number): number {
  return Math.imul(hash ^ 0x2e, PRIME)
}

/** The word of a path, as a query needs it. */
export function keyToken(path: string): string {
  const bytes = new TextEncoder().encode(path)
  const hash = hashBytes(PATH_START, new DataView(bytes.buffer), 0, bytes.length)
  let token = KEY_MARK
  for (let shift = 0; shift < DIGIT_COUNT * 5; shift += 5) token += DIGITS[(hash >>> shift) & 31]
  return token
}

/** Writes the word of a path and a space. */
export function writeKeyToken(hash: number, sink: ByteSink): void {
  reserve(sink, TOKEN_BYTES)
  const { bytes } = sink
  let at = sink.at
  bytes[at++] = 0x7f
  for (let shift = 0; shift < DIGIT_COUNT * 5; shift += 5) bytes[at++] = DIGIT_CODES[(hash >>> shift) & 31]!
  bytes[at++] = 0x20
  sink.at = at
}
