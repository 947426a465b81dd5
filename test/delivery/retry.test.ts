import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffMs, RETRY_AFTER_MOST_MS, RETRY_LEAST_MS } from '../../server/delivery/retry.ts'

const ALMOST_ONE = 1 - Number.EPSILON

const TABLE: readonly [failures: number, random: number, retryAfterMs: number | undefined, wait: number][] = [
  [1, 0, undefined, RETRY_LEAST_MS],
  [1, ALMOST_ONE, undefined, 1_000],
  [2, ALMOST_ONE, undefined, 2_000],
  [3, 0.5, undefined, 2_025],
  [6, ALMOST_ONE, undefined, 32_000],
  [7, ALMOST_ONE, undefined, 60_000],
  [5_000, ALMOST_ONE, undefined, 60_000],
  [5_000, 0, undefined, RETRY_LEAST_MS],
  [0, ALMOST_ONE, undefined, 1_000],
  [1, 0, 5_000, 5_000],
  [7, ALMOST_ONE, 5_000, 60_000],
  [1, 0, 86_400_000, RETRY_AFTER_MOST_MS],
  [1, 0, -5, RETRY_LEAST_MS],
  [1, 0, Number.NaN, RETRY_LEAST_MS],
  [1, 0, Number.POSITIVE_INFINITY, RETRY_LEAST_MS],
]

for (const [failures, random, retryAfterMs, wait] of TABLE)
  test(`failure ${failures}, draw ${random}, retry after ${retryAfterMs}: ${wait} ms`, () => {
    assert.equal(
      backoffMs(failures, () => random, { retryAfterMs }),
      wait,
    )
  })

test('the doubling ends at the interval that is set, and what is asked for may be longer', () => {
  const wait = (failures: number, retryAfterMs?: number) =>
    backoffMs(failures, () => ALMOST_ONE, { retryAfterMs, mostMs: 5_000 })
  assert.deepEqual([wait(1), wait(3), wait(4), wait(90), wait(1, 9_000)], [1_000, 4_000, 5_000, 5_000, 9_000])
})
