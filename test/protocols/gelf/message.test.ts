import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { EntryWriter } from '../../../protocols/encoding/entry-writer.ts'
import { MessageReader, skipBetween } from '../../../protocols/gelf/message.ts'
import { readTimestamp } from '../../../protocols/gelf/timestamp.ts'
import { MalformedError, SCAN_LIMITS } from '../../../server/core/msgpack.ts'
import { checkEntries, createEntriesCheck } from '../../../server/core/packed-entries.ts'
import { decodeEntries } from './gelf-under-test.ts'

const RECEIVED_MS = 1_600_000_000_250

function read(text: string | Buffer) {
  const bytes = Buffer.from(text as Buffer)
  const reader = new MessageReader()
  const to = new EntryWriter(16)
  for (let at = skipBetween(bytes, 0, bytes.length); at < bytes.length; at = skipBetween(bytes, at, bytes.length)) {
    at = reader.read(bytes, at, bytes.length, to, RECEIVED_MS)
  }
  return Buffer.from(to.bytes.subarray(0, to.length))
}
const records = (text: string | Buffer) => decodeEntries(read(text)).map(({ record }) => record)

test('several messages in one text, with white space and zero bytes between', () => {
  assert.deepEqual(records('{"a":1}\n {"b":2}\0\0{"c":3}\r\n'), [{ a: 1 }, { b: 2 }, { c: 3 }])
})

test('without a time the time of receipt counts, in ms', () => {
  assert.deepEqual(decodeEntries(read('{}')), [
    { tag: 'gelf', seconds: 1_600_000_000, nanoseconds: 250_000_000, record: {} },
  ])
})

test('the time of one message is not that of the next', () => {
  const [first, second] = decodeEntries(read('{"timestamp":1700000000}{"a":1}'))
  assert.deepEqual([first!.seconds, second!.seconds], [1_700_000_000, 1_600_000_000])
})

test('names that only look like those of GELF stay', () => {
  assert.deepEqual(records('{"versions":1,"Version":2,"timestamps":3,"levels":"6","_":4,"__":5,"":6}'), [
    { versions: 1, Version: 2, timestamps: 3, levels: '6', _: 4, __: 5, '': 6 },
  ])
})

test('an extra of the name of version or timestamp is an ordinary field', () => {
  assert.deepEqual(records('{"version":"1.1","_version":"2.0","_timestamp":5}'), [{ version: '2.0', timestamp: 5 }])
})

test('long names lose their underscore too', () => {
  for (const length of [30, 31, 32, 255, 256, 300]) {
    const name = 'n'.repeat(length)
    assert.deepEqual(records(`{"_${name}":"v","x":1}`), [{ [name]: 'v', x: 1 }])
  }
})

test('a record of more than 15 fields, with maps within', () => {
  const fields = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}`, { [`_${i}`]: [i] }]))
  assert.deepEqual(records(JSON.stringify(fields)), [fields])
})

const WRONG = ['[]', '1', 'null', '"x"', '{', '{"a"', '{"a":', '{"a":1', '{"a":1]', '{"a":tru}', '{,}', '{a:1}', 'x']
for (const text of WRONG) {
  test(`refuses ${text}`, () => assert.throws(() => read(text), MalformedError))
}

test('refuses what would be over a limit of the scanner', () => {
  const many = JSON.stringify(Object.fromEntries(Array.from({ length: 1_025 }, (_, i) => [`k${i}`, 1])))
  for (const text of [many, `{"${'k'.repeat(1_025)}":1}`, `{"a":${'['.repeat(32)}${']'.repeat(32)}}`]) {
    assert.throws(() => read(text), MalformedError)
  }
})

test('what is taken is whole entries within the limits, whatever it was; nothing else is thrown', () => {
  const check = createEntriesCheck()
  const names = fc.constantFrom('_a', 'a', '__id', '_id', 'version', 'timestamp', 'level', 'host', '_host', '')
  const objects = fc.dictionary(fc.oneof(names, fc.string()), fc.jsonValue()).map((value) => JSON.stringify(value))
  const broken = fc.tuple(objects, fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
    const bytes = Buffer.from(text)
    bytes[at % bytes.length] = byte
    return bytes
  })
  fc.assert(
    fc.property(fc.oneof(objects, broken, fc.uint8Array()), (text) => {
      let packed: Buffer
      try {
        packed = read(Buffer.from(text as Uint8Array))
      } catch (error) {
        assert.ok(error instanceof MalformedError)
        return
      }
      checkEntries(packed, 0, packed.length, SCAN_LIMITS, check)
      assert.deepEqual([check.bad, check.markers, check.at], [0, 0, packed.length])
    }),
    { numRuns: 1_000 },
  )
})

test('the fields of any object come out as they are', () => {
  const values = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.array(fc.string()))
  const names = fc.stringMatching(/^[a-z]{1,8}[0-9]$/)
  fc.assert(
    fc.property(fc.dictionary(names, values, { noNullPrototype: true }), (fields) => {
      assert.deepEqual(records(JSON.stringify(fields)), [fields])
      const extras = Object.fromEntries(Object.entries(fields).map(([name, value]) => [`_${name}`, value]))
      assert.deepEqual(records(JSON.stringify(extras)), [fields])
    }),
  )
})

describe('timestamps', () => {
  const TIMES: [string, [number, number] | undefined][] = [
    ['1', [1, 0]],
    ['0.5', [0, 500_000_000]],
    ['4294967295.999999999', [4_294_967_295, 999_999_999]],
    ['4294967296', undefined],
    ['1700000000123456', [1_700_000_000, 123_456_000]],
    ['1700000000123456789', [1_700_000_000, 123_456_789]],
    ['1700000000123.4567', [1_700_000_000, 123_456_700]],
    ['17000000000', undefined],
    ['1.700000000123E9', [1_700_000_000, 123_000_000]],
    ['1.7e+9', [1_700_000_000, 0]],
    ['17e8', [1_700_000_000, 0]],
    ['1e400', undefined],
    ['1e99', undefined],
    ['1.', undefined],
    ['0.0', undefined],
    ['0e5', undefined],
    ['-1700000000', undefined],
    ['true', undefined],
    ['{}', undefined],
    ['""', undefined],
    ['" 1"', undefined],
    ['"1970-01-01T00:00:01"', [1, 0]],
    ['"2023-11-14 22:13:20.123456789Z"', [1_700_000_000, 123_456_789]],
    ['"2023-11-14T22:13:20Z "', undefined],
  ]
  for (const [text, expected] of TIMES) {
    test(text, () => {
      const out = { seconds: -1, nanoseconds: -1 }
      const isTime = readTimestamp(Buffer.from(text), 0, text.length, out)
      assert.deepEqual(isTime ? [out.seconds, out.nanoseconds] : undefined, expected)
    })
  }

  test('every nanosecond comes out as its digits say', () => {
    const digits = fc.array(fc.nat(9), { maxLength: 12 }).map((numbers) => numbers.join(''))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 - 1 }), digits, (seconds, fraction) => {
        const text = Buffer.from(fraction === '' ? `${seconds}` : `${seconds}.${fraction}`)
        const out = { seconds: 0, nanoseconds: 0 }
        assert.ok(readTimestamp(text, 0, text.length, out))
        assert.deepEqual(out, { seconds, nanoseconds: Number(fraction.padEnd(9, '0').slice(0, 9)) })
      }),
    )
  })
})
