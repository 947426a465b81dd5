import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRounds } from '../../server/delivery/rounds.ts'

test('a change ends the round, and runs between it and the next', async () => {
  const rounds = createRounds('search')
  const signal = rounds.begin()
  const journal: string[] = []
  const change = rounds.whileIdle(async () => journal.push('changed'))
  assert.deepEqual([signal.aborted, journal], [true, []])
  await rounds.end()
  assert.equal(await change, 1)
  assert.equal(rounds.begin().aborted, false)
})

test('what comes between two rounds ends the next at once', async () => {
  const rounds = createRounds('search')
  rounds.begin()
  await rounds.end()
  const change = rounds.whileIdle(async () => 'late')
  assert.equal(rounds.begin().aborted, true)
  await rounds.end()
  assert.equal(await change, 'late')
})

test('a change that throws is its own matter; after the last round there is none', async () => {
  const rounds = createRounds('search')
  rounds.begin()
  const failing = rounds.whileIdle(() => Promise.reject(new Error('no')))
  const next = rounds.whileIdle(async () => 'yes')
  failing.catch(() => {})
  await rounds.end()
  await assert.rejects(failing, /no/)
  assert.equal(await next, 'yes')
  const waiting = rounds.whileIdle(async () => {})
  rounds.close()
  await assert.rejects(waiting, { code: 'LB-P002' })
  await assert.rejects(
    rounds.whileIdle(async () => {}),
    { code: 'LB-P002', message: 'output `search` cannot be asked now' },
  )
})
