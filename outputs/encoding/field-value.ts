/** The value of one key of a record as text, read where it stands: for partition keys, topics and object keys. */
import { skipTrusted } from '../../server/core/msgpack.ts'
import { type ByteSink, createByteSink, emptySink } from './byte-sink.ts'
import { writeValue } from './json-value.ts'

const sink: ByteSink = createByteSink(256)

/**
 * @param record where the record (a map) stands in `from`.
 * @param key UTF-8 of the key at the top level.
 * @returns strings as they are, everything else as JSON; undefined: there is no such key. Of keys that come twice the
 * last one counts.
 */
export function fieldText(from: DataView, record: number, key: Uint8Array): string | undefined {
  const bytes = new Uint8Array(from.buffer, from.byteOffset, from.byteLength)
  const first = bytes[record]!
  let left = first < 0x90 ? first & 15 : first === 0xde ? from.getUint16(record + 1) : from.getUint32(record + 1)
  let pos = record + (first < 0x90 ? 1 : first === 0xde ? 3 : 5)
  let found: string | undefined
  for (; left > 0; left -= 1) {
    const value = skipTrusted(bytes, pos, bytes.length)
    if (isKey(bytes, pos, value, key)) found = valueText(from, value)
    pos = skipTrusted(bytes, value, bytes.length)
  }
  return found
}

/** Whether the str or bin between `pos` and `end` is the text `key`. */
export function isKey(bytes: Uint8Array, pos: number, end: number, key: Uint8Array): boolean {
  return end - pos === headerBytes(bytes[pos]!) + key.length && endsWithText(bytes, end, key)
}

function endsWithText(bytes: Uint8Array, end: number, text: Uint8Array): boolean {
  const start = end - text.length
  for (let i = 0; i < text.length; i += 1) if (bytes[start + i] !== text[i]) return false
  return start >= 0
}

/** Of a str or bin, by its first byte; 0 for what is neither. */
function headerBytes(first: number): number {
  if (first >= 0xa0 && first < 0xc0) return 1
  if (first >= 0xd9 && first <= 0xdb) return [2, 3, 5][first - 0xd9]!
  return first >= 0xc4 && first <= 0xc6 ? [2, 3, 5][first - 0xc4]! : 0
}

function valueText(from: DataView, pos: number): string {
  emptySink(sink)
  writeValue(from, pos, sink, 0)
  const json = Buffer.from(sink.bytes.buffer, 0, sink.at - 1).toString()
  return json.startsWith('"') ? (JSON.parse(json) as string) : json
}
