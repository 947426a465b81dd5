import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from '../../server/config/nearest.ts'

const names = ['listen', 'shared_key', 'connection_limit', 'type']

test('the name that was probably meant', () => {
  const table: [string, string | undefined][] = [
    ['lisen', 'listen'],
    ['Listen', 'listen'],
    ['litsen', 'listen'],
    ['shared-key', 'shared_key'],
    ['connections_limit', 'connection_limit'],
    ['tpye', 'type'],
    ['colour', undefined],
    ['', undefined],
    ['x'.repeat(100_000), undefined],
  ]
  for (const [name, meant] of table) assert.equal(nearest(name, names), meant, name)
})
