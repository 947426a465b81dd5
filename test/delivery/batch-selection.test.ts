import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Batch } from '../../server/core/event.ts'
import { halve, selectEvents, singleEvents } from '../../server/delivery/batch-selection.ts'
import { idsOf, makeBatch } from '../conformance/make-batch.ts'

const events = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => ({ record: { n: from + index, text: 'x'.repeat((from + index) * 7) } }))

const batch = makeBatch([
  { tag: 'a', events: events(0, 4), position: 10, idBase: 'AAAAAAAAAAAAAAAA', idIndex: 3 },
  { tag: 'b', events: events(4, 1), position: 20 },
  { tag: 'c', events: events(5, 3) },
])

/** One event after another, as plain data. */
const flat = (of: Batch) =>
  singleEvents(
    of,
    idsOf(of).map((_, index) => index),
  ).map((event) => ({ ...event, entry: Buffer.from(event.entry).toString('hex') }))

test('neighbours stay one stream, with positions and ids as they were', () => {
  const chosen = selectEvents(batch, [1, 2, 4, 5, 7])
  assert.deepEqual(
    chosen.streams.map(({ tag, count, position, idIndex }) => [tag, count, position, idIndex]),
    [
      ['a', 2, 11, 4],
      ['b', 1, 20, 0],
      ['c', 1, 21, 0],
      ['c', 1, 23, 2],
    ],
  )
  assert.deepEqual([chosen.count, chosen.from, chosen.to], [5, 11, 24])
})

test('no memory is copied', () => {
  for (const stream of selectEvents(batch, [2, 6]).streams)
    assert.ok(batch.streams.some((original) => original.packed.buffer === stream.packed.buffer))
})

test('halves: the first the larger, both together the whole', () => {
  const odd = selectEvents(batch, [0, 2, 3, 4, 6])
  const [first, second] = halve(odd)
  assert.deepEqual([first.count, second.count], [3, 2])
  assert.deepEqual([...flat(first), ...flat(second)], flat(odd))
})

test('any selection holds exactly the events at these indexes', () => {
  const whole = flat(batch)
  const indexes = fc.subarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 1 })
  fc.assert(
    fc.property(indexes, (chosen) => {
      const selected = selectEvents(batch, chosen)
      const expected = chosen.map((index) => whole[index])
      assert.deepEqual(flat(selected), expected)
      assert.equal(selected.count, chosen.length)
      assert.equal(
        selected.bytes,
        expected.reduce((sum, event) => sum + event!.entry.length / 2, 0),
      )
    }),
  )
})
