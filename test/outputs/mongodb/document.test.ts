/** Events as documents of MongoDB: every type, and what BSON cannot hold. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BSON } from 'mongodb'
import { createDocumentMaker } from '../../../outputs/mongodb/document.ts'
import { batchOf, EventTime, makeBatch, packValue, type RecordLike } from '../../conformance/make-batch.ts'

const TIME = new Date('2026-11-20T12:00:00.123Z')

function makerOf(shape: 'document' | 'fluentd', seed = 1) {
  const { Long, Double, Decimal128, Binary } = BSON
  return createDocumentMaker({
    shape,
    sequence: { seed, step: 2 },
    types: { Long, Double, Decimal128, Binary },
    sizeOf: (document) => BSON.serialize(document).byteLength,
  })
}

/** The document as a server would hand it back, with every number in a type of its own. */
function stored(record: RecordLike, shape: 'document' | 'fluentd' = 'document'): BSON.Document {
  const { documents, rejected } = makerOf(shape)(batchOf(record))
  assert.deepEqual(rejected, [])
  return BSON.deserialize(BSON.serialize(documents[0]!), { promoteValues: false, promoteLongs: false })
}

test('85: mongodb, the record, its time as a Date, its tag and its sequence, under the event id', () => {
  const { documents } = makerOf('document')(makeBatch([{ position: 4, events: [{ record: { log: 'a' } }] }]))
  const expected = { _id: 'AAAAAAAAAAAAAAA4.0', log: 'a', time: TIME, tag: 'docker.web', sequence: 9 }
  assert.deepEqual([...documents[0]!], Object.entries(expected))
})

test("a record's own keys win, but not its _id", () => {
  const { documents } = makerOf('document')(batchOf({ _id: 7, time: 'mine', tag: 't', sequence: 0 }))
  const expected = { _id: 'AAAAAAAAAAAAAAA0.0', time: 'mine', tag: 't', sequence: 0, record_id: 7 }
  assert.deepEqual(Object.fromEntries(documents[0]!), expected)
})

test("85: mongodb, fluentd's shape: the record and its time, which takes the place of the record's", () => {
  const { documents } = makerOf('fluentd')(batchOf({ log: 'a', time: 'mine' }))
  assert.deepEqual(Object.fromEntries(documents[0]!), { _id: 'AAAAAAAAAAAAAAA0.0', log: 'a', time: TIME })
  const bytes = [
    '3a000000',
    '025f69640013000000414141414141414141414141414141302e3000',
    '026c6f6700020000006100',
    '0974696d65007bead3f8a101000000',
  ]
  assert.equal(Buffer.from(BSON.serialize(documents[0]!)).toString('hex'), bytes.join(''))
})

test('integers keep every digit', () => {
  const numbers = { small: -5, int32: 2_147_483_647, uint32: 4_294_967_295, low: -(2n ** 63n), huge: 2n ** 64n - 1n }
  const document = stored(numbers)
  assert.deepEqual(
    Object.keys(numbers).map((key) => `${document[key]._bsontype} ${document[key]}`),
    ['Int32 -5', 'Int32 2147483647', 'Long 4294967295', 'Long -9223372036854775808', 'Decimal128 18446744073709551615'],
  )
})

test('a float stays one, and what is no number becomes null', () => {
  const whole = Buffer.concat([
    Buffer.of(0x82, 0xa1, 0x78, 0xcb),
    doubleBytes(3),
    Buffer.of(0xa1, 0x79, 0xcb),
    doubleBytes(Number.NaN),
  ])
  const document = stored(whole)
  assert.equal(document.x._bsontype, 'Double')
  assert.equal(document.y, null)
})

function doubleBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value)
  return bytes
}

test('keys are data, whatever they are called', () => {
  const record = new Map<string, unknown>([
    ['__proto__', 1],
    ['_bsontype', 'ObjectId'],
    ['$set', 2],
    ['a.b', 3],
    ['', 4],
  ])
  const { documents } = makerOf('document')(batchOf(packValue(new Map([['nested', record]]))))
  assert.deepEqual(documents[0]!.get('nested'), record)
})

test('bytes that are text become text, others stay bytes, times become dates', () => {
  const eventTime = Buffer.from('d7006553f1001dcd6500', 'hex')
  const record = Buffer.concat([Buffer.from('83a174c40568656c6c6fa162c402ff00a165', 'hex'), eventTime])
  const document = stored(record)
  assert.equal(document.t, 'hello')
  assert.deepEqual(Buffer.from(document.b.buffer), Buffer.of(0xff, 0))
  assert.deepEqual(document.e, new Date(0x6553f100 * 1000 + 500))
})

test('an event whose key holds a NUL, or that is too large, is refused and its neighbours are not', () => {
  const many = new Array(1_500_000).fill(1)
  const { documents, indexes, rejected } = makerOf('document')(
    batchOf({ n: 0 }, { 'a\0b': 1 }, { many }, { long: 'x'.repeat(17 * 2 ** 20) }, { n: 4 }),
  )
  assert.equal(documents.length, 2)
  assert.deepEqual(indexes, [0, 4])
  assert.deepEqual(
    rejected.map((it) => [it.index, it.reason]),
    [1, 2, 3].map((index) => [index, 'no_document']),
  )
})

test('a time that was not sent is the time of receipt', () => {
  const receivedMs = Date.UTC(2026, 10, 20, 9, 8, 7, 6)
  const { documents } = makerOf('document')(
    makeBatch([{ receivedMs, events: [{ time: new EventTime(0, 0), record: {} }] }]),
  )
  assert.deepEqual(documents[0]!.get('time'), new Date(receivedMs))
})
