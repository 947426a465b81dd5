/** What the delivery is told when SQLite or the disk fails. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'node:test'
import { SearchClient } from '../../../outputs/local/search-client.ts'
import { isDamage, toOutputError } from '../../../outputs/local/sqlite-fault.ts'
import { OutputError } from '../../../outputs/output.ts'
import { batchOf, makeBatch } from '../../conformance/make-batch.ts'
import { openStore, rememberingLog, temporaryFolder } from './local-store.ts'

function errorOf(act: () => void): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  return assert.fail('it did not fail')
}

test('a full database is tried again, and the message says where space is missing', () => {
  const db = new DatabaseSync(':memory:')
  db.exec('PRAGMA max_page_count = 4; CREATE TABLE t (b)')
  const error = errorOf(() => db.prepare('INSERT INTO t VALUES (?)').run(Buffer.alloc(100_000)))
  db.close()
  assert.equal(isDamage(error), false)
  const { fault, reason, message } = toOutputError(error, '/data/local')
  assert.deepEqual([fault, reason, message], ['retry', 'unavailable', 'no space is left on the disk of /data/local'])
})

test('a full disk is the same, whoever says it', () => {
  const error = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  assert.equal(toOutputError(error, '/d').message, 'no space is left on the disk of /d')
})

test('what only an operator can mend blocks', () => {
  for (const code of ['EACCES', 'EROFS', 'EPERM']) {
    assert.equal(toOutputError(Object.assign(new Error(code), { code }), '/d').fault, 'blocked')
  }
})

test('an event that no encoder can read is split off, and its neighbours are stored', async (t) => {
  const { store, search } = openStore(t)
  const broken = makeBatch([{ events: [{ record: { a: 1 } }, { record: Buffer.of(0x81, 0xa1, 0x61, 0xc1) }] }])
  assert.throws(
    () => store.write(broken),
    (error) => error instanceof OutputError && error.fault === 'split',
  )
  store.write(batchOf({ a: 1 }))
  assert.equal((await search.search({ text: '', limit: 9 })).hits.length, 1)
})

test('a file that is no database is damage', (t) => {
  const path = join(temporaryFolder(t), 'x.sqlite')
  writeFileSync(path, 'no database at all, but long enough to be looked at '.repeat(100))
  const error = errorOf(() => new DatabaseSync(path).prepare('SELECT * FROM t'))
  assert.equal(isDamage(error), true)
})

test('a folder that cannot be written to blocks the output; once it is mended the batch goes through', async (t) => {
  const directory = join(temporaryFolder(t), 'later', 'local')
  const { store, search } = openStore(t, { directory })
  assert.throws(
    () => store.write(batchOf({ a: 1 })),
    (error) => error instanceof OutputError && error.fault === 'blocked',
  )
  mkdirSync(directory, { recursive: true })
  store.write(batchOf({ a: 1 }))
  assert.equal((await search.search({ text: '', limit: 1 })).hits.length, 1)
})

test('a search that hangs is given up, and those behind it are not forgotten', async (t) => {
  const client = new SearchClient(temporaryFolder(t), rememberingLog(), 1)
  t.after(() => client.close())
  const answers = await Promise.allSettled([1, 2].map(() => client.search({ text: '', limit: 1 })))
  assert.deepEqual(
    answers.map((answer) => answer.status === 'rejected' && answer.reason.message),
    Array(2).fill('the search was given up: it took too long'),
  )
})
