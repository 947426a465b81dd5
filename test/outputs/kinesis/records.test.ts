/** Events as records of Kinesis: text, key, limits, and many in one. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { createRecordMaker, type KinesisRecord, type RecordOptions } from '../../../outputs/kinesis/records.ts'
import { batchOf, EventTime, makeBatch } from '../../conformance/make-batch.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const makerOf = (over: Partial<RecordOptions> = {}) =>
  createRecordMaker({
    shape: 'document',
    key: 'uuid',
    newline: false,
    aggregate: false,
    recordBytes: 2 ** 20,
    sequence: { seed: 1, step: 2 },
    ...over,
  })

const textOf = ({ data }: KinesisRecord) => Buffer.from(data).toString()

test('84: the default record has time, tag, sequence and the event id, no newline, and a UUID as its key', () => {
  const { records } = makerOf()(batchOf({ log: 'a' }))
  const expected =
    '{"log":"a","@timestamp":"2026-11-20T12:00:00.123456789Z","tag":"docker.web","sequence":1,' +
    '"event_id":"AAAAAAAAAAAAAAA0.0"}'
  assert.equal(textOf(records[0]!), expected)
  assert.match(records[0]!.key, UUID)
})

test("84: fluentd's record: time in whole seconds with Z, and the tag, slashes and colons in it", () => {
  const tag = 'grid.devel/www-data/redis-test:devel/www-data/redis-test'
  const record = { container_name: '/redis', source: 'stdout', log: 'ready', container_id: 'abc' }
  const batch = makeBatch([{ tag, events: [{ time: new EventTime(1_795_176_000, 5), record }, { record: {} }] }])
  const { records } = makerOf({ shape: 'fluentd' })(batch)
  const expected = JSON.stringify({ ...record, time: '2026-11-20T12:00:00Z', tag })
  assert.deepEqual(records.map(textOf), [expected, JSON.stringify({ time: '2026-11-20T12:00:00Z', tag })])
})

test('84: newline and 32 hex digits, as later plugins wrote them', () => {
  const [record] = makerOf({ newline: true, key: 'hex' })(batchOf({ n: 1 })).records
  assert.match(textOf(record!), /\}\n$/)
  assert.match(record!.key, /^[0-9a-f]{32}$/)
})

test('84: a record is refused by the limit that is set, of 1 MiB or 10 MiB', () => {
  const batch = batchOf({ log: 'x'.repeat(2 ** 21) })
  for (const [recordBytes, taken] of [
    [2 ** 20, 0],
    [10 * 2 ** 20, 1],
  ] as const) {
    const { records, rejected } = makerOf({ recordBytes })(batch)
    assert.deepEqual([records.length, rejected.length], [taken, 1 - taken])
  }
})

test('the key can be the event id or a field; an event without the field goes where chance has it', () => {
  const batch = batchOf({ user: 'ann' }, { user: 42 }, { user: '' }, {})
  const keys = makerOf({ key: { field: 'user' } })(batch).records.map(({ key }) => key)
  assert.deepEqual(keys.slice(0, 2), ['ann', '42'])
  for (const key of keys.slice(2)) assert.match(key, UUID)
  assert.equal(makerOf({ key: 'event_id' })(batch).records[3]!.key, 'AAAAAAAAAAAAAAA0.3')
})

test('an event over the limit is refused, its neighbours are not', () => {
  const { records, rejected } = makerOf({ recordBytes: 2_000 })(batchOf({ n: 0 }, { log: 'x'.repeat(3_000) }, { n: 2 }))
  assert.deepEqual(
    records.map(({ first }) => first),
    [0, 2],
  )
  assert.deepEqual(
    rejected.map(({ index, reason }) => [index, reason]),
    [[1, 'record_too_large']],
  )
})

test('aggregated records hold each event once, neighbours only, and end with their MD5', () => {
  const sizes = [10, 20_000, 20_000, 20_000, 2_000_000, 10, 10]
  const batch = batchOf(...sizes.map((size, n) => ({ n, pad: 'x'.repeat(size) })))
  const { records, rejected } = makerOf({ aggregate: true })(batch)
  assert.deepEqual(
    rejected.map(({ index }) => index),
    [4],
  )
  const found = records.map((record) => disaggregate(record.data).map((event) => JSON.parse(event.toString()).n))
  assert.deepEqual(found, [[0, 1, 2], [3], [5, 6]])
  assert.deepEqual(
    records.map(({ first, count }) => [first, count]),
    [
      [0, 3],
      [3, 1],
      [5, 2],
    ],
  )
})

/** Reads the producer library's format. */
function disaggregate(bytes: Uint8Array): Buffer[] {
  const all = Buffer.from(bytes)
  assert.equal(all.subarray(0, 4).toString('hex'), 'f3899ac2')
  const message = all.subarray(4, -16)
  assert.deepEqual(createHash('md5').update(message).digest(), all.subarray(-16))
  return fieldsOf(message)
    .filter(({ field }) => field === 3)
    .map(({ bytes: record }) => fieldsOf(record).find(({ field }) => field === 3)!.bytes)
}

function fieldsOf(message: Buffer): { field: number; bytes: Buffer }[] {
  const fields: { field: number; bytes: Buffer }[] = []
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++]!
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < message.length) {
    const key = varint()
    const length = (key & 7) === 2 ? varint() : 0
    if ((key & 7) === 0) varint()
    fields.push({ field: key >> 3, bytes: message.subarray(at, at + length) })
    at += length
  }
  return fields
}
