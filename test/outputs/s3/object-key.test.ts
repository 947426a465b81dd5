/** Keys of objects: times, tags, what is not safe in them, and templates that are refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { objectKey, parseKey, renderStem } from '../../../outputs/s3/object-key.ts'

const SECONDS = Date.UTC(2026, 10, 5, 7, 9) / 1000

function keyOf(template: string, tag = 'docker.web', index = 0): string {
  return objectKey(renderStem(parseKey(template, 'host/1'), SECONDS, tag), index)
}

test('times are those of the window in UTC, and the index is counted', () => {
  assert.equal(keyOf('logs/%Y-%m-%d/%H_{index}.gz'), 'logs/2026-11-05/07_0.gz')
  assert.equal(keyOf('%Y%m%d%H%M_{index}', 'a', 12), '202611050709_12')
})

test('tags, their parts and the node', () => {
  assert.equal(keyOf('{tag[0]}/{tag[-1]}/{tag}/{node}/{index}'), 'docker/web/docker.web/host_1/0')
  assert.equal(keyOf('{tag[5]}/{index}'), '_/0')
})

const HOSTILE = [
  '..',
  '.',
  '../../etc',
  '/',
  'a/b',
  '',
  'a\u0000b',
  'ü',
  '{index}',
  '%Y',
  '$&',
  'a\\b',
  'x'.repeat(2_000),
]
for (const tag of HOSTILE) {
  test(`the tag ${JSON.stringify(tag.slice(0, 20))} makes no folder and takes no other key`, () => {
    const key = keyOf('logs/{tag}/{tag[0]}/{index}.gz', tag, 3)
    assert.match(key, /^logs\/[A-Za-z0-9!_.*'()-]+\/[A-Za-z0-9!_.*'()-]+\/3\.gz$/)
    for (const segment of key.split('/')) assert.ok(segment !== '.' && segment !== '..', key)
    assert.ok(Buffer.byteLength(key) <= 1_024)
  })
}

const REFUSED = [
  'logs/%Y.gz',
  '{index}{index}',
  '%q{index}',
  '{host}{index}',
  '/{index}',
  `{index}${'{tag}'.repeat(6)}`,
]
for (const template of REFUSED) {
  test(`refused: ${template}`, () => {
    assert.throws(() => parseKey(template, 'n'), /`(key|%q|\{host\})`/)
  })
}
