import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MalformedError, SCAN_LIMITS } from '../../server/core/msgpack.ts'
import {
  checkEntries,
  createEntriesCheck,
  entryRecordAt,
  entryTimeAt,
  keepGoodEntries,
  nextEntry,
  readTimeNanoseconds,
  readTimeSeconds,
} from '../../server/core/packed-entries.ts'

const RECORD = '81a16101'
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

function check(bytes: Uint8Array, wanted?: number) {
  const out = createEntriesCheck()
  checkEntries(bytes, 0, bytes.length, SCAN_LIMITS, out, wanted)
  return { count: out.count, bad: out.bad, markers: out.markers, at: out.at }
}

/** Time on the wire, seconds, nanoseconds. */
const TIMES: [string, string, number, number][] = [
  ['positive fixint', '05', 5, 0],
  ['negative fixint', 'ff', -1, 0],
  ['uint8', 'cc ff', 255, 0],
  ['uint16', 'cd 0100', 256, 0],
  ['uint32', 'ce ffffffff', 4_294_967_295, 0],
  ['uint64', 'cf 0000000100000000', 4_294_967_296, 0],
  ['int8', 'd0 80', -128, 0],
  ['int16', 'd1 8000', -32_768, 0],
  ["int32, as Docker's driver sends it", 'd2 6553f100', 1_700_000_000, 0],
  ['int64', 'd3 ffffffffffffffff', -1, 0],
  ['float32', 'ca 3fc00000', 1, 500_000_000],
  ['float64', 'cb 3ff4000000000000', 1, 250_000_000],
  ['negative float', 'cb bff4000000000000', -2, 750_000_000],
  ['not a number', 'cb 7ff8000000000000', 0, 0],
  ['infinity', 'cb 7ff0000000000000', 0, 0],
  ['EventTime as fixext8', 'd7 00 6553f100 3b9ac9ff', 1_700_000_000, 999_999_999],
  ['EventTime as ext8', 'c7 08 00 6553f100 00000001', 1_700_000_000, 1],
  ['EventTime after 2038', 'd7 00 ffffffff 00000001', 4_294_967_295, 1],
  ['EventTime with too many nanoseconds', 'd7 00 00000001 ffffffff', 1, 999_999_999],
  ['time beside metadata', '92 d7 00 6553f100 00000007 80', 1_700_000_000, 7],
  ['time beside metadata, wide header', 'dc0002 d2 6553f100 81a16b01', 1_700_000_000, 0],
]

for (const [name, time, seconds, nanoseconds] of TIMES) {
  test(`an entry's time may be: ${name}`, () => {
    const bytes = hex(`92 ${time} ${RECORD}`)
    assert.deepEqual(check(bytes), { count: 1, bad: 0, markers: 0, at: bytes.length })
    const at = entryTimeAt(bytes, 0)
    assert.equal(readTimeSeconds(bytes, at), seconds)
    assert.equal(readTimeNanoseconds(bytes, at), nanoseconds)
    assert.equal(entryRecordAt(bytes, 0, bytes.length), bytes.length - RECORD.length / 2)
  })
}

test('an entry may have any header of an array of two', () => {
  for (const header of ['92', 'dc0002', 'dd00000002']) {
    const bytes = hex(`${header} 05 ${RECORD} ${header} 06 ${RECORD}`)
    assert.equal(check(bytes).count, 2)
    const second = nextEntry(bytes, 0, bytes.length)
    assert.equal(second, bytes.length / 2)
    assert.equal(readTimeSeconds(bytes, entryTimeAt(bytes, second)), 6)
  }
})

const BAD = {
  'nil time': `92 c0 ${RECORD}`,
  'string time': `92 a161 ${RECORD}`,
  'another extension as time': `92 d6ff00000000 ${RECORD}`,
  'EventTime of a wrong length': `92 d600 00000000 ${RECORD}`,
  'array time without metadata': `92 9105 ${RECORD}`,
  'metadata that is no map': `92 920505 ${RECORD}`,
  'record that is an array': '92 05 9101',
  'record that is nil': '92 05 c0',
  'one element': '91 05',
  'three elements': `93 05 ${RECORD} c0`,
  'no array': RECORD,
  'record of a depth over the limit': `92 05 81a161 ${'91'.repeat(40)} c0`,
  'record with a key that is too long': `92 05 81 da0401 ${'61'.repeat(1_025)} c0`,
}

for (const [name, bad] of Object.entries(BAD)) {
  test(`leaves out and counts an entry with: ${name}`, () => {
    const good = hex(`92 05 ${RECORD}`)
    const bytes = Buffer.concat([good, hex(bad), good, hex(bad), hex(bad)])
    assert.deepEqual(check(bytes), { count: 2, bad: 3, markers: 0, at: bytes.length })
    assert.deepEqual(Buffer.from(keepGoodEntries(bytes, 0, bytes.length, SCAN_LIMITS)), Buffer.concat([good, good]))
  })
}

test("fluent-bit's group markers are neither good nor bad", () => {
  const start = hex('92 92 d700ffffffff00000000 81a16101 81a16202')
  const end = hex('92 92 d700fffffffe00000000 80 80')
  const good = hex(`92 92 d700fffffffd00000000 80 ${RECORD}`)
  const bytes = Buffer.concat([start, good, end])
  assert.deepEqual(check(bytes), { count: 1, bad: 0, markers: 2, at: bytes.length })
  assert.deepEqual(Buffer.from(keepGoodEntries(bytes, 0, bytes.length, SCAN_LIMITS)), good)
})

test('stops before an entry that is cut, wherever the cut is', () => {
  const one = hex(`dc0002 92 d7006553f10000000007 81a16b01 ${RECORD}`)
  const bytes = Buffer.concat([one, one])
  const out = createEntriesCheck()
  for (let cut = 0; cut < bytes.length; cut += 1) {
    checkEntries(bytes, 0, cut, SCAN_LIMITS, out)
    const whole = Math.floor(cut / one.length)
    assert.deepEqual([out.count, out.at], [whole, whole * one.length])
  }
})

test('takes no more entries than wanted', () => {
  const bytes = hex(`92 05 ${RECORD} 92 c0 c0 92 06 ${RECORD}`)
  assert.deepEqual(check(bytes, 2), { count: 1, bad: 1, markers: 0, at: bytes.length - 6 })
})

test('refuses what is no msgpack, and more bad entries than a mistake explains', () => {
  assert.throws(() => check(hex('92 05 81a161c1')), MalformedError)
  assert.throws(() => check(hex('c1')), MalformedError)
  const times = (count: number, one: string) => Buffer.alloc((count * one.length) / 2, hex(one))
  assert.equal(check(times(100_000, '92c0c0')).bad, 100_000)
  assert.throws(() => check(times(100_001, '92c0c0')), MalformedError)
  // What no client sends: bytes that are a value each.
  assert.equal(check(times(1_000, '00')).bad, 1_000)
  assert.throws(() => check(times(1_001, '00')), MalformedError)
  assert.throws(() => check(times(1_001, '90')), MalformedError)
})

test('whatever comes, what is kept is good and in order', () => {
  const pieces = fc.constantFrom(`92 05 ${RECORD}`, ...Object.values(BAD))
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 20 }), (list) => {
      const bytes = hex(list.join(''))
      const good = list.filter((piece) => piece === `92 05 ${RECORD}`)
      assert.equal(check(bytes).count, good.length)
      assert.deepEqual(Buffer.from(keepGoodEntries(bytes, 0, bytes.length, SCAN_LIMITS)), hex(good.join('')))
    }),
  )
})
