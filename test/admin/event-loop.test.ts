import assert from 'node:assert/strict'
import { test } from 'node:test'
import { watchEventLoop } from '../../server/admin/event-loop.ts'

const BLOCKED_MS = 100

/** Keeps the event loop waiting. */
const block = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCKED_MS)

test('what blocks the event loop is seen, and kept for a while', async (t) => {
  const watch = watchEventLoop()
  t.after(() => watch.close())
  // The first sample begins when its timer has run once.
  while (watch.longestSeconds() < BLOCKED_MS / 2_000) {
    await new Promise((resolve) => setTimeout(resolve, 30))
    block()
  }
  const longest = watch.longestSeconds()
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(watch.longestSeconds() >= longest)
})

test('a window after the next it is forgotten', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const watch = watchEventLoop()
  t.after(() => watch.close())
  while (watch.longestSeconds() < BLOCKED_MS / 2_000) {
    await new Promise((resolve) => setTimeout(resolve, 30))
    block()
  }
  t.mock.timers.tick(30_000)
  assert.ok(watch.longestSeconds() >= BLOCKED_MS / 2_000)
  t.mock.timers.tick(30_000)
  assert.equal(watch.longestSeconds(), 0)
})
