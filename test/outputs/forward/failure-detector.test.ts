/** The phi detector and the state of a server, with a clock in hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FailureDetector } from '../../../outputs/forward/failure-detector.ts'
import { ServerState } from '../../../outputs/forward/server-state.ts'

const SECOND = 1_000

test('phi is that of fluentd: time over the mean gap, in powers of ten', () => {
  const detector = new FailureDetector(SECOND, 0)
  for (let beat = 1; beat <= 20; beat += 1) detector.add(beat * SECOND)
  assert.equal(detector.samples, 21)
  assert.equal(detector.phi(21 * SECOND), 1 / Math.LN10)
  // 16, the default, is passed when 36.8 intervals are.
  assert.ok(detector.phi(56 * SECOND) < 16)
  assert.ok(detector.phi(57 * SECOND) > 16)
})

test('late gaps weigh more, and irregular heartbeats are waited for longer', () => {
  const detector = new FailureDetector(SECOND, 0)
  detector.add(1_000)
  detector.add(4_000)
  // Gaps 1 s, 1 s, 3 s with the weights 1, 2, 3.
  assert.equal(detector.phi(8_000), 4_000 / (12_000 / 6) / Math.LN10)
})

test('other intervals are brought to those of a second', () => {
  const detector = new FailureDetector(100, 0)
  for (let beat = 1; beat <= 5; beat += 1) detector.add(beat * 100)
  assert.ok(Math.abs(detector.phi(1_600) - 2 / Math.LN10) < 1e-9)
})

test('at most a thousand gaps are kept, and a cleared detector suspects nobody', () => {
  const detector = new FailureDetector(SECOND, 0)
  for (let beat = 1; beat <= 2_000; beat += 1) detector.add(beat * SECOND)
  assert.equal(detector.samples, 1_000)
  detector.clear()
  assert.equal(detector.phi(10_000 * SECOND), 0)
})

const OPTIONS = {
  weight: 60,
  standby: false,
  heartbeatMs: SECOND,
  hardTimeoutMs: 60 * SECOND,
  recoverWaitMs: 10 * SECOND,
  phiThreshold: 16,
}

/** Heartbeats from second `from` to `to`; @returns the seconds at which the server was back. */
function beats(state: ServerState, from: number, to: number): number[] {
  const back: number[] = []
  for (let second = from; second <= to; second += 1) if (state.beat(second * SECOND)) back.push(second)
  return back
}

/** @returns the second of the first news between `from` and `to`. */
function firstNews(state: ServerState, from: number, to: number): [number, string] | undefined {
  for (let second = from; second <= to; second += 1) {
    const news = state.tick(second * SECOND)
    if (news !== undefined) return [second, news]
  }
  return undefined
}

test('a server without heartbeats is lost by phi, or else after hard_timeout', () => {
  for (const [phiThreshold, expected] of [[16, 47] as const, [undefined, 71] as const]) {
    const state = new ServerState({ ...OPTIONS, phiThreshold }, 0)
    beats(state, 1, 10)
    assert.deepEqual(firstNews(state, 11, 200), [expected, 'lost'])
    assert.equal(state.isAvailable, false)
  }
})

test('it is back after recover_wait of heartbeats', () => {
  const state = new ServerState(OPTIONS, 0)
  assert.equal(state.lost(5 * SECOND, false), true)
  assert.equal(state.lost(6 * SECOND, false), false)
  assert.deepEqual(beats(state, 10, 40), [20])
  assert.equal(state.isAvailable, true)
})

test('heartbeats before a silence of hard_timeout do not count towards it', () => {
  const state = new ServerState(OPTIONS, 0)
  state.lost(0, false)
  beats(state, 1, 9)
  firstNews(state, 10, 80)
  assert.deepEqual(beats(state, 81, 100), [91])
})

test('a server that kept silent is known to have, until it is back', () => {
  const state = new ServerState(OPTIONS, 0)
  state.lost(0, true)
  assert.equal(state.wasSilent, true)
  beats(state, 1, 11)
  assert.deepEqual([state.isAvailable, state.wasSilent], [true, false])
})

test('one that does its work is back at once', () => {
  const state = new ServerState(OPTIONS, 0)
  assert.equal(state.worked(), false)
  state.lost(0, true)
  assert.equal(state.worked(), true)
  assert.equal(state.isAvailable, true)
})

test('without heartbeats a lost server is tried again after recover_wait', () => {
  const state = new ServerState({ ...OPTIONS, heartbeatMs: undefined }, 0)
  assert.equal(firstNews(state, 1, 500), undefined)
  state.lost(500 * SECOND, false)
  assert.deepEqual(firstNews(state, 501, 600), [510, 'back'])
})
