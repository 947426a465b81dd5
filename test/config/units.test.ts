import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  DURATION_PATTERN,
  formatDuration,
  formatSize,
  isLoopback,
  parseAddress,
  parseDuration,
  parseSize,
  SIZE_PATTERN,
} from '../../server/config/units.ts'
import { formatAddress } from '../../server/core/address.ts'

test('durations and sizes become base units', () => {
  assert.deepEqual(
    ['500ms', '10s', '5m', '1h', '7d'].map(parseDuration),
    [500, 10_000, 300_000, 3_600_000, 604_800_000],
  )
  assert.deepEqual(['512KiB', '16MiB', '2GiB', '7', '7B'].map(parseSize), [524_288, 16_777_216, 2_147_483_648, 7, 7])
  assert.equal(parseSize(12), 12)
})

test('what is written short and exact reads back the same', () => {
  fc.assert(
    fc.property(fc.nat({ max: 999_999_999_999 }), (value) => {
      const [duration, size] = [formatDuration(value), formatSize(value)]
      assert.match(duration, DURATION_PATTERN)
      assert.match(size, SIZE_PATTERN)
      assert.deepEqual([parseDuration(duration), parseSize(size)], [value, value])
    }),
  )
  assert.deepEqual([formatDuration(90_000), formatSize(1_536)], ['90s', '1536B'])
})

test('addresses', () => {
  const table = [
    ['127.0.0.1:24224', { host: '127.0.0.1', port: 24224 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    [':24224', { host: '0.0.0.0', port: 24224 }],
    ['[::1]:5', { host: '::1', port: 5 }],
    ['[::g]:5', undefined],
    ['a:65536', undefined],
    ['unix:/run/log.sock', { path: '/run/log.sock' }],
    [`unix:/${'a'.repeat(107)}`, undefined],
  ] as const
  for (const [text, address] of table) assert.deepEqual(parseAddress(text), address, text)
  for (const text of ['[::1]:5', '127.0.0.1:1', 'unix:/run/log.sock']) {
    assert.equal(formatAddress(parseAddress(text)!), text)
  }
})

test('only this machine reaches a loopback address', () => {
  assert.deepEqual(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].map(isLoopback), [true, true, true, true])
  assert.deepEqual(['0.0.0.0', '::', '10.0.0.1', '127.evil.com'].map(isLoopback), [false, false, false, false])
})
