/**
 * msgpack values as JSON: a table of what each becomes, and random records packed by msgpackr against JSON.stringify.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createByteSink } from '../../../outputs/encoding/byte-sink.ts'
import { DEPTH_MAX, writeValue } from '../../../outputs/encoding/json-value.ts'
import { packValue } from '../../conformance/make-batch.ts'

function jsonOf(bytes: Uint8Array): string {
  const memory = new Uint8Array(bytes.length + 12)
  memory.set(bytes, 5)
  const sink = createByteSink(8)
  const next = writeValue(new DataView(memory.buffer), 5, sink, 0)
  assert.equal(next, 5 + bytes.length, 'the position after the value')
  const text = Buffer.from(sink.bytes.subarray(0, sink.at)).toString()
  assert.equal(text.at(-1), ',')
  return text.slice(0, -1)
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

const table: [name: string, bytes: string, json: string][] = [
  ['nil', 'c0', 'null'],
  ['false', 'c2', 'false'],
  ['true', 'c3', 'true'],
  ['positive fixint', '7f', '127'],
  ['negative fixint', 'e0', '-32'],
  ['uint8', 'cc ff', '255'],
  ['uint16', 'cd ffff', '65535'],
  ['uint32', 'ce ffffffff', '4294967295'],
  ['uint64 of 2^53 - 1', 'cf 001fffffffffffff', '9007199254740991'],
  ['uint64 of 2^53 + 1', 'cf 0020000000000001', '9007199254740993'],
  ['uint64, the largest', 'cf ffffffffffffffff', '18446744073709551615'],
  ['uint64 of 10^9', 'cf 000000003b9aca00', '1000000000'],
  ['uint64 of 10^15 + 7', 'cf 00038d7ea4c68007', '1000000000000007'],
  ['int8', 'd0 80', '-128'],
  ['int16', 'd1 8000', '-32768'],
  ['int32', 'd2 80000000', '-2147483648'],
  ['int64 of -1', 'd3 ffffffffffffffff', '-1'],
  ['int64 of -(2^53) - 1', 'd3 ffdfffffffffffff', '-9007199254740993'],
  ['int64, the smallest', 'd3 8000000000000000', '-9223372036854775808'],
  ['int64, the largest', 'd3 7fffffffffffffff', '9223372036854775807'],
  ['float32', 'ca 3f000000', '0.5'],
  ['float64', 'cb 3fb999999999999a', '0.1'],
  ['float64 without a fraction', 'cb 4008000000000000', '3.0'],
  ['float64 of -0', 'cb 8000000000000000', '0.0'],
  ['float64, large', 'cb 444b1ae4d6e2ef50', '1e+21'],
  ['NaN', 'cb 7ff8000000000000', 'null'],
  ['infinity', 'cb fff0000000000000', 'null'],
  ['empty str', 'a0', '""'],
  ['str8', 'd9 01 61', '"a"'],
  ['str16', 'da 0001 61', '"a"'],
  ['str32', 'db 00000001 61', '"a"'],
  ['bin8 that is text', 'c4 02 c3a4', '"ä"'],
  ['bin16 that is not', 'c5 0002 61ff', '"a\ufffd"'],
  ['bin32', 'c6 00000001 22', '"\\""'],
  ['empty array', '90', '[]'],
  ['array', '93 01 a161 c0', '[1,"a",null]'],
  ['array16', 'dc 0001 90', '[[]]'],
  ['array32', 'dd 00000000', '[]'],
  ['empty map', '80', '{}'],
  ['map', '82 a161 01 a162 81 a163 80', '{"a":1,"b":{"c":{}}}'],
  ['map16', 'de 0001 a161 01', '{"a":1}'],
  ['map32', 'df 00000001 a161 90', '{"a":[]}'],
  ['keys that come twice', '82 a161 01 a161 02', '{"a":1,"a":2}'],
  ['a bin key', '81 c4 01 61 01', '{"a":1}'],
  ['an int key', '81 2a 01', '{"42":1}'],
  ['a negative int key', '81 d1 8000 01', '{"-32768":1}'],
  ['a nil key', '81 c0 01', '{"null":1}'],
  ['a bool key', '81 c3 01', '{"true":1}'],
  ['a float key', '81 cb 3fe0000000000000 01', '{"0.5":1}'],
  ['an array key', '81 92 01 02 01', '{"[]":1}'],
  ['a map key', '82 81 a161 02 01 a162 02', '{"{}":1,"b":2}'],
  ['an EventTime key', '81 d7 00 6b003640 00000001 01', '{"2026-11-20T12:00:00.000000001Z":1}'],
  ['EventTime', 'd7 00 6b003640 075bcd15', '"2026-11-20T12:00:00.123456789Z"'],
  ['EventTime as ext8', 'c7 08 00 6b003640 075bcd15', '"2026-11-20T12:00:00.123456789Z"'],
  ['EventTime with too many nanoseconds', 'd7 00 6b003640 ffffffff', '"awA2QP////8="'],
  ['timestamp 32', 'd6 ff 6b003640', '"2026-11-20T12:00:00.000000000Z"'],
  ['timestamp 64', 'd7 ff 1d6f3454 6b003640', '"2026-11-20T12:00:00.123456789Z"'],
  ['timestamp 96, before 1970', 'c7 0c ff 00000001 ffffffffffffffff', '"1969-12-31T23:59:59.000000001Z"'],
  ['timestamp 96, beyond the year 9999', 'c7 0c ff 00000001 7fffffffffffffff', '"AAAAAX//////////"'],
  ['another ext of 1', 'd4 05 01', '"AQ=="'],
  ['another ext of 16', `d8 05 ${'00'.repeat(16)}`, `"${Buffer.alloc(16).toString('base64')}"`],
  ['an empty ext', 'c7 00 05', '""'],
  ['ext16', 'c8 0001 05 ff', '"/w=="'],
  ['ext32', 'c9 00000001 05 ff', '"/w=="'],
]
for (const [name, bytes, json] of table) {
  test(`${name} becomes ${json}`, () => assert.equal(jsonOf(hex(bytes)), json))
}

test('what lies too deep becomes null, and the rest is kept', () => {
  const nested = (levels: number): Uint8Array => Buffer.concat([Buffer.alloc(levels, 0x91), Buffer.of(0x01)])
  const all = Buffer.concat([Buffer.of(0x92), nested(DEPTH_MAX + 5), Buffer.of(0x07)])
  const levels = DEPTH_MAX - 1
  assert.equal(jsonOf(all), `[${'['.repeat(levels)}null${']'.repeat(levels)},7]`)
})

test('every digit count of an integer', () => {
  for (let value = 1n; value < 2n ** 64n; value *= 10n) {
    for (const near of [value - 1n, value, value + 1n]) {
      const bytes = Buffer.alloc(9, 0xcf)
      bytes.writeBigUInt64BE(near, 1)
      assert.equal(jsonOf(bytes), String(near))
    }
  }
})

test('random records are what JSON.stringify makes of them', () => {
  const value = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' })
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), value, { maxKeys: 12 }), (record) => {
      assert.deepEqual(JSON.parse(jsonOf(packValue(record))), JSON.parse(JSON.stringify(record)))
    }),
    { numRuns: 200 },
  )
})
