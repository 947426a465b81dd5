/** The pure parts of the kafka buffer: records, cuts, coordinates, and up to where a partition is done. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unpackMultiple } from 'msgpackr'
import { DoneRanges } from '../../../buffer/done-ranges.ts'
import { withCoordinates } from '../../../buffer/kafka/coordinates.ts'
import { cutStream } from '../../../buffer/kafka/cut-stream.ts'
import { Partition } from '../../../buffer/kafka/partition.ts'
import { EVENTS_MAX, type Header, headersOf, labelOf, positionOf } from '../../../buffer/kafka/record.ts'
import { entry, numbersIn, stream } from '../harness.ts'

test('a label comes back from its headers, and what is none is told', () => {
  const part = {
    ...stream(0, 3),
    packed: entry(0),
    idBase: Buffer.alloc(12, 7),
    idIndex: 40,
    receivedMs: 1_795_180_000_000,
  }
  const headers = [...headersOf(part)].map(([key, value]): Header => [Buffer.from(key), value])
  const expected = { tag: 'app.web', count: 3, idBase: 'BwcHBwcHBwcHBwcH', idIndex: 40, receivedMs: 1_795_180_000_000 }
  assert.deepEqual(labelOf(headers), expected)
  assert.equal(labelOf(headers.slice(1)), undefined)
  assert.equal(labelOf([...headers, [Buffer.from('count'), Buffer.from('1e9')]]), undefined)
})

test('positions rise within a partition and differ between partitions', () => {
  const all = [0n, 1n, 2n].flatMap((offset) => [0, 1, 255].map((id) => positionOf(id, offset)))
  assert.deepEqual(
    [...new Set(all)].sort((a, b) => a - b),
    all,
  )
  assert.ok(positionOf(0, 1n) >= positionOf(0, 0n) + EVENTS_MAX)
})

test('a stream is cut at whole entries, by number and by size', () => {
  const { packed, count } = stream(0, 3_000) as { packed: Uint8Array; count: number }
  const cuts = cutStream(packed, count, 1_000_000)
  assert.deepEqual(
    cuts.map((cut) => cut.count),
    [1_024, 1_024, 952],
  )
  assert.deepEqual(
    cuts.flatMap((cut) => numbersIn(cut.packed)),
    numbersIn(packed),
  )
  assert.deepEqual(
    cutStream(packed, count, 50)
      .slice(0, 2)
      .map((cut) => cut.count),
    [2, 2],
  )
  assert.throws(() => cutStream(packed, count, 20), { code: 'LB-B005' })
})

test('coordinates become the first key of each record, and all else stays', () => {
  const packed = Buffer.concat([entry(1, 5), entry(2)])
  const out = withCoordinates(packed, 2, 'kafka', { topic: 'logs', partition: 3, offset: 99 })
  const plain = JSON.parse(
    JSON.stringify(unpackMultiple(out), (_, value) => (typeof value === 'bigint' ? Number(value) : value)),
  )
  const where = { topic: 'logs', partition: 3, offset: 99 }
  assert.deepEqual(plain, [
    [1, { kafka: { ...where, index: 0 }, n: 1, pad: 'xxxxx' }],
    [2, { kafka: { ...where, index: 1 }, n: 2, pad: '' }],
  ])
})

test('the offset of a partition waits for the first record that is not done', () => {
  const partition = new Partition('logs', 0, 10n)
  const done = new DoneRanges(0)
  partition.handOut(0, 2_000, 11n)
  partition.handOut(2_000, 2_005, 12n)
  partition.handOut(2_010, 2_011, 13n)
  done.add(2_000, 2_011)
  partition.settle(done)
  assert.equal(partition.doneOffset, 10n)
  done.add(0, 2_000)
  partition.settle(done)
  assert.equal(partition.doneOffset, 13n)
})
