import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DoneRanges } from '../../buffer/done-ranges.ts'

const range = fc.tuple(fc.nat(40), fc.nat(8))

test('whatever is added in whatever order, it is the set of positions that it should be', () => {
  fc.assert(
    fc.property(fc.nat(10), fc.array(range, { maxLength: 30 }), range, (cursor, added, [from, length]) => {
      const done = new DoneRanges(cursor)
      const set = new Set(Array.from({ length: cursor }, (_, position) => position))
      for (const [start, count] of added) {
        done.add(start, start + count)
        for (let position = start; position < start + count; position++) set.add(position)
      }
      let expected = 0
      while (set.has(expected)) expected++
      assert.equal(done.cursor, expected)
      assert.equal(done.eventsBeyond, [...set].filter((position) => position >= expected).length)
      done.ranges.forEach((it, index) => {
        assert.ok(it.from > (index === 0 ? done.cursor : done.ranges[index - 1]!.to) && it.to > it.from)
      })
      const asked = Array.from({ length }, (_, index) => from + index)
      const open = asked.filter((position) => !set.has(position))
      const gaps = done.gaps(from, from + length).flatMap((gap) => {
        return Array.from({ length: gap.to - gap.from }, (_, index) => gap.from + index)
      })
      assert.deepEqual(gaps, open)
      assert.equal(
        done.areBefore(from),
        [...set].every((position) => position < from || position < expected) && from >= expected,
      )
    }),
  )
})
