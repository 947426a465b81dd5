import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Hit, Page } from '../../server/console/src/api.ts'
import {
  arrive,
  CHARACTERS_MAX,
  canExtend,
  EMPTY_FEED,
  extend,
  type Feed,
  ROWS_MAX,
  release,
  startFeed,
} from '../../server/console/src/feed.ts'

const hit = (n: number): Hit => ({ cursor: String(n), id: String(n), time: n, tag: 't', event: {}, size: 100 })
const page = (found: readonly Hit[], next?: string): Page => ({
  hits: found,
  newest: '',
  ...(next !== undefined && { next }),
})
/** Hits first, first + 1, … in the order the tail sends them. */
const hits = (first: number, count: number) => Array.from({ length: count }, (_, index) => hit(first + index))
/** Nine of these fit into a list. */
const large = (first: number, count: number) =>
  hits(first, count).map((one) => ({ ...one, size: Math.ceil(CHARACTERS_MAX / 9.5) }))
const numbers = ({ rows }: Feed) => rows.map(({ time }) => time)
const newestFirst = (first: number, count: number) => hits(first, count).reverse()

describe('the list of events', () => {
  it('shows what arrives on top', () => {
    const feed = arrive(startFeed(page(newestFirst(1, 2))), hits(3, 2), false)
    assert.deepEqual(numbers(feed), [4, 3, 2, 1])
  })
  it('keeps what arrives while it is held, and counts it', () => {
    const held = arrive(arrive(startFeed(page(newestFirst(1, 2))), hits(3, 2), true), hits(5, 1), true)
    assert.deepEqual([numbers(held), held.freshCount], [[2, 1], 3])
    assert.deepEqual(numbers(release(held)), [5, 4, 3, 2, 1])
    assert.equal(release(held).freshCount, 0)
  })
  it('goes on with older events where the store says, until it says no more', () => {
    const first = startFeed(page(newestFirst(5, 3), '4'))
    assert.deepEqual([canExtend(first), first.older], [true, '4'])
    const second = extend(first, page(newestFirst(3, 2), undefined))
    assert.deepEqual([numbers(second), canExtend(second)], [[7, 6, 5, 4, 3], false])
    assert.equal(canExtend(EMPTY_FEED), false)
  })
  it('goes on although a page is empty, when the search was cut short', () => {
    assert.equal(canExtend(startFeed(page([], '900'))), true)
  })
  it('forgets the oldest of too many, which can be fetched again', () => {
    const full = arrive(startFeed(page([hit(0)])), hits(1, ROWS_MAX), false)
    assert.deepEqual([full.rows.length, full.rows.at(-1)!.time, full.older], [ROWS_MAX, 1, '1'])
  })
  it('has no gap after more came while it was held than it keeps', () => {
    const held = arrive(startFeed(page(newestFirst(0, 5))), hits(5, ROWS_MAX + 100), true)
    const shown = release(held)
    assert.equal(held.freshCount, ROWS_MAX + 100)
    assert.deepEqual([shown.rows[0]!.time, shown.rows.at(-1)!.time, shown.older], [ROWS_MAX + 104, 105, '105'])
  })
  it('is bounded by the size of its events too', () => {
    const feed = arrive(startFeed(page([hit(0)])), large(1, 50), false)
    assert.deepEqual([numbers(feed).length, feed.older], [9, '42'])
  })
  it('has no gap after larger events came while it was held than it keeps', () => {
    const shown = release(arrive(startFeed(page([hit(0)])), large(1, 50), true))
    assert.deepEqual([numbers(shown), shown.older], [[50, 49, 48, 47, 46, 45, 44, 43, 42], '42'])
  })
  it('shows one event however large it is', () => {
    const feed = arrive(EMPTY_FEED, [{ ...hit(1), size: CHARACTERS_MAX * 2 }], false)
    assert.deepEqual(numbers(feed), [1])
  })
  it('is full when an older page does not fit, and says where that goes on', () => {
    const feed = extend(startFeed(page(newestFirst(1_000, ROWS_MAX - 1), '1000')), page(newestFirst(998, 2), '998'))
    assert.deepEqual([feed.rows.length, feed.older, canExtend(feed)], [ROWS_MAX, '999', false])
  })
  it('never has a gap nor a repetition, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ count: fc.integer({ min: 1, max: 2_500 }), held: fc.boolean() }),
      fc.constant('release'),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        let feed = startFeed(page([hit(0)]))
        let next = 1
        for (const event of steps) {
          if (typeof event === 'string') feed = release(feed)
          else {
            // The page releases before it shows again.
            feed = arrive(event.held ? feed : release(feed), hits(next, event.count), event.held)
            next += event.count
          }
        }
        const shown = numbers(release(feed))
        assert.deepEqual(
          shown,
          Array.from({ length: shown.length }, (_, index) => next - 1 - index),
        )
      }),
      { numRuns: 50 },
    )
  })
})
