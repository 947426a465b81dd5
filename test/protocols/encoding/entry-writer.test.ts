import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { EntryWriter } from '../../../protocols/encoding/entry-writer.ts'

const unpackr = new Unpackr({ mapsAsObjects: true, int64AsType: 'bigint' })
const written = (write: (to: EntryWriter) => void) => {
  const to = new EntryWriter(1)
  write(to)
  return Buffer.from(to.bytes.subarray(0, to.length))
}

test('an entry with its time', () => {
  const bytes = written((to) => {
    to.entry()
    to.eventTime(4_294_967_295, 999_999_999)
    to.mapHead(1)
    to.text('é')
    to.nil()
  })
  assert.equal(bytes.toString('hex'), '92d700ffffffff3b9ac9ff81a2c3a9c0')
})

const INTEGERS = [0, 127, 128, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -1, -128, -(2 ** 32), -(2 ** 53) + 1]
for (const value of INTEGERS) {
  test(`the integer ${value} comes out the same`, () => {
    assert.equal(Number(unpackr.unpack(written((to) => to.integer(value)))), value)
    assert.deepEqual(
      written((to) => to.bigInteger(BigInt(value))),
      written((to) => to.integer(value)),
    )
  })
}

test('the ends of 64 bits come out the same', () => {
  for (const value of [-(2n ** 63n), 2n ** 63n - 1n, 2n ** 64n - 1n, 2n ** 53n + 1n]) {
    assert.equal(unpackr.unpack(written((to) => to.bigInteger(value))), value)
  }
})

test('strings of every head, from bytes and from text', () => {
  for (const length of [0, 31, 32, 33, 255, 256, 65_535, 65_536]) {
    const body = Buffer.alloc(length + 2, 'x')
    const text = 'x'.repeat(length)
    assert.equal(unpackr.unpack(written((to) => to.string(body, 1, length + 1))), text)
    assert.equal(unpackr.unpack(written((to) => to.text(text))), text)
  }
})

test('a container opened before its count is known', () => {
  for (const count of [0, 15, 16, 65_535, 65_536]) {
    const list = written((to) => {
      const opened = to.open()
      for (let i = 0; i < count; i += 1) to.integer(7)
      to.closeArray(opened, count)
    })
    assert.deepEqual(unpackr.unpack(list), Array(count).fill(7))
    const head = written((to) => to.closeMap(to.open(), count))
    assert.deepEqual(
      head,
      written((to) => to.mapHead(count)),
    )
  }
})

test('any text and number, written one after the other, is read back', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.double(), fc.boolean())), (values) => {
      const bytes = written((to) => {
        for (const value of values) {
          if (typeof value === 'string') to.text(value)
          else if (typeof value === 'number') to.double(value)
          else to.boolean(value)
        }
      })
      assert.deepEqual(bytes.length === 0 ? [] : unpackr.unpackMultiple(bytes), values)
    }),
  )
})

test('what was taken is not written to again', () => {
  const to = new EntryWriter(8)
  to.text('first')
  const taken = to.take(8)
  to.text('other')
  assert.equal(unpackr.unpack(taken.subarray(0, 6)), 'first')
  assert.equal(to.length, 6)
})
