import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EventRecord } from '../../../server/delivery/filters/event-record.ts'
import { fieldName, parseFieldPath } from '../../../server/delivery/filters/field-path.ts'
import { packText, packValue, stringBytes, textOf } from '../../../server/delivery/filters/packed-value.ts'
import { packValue as pack } from '../../conformance/make-batch.ts'

const KEYS = ['a', 'b', 'c', 'd', 'é', 'a long key that needs a header of its own, since it has more than 31 bytes']
const key = fc.constantFrom(...KEYS)
/** Packed values, among them some that no JavaScript value is. */
const value = fc.constantFrom(
  ...['01', 'cf0fffffffffffffff', 'a2ff80', 'c403010203', 'd70000000001000000ff', 'c0', '93010203', '81a178c3'].map(
    (hex) => Uint8Array.from(Buffer.from(hex, 'hex')),
  ),
)
const edit = fc.oneof(
  fc.record({ act: fc.constant('set' as const), key, value }),
  fc.record({ act: fc.constant('remove' as const), key }),
  fc.record({ act: fc.constant('rename' as const), key, to: key }),
  fc.record({ act: fc.constant('keep' as const), keys: fc.subarray(KEYS, { minLength: 1 }) }),
)
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never

const hexOf = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex')

/** The slow and plain way: a list of keys and values. */
function editList(list: [string, Uint8Array][], it: Edit): [string, Uint8Array][] {
  if (it.act === 'keep') return list.filter(([name]) => it.keys.includes(name))
  if (it.act === 'remove') return list.filter(([name]) => name !== it.key)
  const last = list.findLastIndex(([name]) => name === it.key)
  const isOther = ([name]: [string, Uint8Array], index: number) => name !== it.key || index === last
  if (it.act === 'set') {
    if (last === -1) return [...list, [it.key, it.value]]
    return list.map(([name, old], at): [string, Uint8Array] => [name, at === last ? it.value : old]).filter(isOther)
  }
  if (last === -1 || it.key === it.to) return list
  const renamed = list.filter(isOther).filter(([name]) => name !== it.to)
  return renamed.map(([name, old]): [string, Uint8Array] => [name === it.key ? it.to : name, old])
}

function packList(list: readonly [string, Uint8Array][]): Buffer {
  const head = list.length < 16 ? [0x80 | list.length] : [0xde, 0, list.length]
  return Buffer.concat([Buffer.from(head), ...list.flatMap(([name, bytes]) => [packText(name), bytes])])
}

function apply(record: EventRecord, it: Edit): void {
  if (it.act === 'set') record.set([fieldName(it.key)], it.value)
  else if (it.act === 'remove') record.remove([fieldName(it.key)])
  else if (it.act === 'rename') record.rename(fieldName(it.key), fieldName(it.to))
  else record.keep(it.keys.map(fieldName))
}

test('whatever is changed in whatever order, it is what a plain list would be, byte for byte', () => {
  const record = new EventRecord()
  const list = fc.array(fc.tuple(key, value), { maxLength: 20 })
  fc.assert(
    fc.property(list, fc.array(edit, { maxLength: 8 }), (start, edits) => {
      const bytes = packList(start)
      const memory = Buffer.concat([Buffer.of(1, 2, 3), bytes, Buffer.of(4)])
      record.load(memory, 3, 3 + bytes.length)
      for (const it of edits) apply(record, it)
      const expected = edits.reduce(editList, start)
      assert.equal(Buffer.from(record.pack()).toString('hex'), packList(expected).toString('hex'))
      for (const name of KEYS) {
        const found = expected.findLast(([it]) => it === name)?.[1]
        assert.equal(hexOf(record.get([fieldName(name)])), hexOf(found))
      }
    }),
    { numRuns: 500 },
  )
})

test('a path goes within maps, makes those that are missing, and leaves their neighbours as they are', () => {
  const record = new EventRecord()
  const bytes = pack({ a: { b: { c: 1, d: 2n ** 63n } }, x: 'y' })
  record.load(bytes, 0, bytes.length)
  const path = (text: string) => parseFieldPath(text)
  assert.equal(textOf(record.get(path('$.a.b.d'))), '9223372036854775808')
  assert.equal(record.get(path('$.x.y')), undefined)
  record.remove(path("$['a']['b'].c"))
  record.set(path('$.n.m'), packValue(true))
  record.remove(path('$.a.none'))
  const expected = pack({ a: { b: { d: 2n ** 63n } }, x: 'y', n: { m: true } })
  assert.equal(Buffer.from(record.pack()).toString('hex'), Buffer.from(expected).toString('hex'))
})

test('names that are none are refused', () => {
  for (const text of ['', '$.', '$.a..b', '$[a]', "$['a"]) assert.throws(() => parseFieldPath(text), text)
  assert.deepEqual(
    parseFieldPath('a.b').map(({ text }) => text),
    ['a.b'],
  )
})

test('strings of every size keep their bytes', () => {
  for (const length of [0, 31, 32, 255, 256, 65_535, 65_536]) {
    const packed = packText('x'.repeat(length))
    assert.equal(stringBytes(packed)?.length, length)
    assert.deepEqual(Buffer.from(packed), Buffer.from(pack('x'.repeat(length))))
  }
})
