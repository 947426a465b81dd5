import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LIMITS } from '../../../../protocols/gelf/limits.ts'
import { ReplayWindow } from '../../../../protocols/gelf/peers/replay-window.ts'

const { freshMs, replayWindow } = LIMITS.peers
const NOW = 1_000_000

test('each sequence of a session is taken once, in whatever order near ones come', () => {
  const steps = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 300 })
  fc.assert(
    fc.property(steps, (sequences) => {
      const window = new ReplayWindow()
      const seen = new Set<number>()
      for (const sequence of sequences) {
        assert.equal(window.accept(1, sequence, NOW, NOW), !seen.has(sequence))
        seen.add(sequence)
      }
    }),
  )
})

test('it is right over its whole width, and what is older than the window is refused', () => {
  const window = new ReplayWindow()
  assert.ok(window.accept(1, 0, NOW, NOW))
  assert.ok(window.accept(1, replayWindow - 1, NOW, NOW))
  assert.ok(window.accept(1, 1, NOW, NOW))
  assert.ok(!window.accept(1, 0, NOW, NOW))
  assert.ok(window.accept(1, replayWindow + 1, NOW, NOW))
  assert.ok(!window.accept(1, 1, NOW, NOW), 'out of the window')
  assert.ok(window.accept(1, 2, NOW, NOW))
  assert.ok(window.accept(1, 10 * replayWindow, NOW, NOW))
  assert.ok(window.accept(1, 9 * replayWindow + 1, NOW, NOW))
  assert.ok(!window.accept(1, 9 * replayWindow, NOW, NOW))
})

test('what is too old, or from a clock too far ahead, is refused', () => {
  const window = new ReplayWindow()
  assert.ok(window.accept(1, 0, NOW - freshMs, NOW))
  assert.ok(window.accept(1, 1, NOW + freshMs, NOW))
  assert.ok(!window.accept(1, 2, NOW - freshMs - 1, NOW))
  assert.ok(!window.accept(1, 3, NOW + freshMs + 1, NOW))
})

test('a new session begins at 0, and the one before never comes back', () => {
  const window = new ReplayWindow()
  assert.ok(window.accept(1, 500, NOW, NOW))
  assert.ok(window.accept(2, 0, NOW + 1, NOW))
  assert.ok(!window.accept(1, 501, NOW, NOW))
  assert.ok(!window.accept(3, 0, NOW + 1, NOW), 'not later than the one before')
  assert.ok(window.accept(2, 1, NOW + 1, NOW))
})
