import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Packr, Unpackr } from 'msgpackr'
import { type AddedField, createEntryRewriter } from '../../../protocols/forward/rewrite-entries.ts'
import { SCAN_LIMITS } from '../../../server/core/msgpack.ts'
import { checkEntries, createEntriesCheck } from '../../../server/core/packed-entries.ts'
import { array, bin8, eventTime, float64, header, int32, map, record, str, str16, uint32 } from './encoding.ts'

const SOURCE: AddedField[] = [{ key: 'source', text: '10.0.0.4' }]
const time = eventTime(1_700_000_000, 42)
const rewrite = (packed: Uint8Array, fields = SOURCE, isMs = false) =>
  Buffer.from(createEntryRewriter(fields, isMs).rewrite(packed)).toString('hex')
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const source = { source: str('10.0.0.4') }

test('a key is added behind the others, and the map says so', () => {
  const fifteen = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`k${i}`, uint32(i)]))
  const many = Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`k${i}`, uint32(i)]))
  for (const pairs of [{}, { log: str('x') }, fifteen, many]) {
    assert.equal(rewrite(array(time, map(pairs))), hex(array(time, map({ ...pairs, ...source }))))
  }
})

test("the client's own key of that name is replaced, in any header form, and however often it came", () => {
  const forms = [str('source'), str16('source'), bin8(Buffer.from('source'))]
  for (const key of forms) {
    const own = Buffer.concat([Buffer.of(0x83), key, str('forged'), str('log'), str('x'), key, str('again')])
    assert.equal(rewrite(array(time, own)), hex(array(time, map({ log: str('x'), ...source }))))
  }
})

test('headers in any form, metadata, and several entries', () => {
  const withMeta = array(array(time, map({ level: str('info') })), record('b'))
  const wide = Buffer.concat([header(0xdc, 2, 2), time, header(0xde, 2, 1), str('log'), str('a')])
  const expected = [
    array(time, map({ log: str('a'), ...source })),
    // `record` has a key `source` of its own.
    array(array(time, map({ level: str('info') })), map({ log: str('b'), ...source })),
  ]
  assert.equal(rewrite(Buffer.concat([wide, withMeta])), hex(Buffer.concat(expected)))
})

const MS: [string, Uint8Array, Uint8Array][] = [
  ['13 digits', Buffer.concat([Buffer.of(0xcf), u64(1_700_000_000_123n)]), eventTime(1_700_000_000, 123_000_000)],
  [
    '13 digits, signed',
    Buffer.concat([Buffer.of(0xd3), u64(1_700_000_000_123n)]),
    eventTime(1_700_000_000, 123_000_000),
  ],
  ['a float', float64(1_700_000_000_123.5), eventTime(1_700_000_000, 123_500_000)],
  ['a small number', int32(1_500), eventTime(1, 500_000_000)],
  ['0, which is no time', Buffer.of(0), eventTime(0, 0)],
  ['an EventTime', eventTime(1_700_000_000, 42), eventTime(1_700_000_000, 42)],
  ['before 1970', int32(-5), int32(-5)],
  ['NaN', float64(Number.NaN), float64(Number.NaN)],
  ['beyond 2106', Buffer.concat([Buffer.of(0xcf), u64(2n ** 63n)]), Buffer.concat([Buffer.of(0xcf), u64(2n ** 63n)])],
]
function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}
for (const [name, sent, stored] of MS) {
  test(`time_unit ms: ${name}`, () => {
    assert.equal(rewrite(array(sent, record('x')), [], true), hex(array(stored, record('x'))))
  })
}

test('any record keeps its values, and what comes out passes the check that came before', () => {
  const packr = new Packr({ useRecords: false })
  const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: false })
  const values = fc.dictionary(fc.string({ maxLength: 40 }), fc.jsonValue({ maxDepth: 3 }), {
    maxKeys: 40,
    noNullPrototype: true,
  })
  fc.assert(
    fc.property(fc.array(values, { minLength: 1, maxLength: 20 }), (records) => {
      const packed = Buffer.concat(records.map((value) => array(time, packr.pack(new Map(Object.entries(value))))))
      const out = Buffer.from(createEntryRewriter(SOURCE, false).rewrite(packed))
      const check = createEntriesCheck()
      checkEntries(out, 0, out.length, SCAN_LIMITS, check)
      assert.deepEqual([check.count, check.bad, check.at], [records.length, 0, out.length])
      let at = 0
      for (const value of records) {
        const expected = new Map([...Object.entries(value).filter(([key]) => key !== 'source'), ['source', '10.0.0.4']])
        const one = array(time, packr.pack(expected))
        assert.deepEqual(unpackr.unpack(out.subarray(at + 11, at + one.length)), unpackr.unpack(one.subarray(11)))
        at += one.length
      }
    }),
    { numRuns: 200 },
  )
})
