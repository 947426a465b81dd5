/** Which positions are remembered, and for how long they are passed over. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { POSITIONS_MAX, RANGES_MAX, ReadAgain, StagedPositions } from '../../../outputs/s3/staged-positions.ts'
import { batchOf, makeBatch } from '../../conformance/make-batch.ts'

test('neighbours become one range, others do not', () => {
  const staged = new StagedPositions()
  staged.add([0, 5, 7, 9])
  staged.add([9, 12])
  staged.add([3, 4])
  assert.deepEqual(staged.ranges, [0, 5, 7, 12, 3, 4])
})

test('ranges and events are bounded, the newest stay', () => {
  const staged = new StagedPositions()
  for (let n = 0; n < RANGES_MAX + 10; n += 1) staged.add([n * 2, n * 2 + 1])
  assert.equal(staged.ranges.length, RANGES_MAX * 2)
  assert.equal(staged.ranges[0], 20)
  staged.add([10 ** 9, 10 ** 9 + POSITIONS_MAX])
  assert.deepEqual(staged.ranges, [10 ** 9, 10 ** 9 + POSITIONS_MAX])
})

test('what a start found is asked for, each position rightly', () => {
  const ranges = [40, 50, 5, 7, 7, 9, 20, 21]
  const asked = new ReadAgain(ranges, () => 0).question(batchOf({}))!
  const held = Array.from({ length: 60 }, (_, position) => position).filter(asked)
  assert.deepEqual(held, [5, 6, 7, 8, 20, ...Array.from({ length: 10 }, (_, n) => 40 + n)])
})

test('nothing found, nothing asked', () => {
  assert.equal(new ReadAgain([], () => 0).question(batchOf({})), undefined)
})

test('a minute after the reader has passed it, it is staged again: a replay', () => {
  let now = 0
  const found = new ReadAgain([0, 10], () => now)
  const before = makeBatch([{ position: 0, events: [{ record: {} }] }])
  const behind = makeBatch([{ position: 10, events: [{ record: {} }] }])
  now = 1_000_000
  assert.notEqual(found.question(before), undefined)
  assert.notEqual(found.question(behind), undefined)
  now += 59_999
  assert.notEqual(found.question(before), undefined, 'an event that a filter held back')
  now += 1
  assert.equal(found.question(before), undefined)
})
