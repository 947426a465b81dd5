import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { pack } from 'msgpackr'
import {
  MalformedError,
  NEED_MORE,
  readContainerHeader,
  readStringHeader,
  SCAN_LIMITS,
  skipAny,
  skipTrusted,
  skipValue,
  ValueScan,
} from '../../server/core/msgpack.ts'

const skip = (bytes: Uint8Array) => skipValue(bytes, 0, bytes.length, SCAN_LIMITS)

/** One value of every form of header: hex of the whole value. */
const VALUES = {
  'positive fixint': '7f',
  'negative fixint': 'e0',
  fixmap: '82a161c0a16201',
  fixarray: '93c0c2c3',
  fixstr: 'a3616263',
  bin8: 'c40201ff',
  bin16: 'c5000201ff',
  bin32: 'c60000000201ff',
  ext8: 'c7080000000000000000ff',
  ext16: 'c8000105aa',
  ext32: 'c90000000105aa',
  float32: 'ca00000000',
  float64: 'cb0000000000000000',
  uint64: 'cfffffffffffffffff',
  int64: 'd3ffffffffffffffff',
  fixext1: 'd40500',
  fixext2: 'd5050000',
  fixext4: 'd60500000000',
  fixext8: 'd7000000000000000000',
  fixext16: 'd80500000000000000000000000000000000',
  str8: 'd90161',
  str16: 'da000161',
  str32: 'db0000000161',
  array16: 'dc0002c0c0',
  array32: 'dd00000002c0c0',
  map16: 'de0001a161c0',
  map32: 'df00000001a161c0',
}

for (const [name, hex] of Object.entries(VALUES)) {
  test(`steps over ${name}, and asks for more at each cut`, () => {
    const value = Buffer.from(hex, 'hex')
    const followed = Buffer.concat([value, Buffer.of(0xc1)])
    assert.equal(skipValue(followed, 0, followed.length, SCAN_LIMITS), value.length)
    assert.equal(skipAny(followed, 0, followed.length), value.length)
    assert.equal(skipTrusted(followed, 0, followed.length), value.length)
    for (let cut = 0; cut < value.length; cut += 1) {
      assert.equal(skipValue(followed, 0, cut, SCAN_LIMITS), NEED_MORE)
      assert.equal(skipAny(followed, 0, cut), NEED_MORE)
    }
  })
}

const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.string({ maxLength: 40 }),
    fc.integer(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string({ maxLength: 40 }), tie('value'), { maxKeys: 20 }),
  ),
})).value

test('every scanner finds the end that an independent encoder wrote', () => {
  fc.assert(
    fc.property(anyValue, (value) => {
      const bytes = pack(value)
      assert.equal(skip(bytes), bytes.length)
      assert.equal(skipTrusted(bytes, 0, bytes.length), bytes.length)
      const scan = new ValueScan()
      scan.start(0)
      for (let end = 0; end < bytes.length; end += 1) {
        assert.equal(scan.advance(bytes, end), NEED_MORE)
        assert.ok(scan.need > end && scan.need <= bytes.length)
      }
      assert.equal(scan.advance(bytes, bytes.length), bytes.length)
    }),
  )
})

test('bytes at random give a position, NEED_MORE or MalformedError, and the scanners agree', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const tolerant = outcome(() => skipAny(bytes, 0, bytes.length))
      const strict = outcome(() => skip(bytes))
      if (strict === NEED_MORE) assert.notEqual(Number(tolerant) >= 0, true)
      else if (strict !== 'malformed') assert.equal(strict, tolerant)
      const trusted = skipTrusted(bytes, 0, bytes.length)
      assert.ok(trusted >= 0 && trusted <= bytes.length)
    }),
    { numRuns: 2_000 },
  )
})

function outcome(scan: () => number): number | 'malformed' {
  try {
    return scan()
  } catch (error) {
    assert.ok(error instanceof MalformedError)
    return 'malformed'
  }
}

const HOSTILE = {
  'the byte 0xc1': 'c1',
  'an array of 4 billion': 'ddffffffff',
  'a map of 4 billion': 'dfffffffff',
  'a string of 4 billion': 'dbffffffff',
  'an extension of 4 billion': 'c9ffffffff00',
  'a map of more keys than allowed': 'de0401',
  'nesting of 33': `${'91'.repeat(32)}90`,
  'nesting of 100,000': '91'.repeat(100_000),
  'a key that is too long': `81da0401${'61'.repeat(1_025)}c0`,
}

for (const [name, hex] of Object.entries(HOSTILE)) {
  test(`refuses ${name} at once`, () => {
    assert.throws(() => skip(Buffer.from(hex, 'hex')), MalformedError)
  })
}

test('allows nesting of 32', () => {
  const bytes = Buffer.from(`${'91'.repeat(31)}90`, 'hex')
  assert.equal(skip(bytes), 32)
})

test('skipAny steps over a depth of 100,000 without a stack', () => {
  const bytes = Buffer.from(`${'91'.repeat(100_000)}c0`, 'hex')
  assert.equal(skipAny(bytes, 0, bytes.length), bytes.length)
})

test('a scan says at once how long a liar must be', () => {
  const scan = new ValueScan()
  scan.start(0)
  assert.equal(scan.advance(Buffer.from('dfffffffff', 'hex'), 5), NEED_MORE)
  assert.equal(scan.need, 5 + 2 * 0xffffffff)
})

test('headers of strings and binaries are read although the body is not there', () => {
  const span = { start: 0, end: 0 }
  assert.equal(readStringHeader(Buffer.from('c600001000', 'hex'), 0, 5, span), true)
  assert.deepEqual(span, { start: 5, end: 5 + 4_096 })
  assert.equal(readStringHeader(Buffer.from('c600', 'hex'), 0, 2, span), true)
  assert.equal(span.end, NEED_MORE)
  assert.equal(readStringHeader(Buffer.from('93', 'hex'), 0, 1, span), false)
})

test('headers of arrays and maps give the count', () => {
  const span = { start: 0, end: 0 }
  assert.equal(readContainerHeader(Buffer.from('dc0102', 'hex'), 0, 3, 'array', span), true)
  assert.deepEqual(span, { start: 3, end: 258 })
  assert.equal(readContainerHeader(Buffer.from('83', 'hex'), 0, 1, 'map', span), true)
  assert.deepEqual(span, { start: 1, end: 3 })
  assert.equal(readContainerHeader(Buffer.from('83', 'hex'), 0, 1, 'array', span), false)
})
