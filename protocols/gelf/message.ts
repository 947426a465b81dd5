/**
 * One GELF message, from JSON straight to the bytes of an entry. What becomes of its fields:
 *
 *   timestamp        the event's time (timestamp.ts); where it is none, the time of receipt counts, and a text that was
 *                    not understood stays in the record; a number is dropped
 *   version          dropped, whatever it is
 *   level            "6" becomes 6; everything else stays, also what is no severity of syslog
 *   host, short_message, full_message, message, facility, line, file      stay as they are, none of them is required
 *   _name            `name`: all underscores before it go, so that `_id` is a plain `id` and never an id of a store;
 *                    `_host`, `_level`, `_short_message` and `_full_message` stay, since `host` is another field
 *   other names      stay, as do true, false, null, lists and objects, and bytes that are not UTF-8
 *   1E+400           a number that neither 64 bits nor a double hold exactly becomes a string of its digits
 *
 * Of names that are the same then the last one counts. Control characters within strings and a comma before the end are
 * taken.                                            [GELF 1.1, "GELF Payload Specification"; clients.md 78 to 81]
 */
import { MalformedError } from '../../server/core/msgpack.ts'
import type { EntryWriter } from '../encoding/entry-writer.ts'
import { JsonTranscoder, KEYS_MAX } from '../encoding/json-to-msgpack.ts'
import { MapPairs } from '../encoding/map-pairs.ts'
import type { Instant } from '../encoding/rfc3339.ts'
import { LIMITS } from './limits.ts'
import { readTimestamp } from './timestamp.ts'

const QUOTE = 0x22
const CURLY = 0x7b
const CURLY_END = 0x7d
const UNDERSCORE = 0x5f
const COMMA = 0x2c
const VERSION = Buffer.from('version')
const TIMESTAMP = Buffer.from('timestamp')
const LEVEL = Buffer.from('level')
const OWN = ['host', 'level', 'short_message', 'full_message'].map((name) => Buffer.from(name))

/** Where the next message of a text begins: behind white space and zero bytes, with which some senders end one. */
export function skipBetween(text: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && (text[at] === 0x20 || text[at] === 0 || (text[at]! >= 9 && text[at]! <= 13))) at += 1
  return at
}

/** Made once and used again. */
export class MessageReader {
  readonly #json = new JsonTranscoder({
    depth: LIMITS.scan.depth,
    keyBytes: LIMITS.scan.keyBytes,
    isLenient: true,
    isExact: true,
  })
  readonly #pairs = new MapPairs()
  readonly #time: Instant = { seconds: 0, nanoseconds: 0 }
  #hasTime = false
  #text: Buffer = Buffer.alloc(0)
  #end = 0

  /**
   * Writes the message that begins at `start` as one entry. `receivedMs`: ms since 1970.
   * @returns the position after it. @throws MalformedError; what was written by then is to be thrown away.
   */
  read(text: Buffer, start: number, end: number, to: EntryWriter, receivedMs: number): number {
    const json = this.#json
    this.#text = text
    this.#end = end
    this.#hasTime = false
    this.#pairs.clear()
    json.begin(text, start, end, to)
    if (json.space() !== CURLY) throw new MalformedError('it is no JSON object')
    json.at += 1
    to.entry()
    const timeAt = to.length
    to.eventTime(0, 0)
    const opened = to.open()
    const base = this.#pairs.open()
    for (let more = json.space() !== CURLY_END; more; more = json.comma(CURLY_END)) {
      this.#field(to)
      if (this.#pairs.count(base) > KEYS_MAX) throw new MalformedError('it has too many fields')
    }
    json.at += 1
    to.closeMap(opened, this.#pairs.close(base, to))
    this.#setTime(to.bytes, timeAt, receivedMs)
    return json.at
  }

  #field(to: EntryWriter): void {
    const json = this.#json
    const start = to.length
    json.key()
    const name = start + headLength(to.bytes, start)
    const length = to.length - name
    const isExtra = to.bytes[name] === UNDERSCORE
    if (isExtra) strip(to, start, name)
    json.space()
    const isTime = !isExtra && isName(to.bytes, name, length, TIMESTAMP)
    if (isTime && this.#readPlainTime()) {
      to.length = start
      return
    }
    const valueText = json.at
    const value = to.length
    json.value(LIMITS.scan.depth - 1)
    if (!isExtra) {
      if (isTime && this.#takeTime(valueText)) to.length = start
      else if (isName(to.bytes, name, length, VERSION)) to.length = start
      else if (isName(to.bytes, name, length, LEVEL)) makeNumber(to, value)
    }
    if (to.length > start) this.#pairs.add(start)
  }

  /** The usual case, a number without an exponent: it is read as a time and nothing else. */
  #readPlainTime(): boolean {
    const { at } = this.#json
    let end = at
    while (end < this.#end && isPlain(this.#text[end]!)) end += 1
    const follows = this.#text[end]
    if (end === this.#end || (follows !== COMMA && follows !== CURLY_END && follows !== 0x20)) return false
    if (!readTimestamp(this.#text, at, end, this.#time)) return false
    this.#hasTime = true
    this.#json.at = end
    return true
  }

  /** @returns whether the field is done with. */
  #takeTime(start: number): boolean {
    const isTime = readTimestamp(this.#text, start, this.#json.at, this.#time)
    if (isTime) this.#hasTime = true
    return isTime || this.#text[start] !== QUOTE
  }

  /** Over the EventTime at `at`. */
  #setTime(bytes: Buffer, at: number, receivedMs: number): void {
    const { seconds, nanoseconds } = this.#time
    bytes.writeUInt32BE(this.#hasTime ? seconds : Math.floor(receivedMs / 1_000), at + 2)
    bytes.writeUInt32BE(this.#hasTime ? nanoseconds : Math.floor(receivedMs % 1_000) * 1_000_000, at + 6)
  }
}

/** A digit or a point. */
const isPlain = (byte: number) => (byte >= 0x30 && byte <= 0x39) || byte === 0x2e

/** Bytes of the head of a msgpack string. */
function headLength(bytes: Buffer, at: number): number {
  const head = bytes[at]!
  if (head < 0xc0) return 1
  return head === 0xd9 ? 2 : head === 0xda ? 3 : 5
}

/** Takes the underscores from the name that was written last; its string is at `start`, its text at `name`. */
function strip(to: EntryWriter, start: number, name: number): void {
  const end = to.length
  let from = name
  while (from < end && to.bytes[from] === UNDERSCORE) from += 1
  const isOwn = OWN.some((own) => isName(to.bytes, from, end - from, own))
  if (from === end || isOwn) return
  to.length = start
  to.string(to.bytes, from, end)
}

function isName(bytes: Buffer, at: number, length: number, name: Buffer): boolean {
  if (length !== name.length) return false
  for (let i = 0; i < length; i += 1) if (bytes[at + i] !== name[i]) return false
  return true
}

/** The string at `at`, which was written last, becomes a number where it is one of up to three digits. */
function makeNumber(to: EntryWriter, at: number): void {
  const { bytes, length } = to
  const digits = length - at - 1
  if (bytes[at] !== (0xa0 | digits) || digits < 1 || digits > 3) return
  let value = 0
  for (let i = at + 1; i < length; i += 1) {
    if (bytes[i]! < 0x30 || bytes[i]! > 0x39) return
    value = value * 10 + bytes[i]! - 0x30
  }
  to.length = at
  to.integer(value)
}
