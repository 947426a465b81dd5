/** The load of shards: what a window has seen, and nothing of the one before. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ShardLoad, WINDOW_MS } from '../../../outputs/kinesis/shard-load.ts'
import type { Clock } from '../../../server/core/clock.ts'
import { OutputStats } from '../../../server/core/output-stats.ts'

/** A clock on which a window ends when the test says so. */
function steppedClock(): Clock & { endWindow(): Promise<void> } {
  let now = 0
  let wake = () => {}
  return {
    now: () => now,
    monotonic: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        signal?.addEventListener('abort', () => resolve(), { once: true })
        wake = () => {
          now += ms
          resolve()
        }
      }),
    endWindow: async () => {
      wake()
      await new Promise((resolve) => setImmediate(resolve))
    },
  }
}

test('the busiest shard by records or bytes, how many there are, and what all took', async () => {
  const clock = steppedClock()
  const stats = new OutputStats()
  const load = new ShardLoad({ clock, stats })
  const seconds = WINDOW_MS / 1_000
  for (let i = 0; i < 500 * seconds; i += 1) load.took('shardId-0', 100)
  for (let i = 0; i < 7 * seconds; i += 1) load.took('shardId-1', 100_000)
  await clock.endWindow()
  const gauges = () => [stats.get('shards'), stats.get('busiestShard')]
  assert.deepEqual(gauges(), [2, 0.7])
  assert.deepEqual([stats.get('records'), stats.get('bytes')], [507 * seconds, 750_000 * seconds])
  load.took('shardId-2', 1)
  await clock.endWindow()
  assert.deepEqual(gauges(), [1, 1 / seconds / 1_000], 'a shard that was closed is not among them')
  await clock.endWindow()
  assert.deepEqual(gauges(), [1, 0], 'where nothing is written, none is busy')
  load.close()
})
