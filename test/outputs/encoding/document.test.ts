/** Documents: the record's own keys, the three beside them, and the times that cannot be. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createByteSink, emptySink } from '../../../outputs/encoding/byte-sink.ts'
import { createDocumentCursor, enterStream, readEventTime, writeDocument } from '../../../outputs/encoding/document.ts'
import type { Batch } from '../../../server/core/event.ts'
import { EventTime, makeBatch, packTime, packValue, type TimeLike } from '../../conformance/make-batch.ts'

function documentsOf(batch: Batch, sequence = { seed: 1, step: 2 }): string[] {
  const cursor = createDocumentCursor(sequence)
  const sink = createByteSink(8)
  return batch.streams.flatMap((stream) => {
    let pos = enterStream(cursor, stream)
    return Array.from({ length: stream.count }, (_, index) => {
      emptySink(sink)
      pos = writeDocument(cursor, readEventTime(cursor, pos), stream.position + index, sink)
      return Buffer.from(sink.bytes.subarray(0, sink.at)).toString()
    })
  })
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const BESIDE = '"@timestamp":"2026-11-20T12:00:00.123456789Z","tag":"t","sequence":1}'

const records: [name: string, record: string, document: string][] = [
  ['an empty map', '80', `{${BESIDE}`],
  ['an empty map16', 'de 0000', `{${BESIDE}`],
  ['a map16', 'de 0001 a161 01', `{"a":1,${BESIDE}`],
  ['a map32', 'df 00000001 a161 01', `{"a":1,${BESIDE}`],
  ['a tag of its own', '81 a3746167 01', '{"tag":1,"@timestamp":"2026-11-20T12:00:00.123456789Z","sequence":1}'],
  [
    'a sequence of its own',
    '81 a873657175656e6365 a0',
    '{"sequence":"","@timestamp":"2026-11-20T12:00:00.123456789Z","tag":"t"}',
  ],
  ['a @timestamp of its own', '81 aa4074696d657374616d70 c0', '{"@timestamp":null,"tag":"t","sequence":1}'],
  ['a tag as str8', '81 d903746167 01', '{"tag":1,"@timestamp":"2026-11-20T12:00:00.123456789Z","sequence":1}'],
  ['a @timestamp as bin8', '81 c40a4074696d657374616d70 01', '{"@timestamp":1,"tag":"t","sequence":1}'],
  [
    'a sequence as str16',
    '82 a161 01 da000873657175656e6365 02',
    '{"a":1,"sequence":2,"@timestamp":"2026-11-20T12:00:00.123456789Z","tag":"t"}',
  ],
  [
    'all three',
    '83 a3746167 01 aa4074696d657374616d70 02 a873657175656e6365 03',
    '{"tag":1,"@timestamp":2,"sequence":3}',
  ],
  ['keys that are nearly those', '82 a3746168 01 a873657175656e6366 02', `{"tah":1,"sequencf":2,${BESIDE}`],
  ['a tag within', '81 a161 81 a3746167 01', `{"a":{"tag":1},${BESIDE}`],
]
for (const [name, record, document] of records) {
  test(`a record with ${name}`, () => {
    const [first, second] = documentsOf(makeBatch([{ tag: 't', events: [{ record: hex(record) }, { record: {} }] }]))
    assert.equal(first, document)
    assert.equal(second, `{${BESIDE}`.replace('"sequence":1', '"sequence":3'), 'the next event begins at its place')
  })
}

const RECEIVED = '2026-11-20T12:00:01.000000000Z'
const times: [name: string, time: TimeLike | Uint8Array, expected: string][] = [
  ['EventTime', new EventTime(1_795_176_000, 1), '2026-11-20T12:00:00.000000001Z'],
  ['EventTime as ext8', hex('c70800 6b003640 00000002'), '2026-11-20T12:00:00.000000002Z'],
  ['EventTime of 2106', new EventTime(0xffffffff, 999_999_999), '2106-02-07T06:28:15.999999999Z'],
  ['EventTime with too many nanoseconds', new EventTime(1_795_176_000, 0xffffffff), '2026-11-20T12:00:00.999999999Z'],
  ['int32, as Docker sends it', hex('d2 6b003640'), '2026-11-20T12:00:00.000000000Z'],
  ['uint32', hex('ce 6b003640'), '2026-11-20T12:00:00.000000000Z'],
  ['int64', hex('d3 000000006b003640'), '2026-11-20T12:00:00.000000000Z'],
  ['float64', 1_795_176_000.5, '2026-11-20T12:00:00.500000000Z'],
  [
    'time with metadata',
    Buffer.concat([hex('92'), packTime(1_795_176_000), hex('80')]),
    '2026-11-20T12:00:00.000000000Z',
  ],
  ['1', 1, '1970-01-01T00:00:01.000000000Z'],
  ['the last second', 9_223_372_035, '2262-04-11T23:47:15.000000000Z'],
  ['the second after it', 9_223_372_036, RECEIVED],
  ['0', 0, RECEIVED],
  ['EventTime of 0', new EventTime(0, 7), RECEIVED],
  ['before 1970', -1, RECEIVED],
  ['milliseconds', 1_795_176_000_000, RECEIVED],
  ['the largest uint64', hex('cf ffffffffffffffff'), RECEIVED],
  ['NaN', hex('cb 7ff8000000000000'), RECEIVED],
]
for (const [name, time, expected] of times) {
  test(`the time of an event that came as ${name}`, () => {
    const [document] = documentsOf(makeBatch([{ events: [{ time, record: {} }] }]))
    assert.equal(JSON.parse(document!)['@timestamp'], expected)
  })
}

test('an entry whose array has a longer header', () => {
  const batch = makeBatch([{ events: [{ record: { n: 1 } }, { record: { n: 2 } }] }])
  const [stream] = batch.streams
  const entry = (header: string, n: number) => Buffer.concat([hex(header), packTime(5), packValue({ n })])
  const packed = Buffer.concat([entry('dc0002', 1), entry('dd00000002', 2)])
  const found = documentsOf({ ...batch, streams: [{ ...stream!, packed }] }).map((text) => JSON.parse(text))
  assert.deepEqual(
    found.map(({ n, '@timestamp': time }) => [n, time]),
    [
      [1, '1970-01-01T00:00:05.000000000Z'],
      [2, '1970-01-01T00:00:05.000000000Z'],
    ],
  )
})

test('the sequence is exact up to 2^53', () => {
  const places = [0, 9, 10, 99_999, 999_999_999, 1_000_000_000, 10 ** 15 + 7, 2 ** 53 - 2]
  for (const position of places) {
    const batch = makeBatch([{ position, events: [{ record: {} }] }])
    assert.match(documentsOf(batch, { seed: 1, step: 1 })[0]!, new RegExp(`"sequence":${position + 1}}$`))
  }
})

test('tags are escaped', () => {
  const [document] = documentsOf(makeBatch([{ tag: 'a "b"\n\u0000ż', events: [{ record: {} }] }]))
  assert.equal(JSON.parse(document!).tag, 'a "b"\n\u0000ż')
})

test('streams of different tags, times and memories follow one another', () => {
  const stream = fc.record({
    tag: fc.string({ minLength: 1, maxLength: 5 }),
    events: fc.array(
      fc.record({
        time: fc.tuple(fc.integer({ min: 1, max: 2 ** 31 }), fc.integer({ min: 0, max: 999_999_999 })),
        record: fc.dictionary(fc.string({ maxLength: 12 }), fc.oneof(fc.string(), fc.integer()), { maxKeys: 6 }),
      }),
      { minLength: 1, maxLength: 5 },
    ),
  })
  fc.assert(
    fc.property(fc.array(stream, { minLength: 1, maxLength: 5 }), (streams) => {
      const batch = makeBatch(
        streams.map(({ tag, events }) => ({
          tag,
          events: events.map(({ time: [seconds, nanoseconds], record }) => ({
            time: new EventTime(seconds, nanoseconds),
            record,
          })),
        })),
      )
      const expected = streams.flatMap(({ tag, events }) =>
        events.map(({ time: [seconds, nanoseconds], record }) => {
          const second = new Date(seconds * 1000).toISOString().slice(0, 20)
          return { '@timestamp': `${second}${String(nanoseconds).padStart(9, '0')}Z`, tag, ...record }
        }),
      )
      const found = documentsOf(batch).map((text) => JSON.parse(text))
      assert.deepEqual(
        found,
        expected.map((document, index) => ({ sequence: 1 + index * 2, ...document })),
      )
    }),
    { numRuns: 150 },
  )
})
