/** Index names from patterns and times. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIndexPattern, renderIndexName } from '../../../outputs/elasticsearch/index-name.ts'

const TIME = Date.UTC(2026, 1, 3, 4, 5, 6) / 1000

const names: [pattern: string, name: string][] = [
  ['logstash-%Y.%m.%d', 'logstash-2026.02.03'],
  ['a-%y%m%d.%H', 'a-260203.04'],
  ['a-%Y.%j', 'a-2026.034'],
  ['logs-docker-default', 'logs-docker-default'],
  ['Logs-%Y', 'logs-2026'],
  ['_-+a', 'a'],
  ['a b/c\\d*e?f"g<h>i|j,k#l:m', 'a_b_c_d_e_f_g_h_i_j_k_l_m'],
]
for (const [pattern, name] of names) {
  test(`${pattern} is ${name}`, () => assert.equal(renderIndexName(parseIndexPattern(pattern), TIME), name))
}

for (const pattern of ['', '.', '..', '---', 'a-%q', 'a-%', 'a-%%', 'x'.repeat(256), 'ü'.repeat(128)]) {
  test(`not a name: ${pattern.slice(0, 10)}`, () => assert.throws(() => parseIndexPattern(pattern), /index/))
}

test('a name holds for an hour, a day or for good', () => {
  const periods = ['a-%H', 'a-%d', 'a'].map((pattern) => parseIndexPattern(pattern).period)
  assert.deepEqual(periods.slice(0, 2), [3_600, 86_400])
  assert.ok(periods[2]! > 1e12)
})

test('every day of 1970 to 2262 has the name that Date gives it', () => {
  const pattern = parseIndexPattern('%Y-%m-%d')
  for (let day = 0; day < 106_000; day++) {
    const expected = new Date(day * 86_400_000).toISOString().slice(0, 10)
    if (renderIndexName(pattern, day * 86_400 + 86_399) !== expected) assert.fail(expected)
  }
})
