import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Duplicates } from '../../buffer/duplicates.ts'

test('the last messages are found, and no more than twice as many are kept', () => {
  const duplicates = new Duplicates(10)
  for (let n = 0; n < 1_000; n += 1) {
    duplicates.remember(`message ${n}`)
    for (let back = 0; back < Math.min(n + 1, 10); back += 1) assert.ok(duplicates.find(`message ${n - back}`))
    assert.equal(duplicates.find(`message ${n - 20}`), undefined)
  }
})

test('what was not stored is forgotten, whichever generation it is in', () => {
  const duplicates = new Duplicates(2)
  for (const id of ['a', 'b', 'c']) duplicates.remember(id)
  for (const id of ['a', 'c']) {
    duplicates.forget(id)
    assert.equal(duplicates.find(id), undefined)
  }
  assert.ok(duplicates.find('b'))
})

test('a message in flight gives the promise of its group', () => {
  const duplicates = new Duplicates()
  const group = Promise.resolve()
  duplicates.remember('a', group)
  assert.equal(duplicates.find('a'), group)
})
