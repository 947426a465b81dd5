/** The string writer against its readable version: decode as UTF-8, then JSON.stringify. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createByteSink } from '../../../outputs/encoding/byte-sink.ts'
import { QUOTE_COLON, QUOTE_COMMA, writeString } from '../../../outputs/encoding/json-string.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** What the writer must give, byte for byte. */
function expected(bytes: Uint8Array): string {
  return JSON.stringify(decoder.decode(bytes))
}

/**
 * The string lies at `offset` (4 or more: an entry begins with a header) of memory that ends with it or `behind` bytes
 * later.
 */
function written(bytes: Uint8Array, { offset = 5, behind = 0, at = 0 } = {}): string {
  const memory = new Uint8Array(offset + bytes.length + behind).fill(0x22)
  memory.set(bytes, offset)
  const sink = createByteSink(16)
  sink.at = at
  writeString(new DataView(memory.buffer), offset, bytes.length, QUOTE_COMMA, sink)
  const text = Buffer.from(sink.bytes.subarray(at, sink.at)).toString()
  assert.equal(text.at(-1), ',')
  return text.slice(0, -1)
}

test('plain text of every length from 0 to 40 at every alignment of both sides', () => {
  for (let length = 0; length <= 40; length++) {
    const bytes = Buffer.from('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP'.slice(0, length))
    for (let offset = 4; offset < 12; offset++) {
      for (let at = 0; at < 8; at++) assert.equal(written(bytes, { offset, behind: at, at }), expected(bytes))
    }
  }
})

test('one byte of every value at every place of texts of every length from 1 to 20', () => {
  for (let length = 1; length <= 20; length++) {
    for (let place = 0; place < length; place++) {
      for (let byte = 0; byte < 256; byte++) {
        const bytes = Buffer.alloc(length, 'x')
        bytes[place] = byte
        assert.equal(written(bytes), expected(bytes), `byte ${byte} at ${place} of ${length}`)
      }
    }
  }
})

test('two neighbours that need care, in each pairing of kinds', () => {
  const kinds = [0x00, 0x1f, 0x22, 0x5c, 0x7f, 0x80, 0xbf, 0xc3, 0xe2, 0xed, 0xf0, 0xff]
  for (const first of kinds) {
    for (const second of kinds) {
      for (let place = 0; place < 9; place++) {
        const bytes = Buffer.alloc(11, 'x')
        bytes[place] = first
        bytes[place + 1] = second
        assert.equal(written(bytes), expected(bytes))
      }
    }
  }
})

const broken: Record<string, number[]> = {
  'a continuation alone': [0x80],
  'an overlong slash': [0xc0, 0xaf],
  'an overlong slash in three bytes': [0xe0, 0x80, 0xaf],
  'a surrogate': [0xed, 0xa0, 0x80],
  'beyond U+10FFFF': [0xf4, 0x90, 0x80, 0x80],
  'cut after one of two': [0xc3],
  'cut after two of three': [0xe2, 0x82],
  'cut after three of four': [0xf0, 0x9f, 0x92],
  'cut, then a letter': [0xf0, 0x9f, 0x92, 0x41],
  'two cut in a row': [0xe2, 0x82, 0xe2, 0x82],
  'bytes that never occur': [0xfe, 0xff],
}
for (const [name, bytes] of Object.entries(broken)) {
  test(`broken UTF-8 becomes U+FFFD as in the WHATWG decoder: ${name}`, () => {
    for (let before = 0; before < 9; before++) {
      const all = Uint8Array.from([...Buffer.alloc(before, 'a'), ...bytes])
      assert.equal(written(all), expected(all))
    }
  })
}

test('random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => assert.equal(written(bytes), expected(bytes))),
    { numRuns: 200 },
  )
})

test('random text of all planes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (text) => {
      const bytes = Buffer.from(text)
      assert.equal(written(bytes), expected(bytes))
    }),
    { numRuns: 200 },
  )
})

test('a sink that is full grows, and keeps what it held', () => {
  const sink = createByteSink(4)
  const memory = Buffer.from(`    ${'\u0000'.repeat(1000)}`)
  sink.bytes.set([1, 2, 3])
  sink.at = 3
  const from = new DataView(memory.buffer, memory.byteOffset, memory.byteLength)
  writeString(from, 4, 1000, QUOTE_COLON, sink)
  const text = Buffer.from(sink.bytes.subarray(0, sink.at)).toString('latin1')
  assert.equal(text, `\u0001\u0002\u0003"${'\\u0000'.repeat(1000)}":`)
})
