import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { jsonToMsgpack } from '../../../protocols/encoding/json-to-msgpack.ts'
import { JsonDecoder } from '../../../protocols/forward/json-decoder.ts'
import { OversizeError } from '../../../protocols/forward/limits.ts'
import { createMessage } from '../../../protocols/forward/message.ts'
import { MalformedError } from '../../../server/core/msgpack.ts'
import { eventually, startInput } from './input-under-test.ts'

const unpackr = new Unpackr({ mapsAsObjects: true, int64AsType: 'bigint' })
const convert = (text: string | Uint8Array) => jsonToMsgpack(Buffer.from(text as Uint8Array), 32)

test('what JSON.parse understands comes out of msgpack the same', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      const value = JSON.parse(text)
      const numbers = new Unpackr({ mapsAsObjects: true, int64AsType: 'number' })
      assert.equal(JSON.stringify(numbers.unpack(convert(text))), JSON.stringify(renamed(value)))
    }),
  )
})

/** The oracle, msgpackr, renames this key. */
function renamed(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll('"__proto__":', '"__proto_":'))
}

test('integers beyond 2^53 stay exact, others become doubles', () => {
  const text = '[9007199254740993, 18446744073709551615, -9223372036854775808, 18446744073709551616, 1e3, 1.5, -0, 5]'
  assert.deepEqual(unpackr.unpack(convert(text)), [
    9_007_199_254_740_993n,
    18_446_744_073_709_551_615n,
    -9_223_372_036_854_775_808n,
    2 ** 64,
    1000,
    1.5,
    -0,
    5,
  ])
})

const STRINGS: [string, string][] = [
  ['"\\u00e9\\ud83d\\ude00\\/\\n"', 'é😀/\n'],
  ['"\\ud83d"', '\ufffd'],
  ['"\\ud83dx"', '\ufffdx'],
  ['"\\ude00"', '\ufffd'],
  ['"\\ud83d\\u0041"', '\ufffdA'],
  [`"${'x'.repeat(40)}"`, 'x'.repeat(40)],
  [`"${'x'.repeat(70_000)}"`, 'x'.repeat(70_000)],
]
for (const [text, expected] of STRINGS) {
  test(`reads the string ${text.slice(0, 30)}`, () => assert.equal(unpackr.unpack(convert(text)), expected))
}

test('invalid UTF-8 stays as it is', () => {
  assert.deepEqual(Buffer.from(convert(Buffer.from('22ff22', 'hex'))), Buffer.from('a1ff', 'hex'))
})

test('of keys that are the same the last one counts', () => {
  assert.deepEqual(unpackr.unpack(convert('{"a":1,"b":[{"c":1,"c":{"d":2}}],"a":3}')), { a: 3, b: [{ c: { d: 2 } }] })
})

test('containers of more than 15 items get wider headers', () => {
  for (const size of [15, 16, 70_000]) {
    const list = Array.from({ length: size }, (_, i) => i)
    assert.deepEqual(unpackr.unpack(convert(JSON.stringify([list]))), [list])
  }
})

const WRONG = ['', '[1,]', '{"a"}', '{a:1}', '[01]', '[1.]', '[+1]', 'nul', '["\\x"]', '["\\u12"]', '[1 2]', '["a\nb"]']
for (const text of [...WRONG, '['.repeat(33) + ']'.repeat(33)]) {
  test(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => assert.throws(() => convert(text), MalformedError))
}

/** Feeds pieces; gives the record's text of each message. */
function decode(pieces: readonly Uint8Array[]): unknown[] {
  const decoder = new JsonDecoder()
  const message = createMessage()
  const seen: unknown[] = []
  for (const piece of pieces) {
    decoder.push(piece)
    while (decoder.next(message) === 'message') {
      assert.ok(message.json)
      const { bytes, bodyStart, bodyEnd, mode } = message
      const body = bytes.subarray(bodyStart, bodyEnd)
      seen.push(mode === 'heartbeat' || mode === 'other' ? mode : [mode, ...unpackr.unpackMultiple(body)])
    }
  }
  seen.push(decoder.midMessage)
  return seen
}

test('values one after the other, with or without white space, cut anywhere', () => {
  const text =
    '["a.b",1,{"log":"x]}\\"\\\\"}]["a.b",2,{"log":"é"},{"chunk":"id"}]\n\n' +
    '[ "a.b" , [[3,{"k":[1,{"z":null}]}]] ] null {"x":1}\r\n'
  const bytes = Buffer.from(text)
  const expected = [
    ['message', 1, { log: 'x]}"\\' }],
    ['message', 2, { log: 'é' }],
    ['forward', [3, { k: [1, { z: null }] }]],
    'heartbeat',
    'other',
    false,
  ]
  assert.deepEqual(decode([bytes]), expected)
  assert.deepEqual(decode([...bytes].map((byte) => Buffer.of(byte))), expected)
  for (let cut = 1; cut < bytes.length; cut += 1) {
    assert.deepEqual(decode([bytes.subarray(0, cut), bytes.subarray(cut)]), expected)
  }
  assert.equal(decode([bytes.subarray(0, 10)]).at(-1), true)
})

test('a value without end is refused when it is too large', () => {
  assert.throws(() => decode(Array(100).fill(Buffer.alloc(65_536, '["'))), OversizeError)
})

test('a connection that begins with JSON is answered in JSON', async () => {
  const input = await startInput()
  const client = await input.connect()
  await client.write(Buffer.from('["web",1700000000,{"log":"x","n":9007199254740993},{"chunk":"a\\"b"}]'))
  assert.equal(String(await client.receive(1)), '{"ack":"a\\"b"}')
  const [stream] = input.emitted
  assert.deepEqual([stream!.tag, stream!.count, stream!.chunkId], ['web', 1, 'a"b'])
  assert.deepEqual(unpackr.unpack(stream!.packed), [1_700_000_000, { log: 'x', n: 9_007_199_254_740_993n }])
  await client.write(Buffer.from('["web",1,{"log":"y"}]["web",1,{"log":"z"}]'))
  await eventually(() => input.stats.events === 3)
})
