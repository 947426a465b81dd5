import assert from 'node:assert/strict'
import { test } from 'node:test'
import { skipTarget } from '../../server/delivery/lag.ts'

/** Four parts of 100 bytes and 10 events, begun a minute apart. */
const parts = [0, 1, 2, 3].map((n) => ({ from: n * 10, bytes: 100, createdMs: n * 60_000 }))
const NOW = 200_000
const target = (cursor: number, limit: { bytes?: number; ageMs?: number }) =>
  skipTarget(parts, { cursor, nowMs: NOW, limit: { bytes: limit.bytes, ageMs: limit.ageMs } })

test('so many parts are skipped that the rest is within the limit', () => {
  assert.equal(target(0, { bytes: 400 }), undefined)
  assert.equal(target(0, { bytes: 399 }), 10)
  assert.equal(target(5, { bytes: 200 }), 20)
  assert.equal(target(20, { bytes: 200 }), undefined, 'what is passed does not count')
})

test('the part that is being written is never skipped', () => {
  assert.equal(target(0, { bytes: 1 }), 30)
  assert.equal(target(30, { bytes: 1, ageMs: 1 }), undefined)
  assert.equal(skipTarget([], { cursor: 0, nowMs: NOW, limit: { bytes: 1, ageMs: undefined } }), undefined)
})

test('a part is too old when the next one was begun that long ago', () => {
  assert.equal(target(0, { ageMs: 140_000 }), undefined)
  assert.equal(target(0, { ageMs: 139_999 }), 10)
  assert.equal(target(0, { ageMs: 50_000 }), 20)
  assert.equal(target(0, { ageMs: 50_000, bytes: 150 }), 30, 'the first limit that is reached counts')
})
