/** What an answer of MongoDB means: a table of answers, and of what the driver throws. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { classifyAnswer, classifyFailure } from '../../../outputs/mongodb/classify.ts'
import { OutputError } from '../../../outputs/output.ts'

test('a document that is there already is done', () => {
  const writeErrors = [{ index: 1, code: 11_000, errmsg: 'E11000 duplicate key' }]
  assert.deepEqual(classifyAnswer({ writeErrors }), { rejected: [], pending: [] })
})

test('a document that breaks the rules of its collection is refused, its neighbours are not', () => {
  const writeErrors = [{ index: 2, code: 121, errmsg: 'Document failed validation' }]
  const rejected = [{ index: 2, reason: 'code_121', detail: 'Document failed validation' }]
  assert.deepEqual(classifyAnswer({ writeErrors }), { rejected, pending: [] })
})

test('a document that met a fault of the server is tried again, in order', () => {
  const writeErrors = [5, 3].map((index) => ({ index, code: 91, errmsg: 'shutdown in progress' }))
  assert.deepEqual(classifyAnswer({ writeErrors }), { rejected: [], pending: [3, 5], pendingReason: 'unavailable' })
})

test('without its write concern nothing counts as kept', () => {
  assert.throws(
    () => classifyAnswer({ writeConcernError: { errmsg: 'waiting for replication timed out' } }),
    (error) => error instanceof OutputError && error.fault === 'retry',
  )
})

const FAILURES = [
  ['a wrong password blocks', { name: 'MongoServerError', code: 18 }, 'blocked', 'blocked'],
  ['a missing right blocks', { name: 'MongoServerError', code: 13 }, 'blocked', 'blocked'],
  ['a command that is too large is split', { name: 'MongoServerError', code: 10_334 }, 'split', 'code_10334'],
  ['a server that steps down is tried again', { name: 'MongoServerError', code: 10_107 }, 'retry', 'unavailable'],
  ['no server', { name: 'MongoServerSelectionError' }, 'retry', 'network'],
  ['a lost connection', { name: 'MongoNetworkError' }, 'retry', 'network'],
  ['an answer that never came', { name: 'MongoNetworkTimeoutError' }, 'retry', 'timeout'],
  ['anything else', new Error('odd'), 'retry', 'other'],
] as const

for (const [title, error, fault, reason] of FAILURES) {
  test(`failure: ${title}`, () => {
    const found = classifyFailure(error)
    assert.deepEqual([found.fault, found.reason], [fault, reason])
  })
}
