import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readEventId } from '../../server/core/event-id.ts'

test('an event id is read in its two parts', () => {
  assert.deepEqual(readEventId('AAECAwQFBgcICQoL.258'), {
    base: Buffer.from('000102030405060708090a0b', 'hex'),
    index: 258,
  })
  assert.equal(readEventId('-_-_-_-_-_-_-_-_.4294967295')?.index, 2 ** 32 - 1)
})

test('what is no event id is none', () => {
  const texts = [
    '',
    'AAECAwQFBgcICQoL',
    'AAECAwQFBgcICQoL.',
    'AAECAwQFBgcICQo.1',
    'AAECAwQFBgcICQoLA.1',
    'AAECAwQFBgcICQo+.1',
  ]
  for (const text of [
    ...texts,
    'AAECAwQFBgcICQoL.-1',
    'AAECAwQFBgcICQoL.1e3',
    'AAECAwQFBgcICQoL.4294967296',
    'x.1\n',
  ]) {
    assert.equal(readEventId(text), undefined, text)
  }
})
