import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseTimeFormat, parseZone } from '../../../../server/delivery/filters/parse/time-format.ts'

const NOV = Date.UTC(2026, 10, 20, 12)
const at = (iso: string, nanoseconds = 0) => ({ seconds: Date.parse(iso) / 1000, nanoseconds })

const ROWS: readonly [format: string, text: string, expected: object | undefined][] = [
  ['iso8601', '2026-11-20T12:00:00Z', at('2026-11-20T12:00:00Z')],
  ['iso8601', '2026-11-20T12:00:00.123456789+01:00', at('2026-11-20T11:00:00Z', 123_456_789)],
  ['iso8601', '2026-11-20 12:00:00,5 -0330', at('2026-11-20T15:30:00Z', 500_000_000)],
  ['iso8601', '2026-11-20T12:00', at('2026-11-20T12:00:00Z')],
  ['iso8601', '2024-02-29T00:00:00Z', at('2024-02-29T00:00:00Z')],
  ['iso8601', '2026-02-29T00:00:00Z', undefined],
  ['iso8601', '2026-13-01T00:00:00Z', undefined],
  ['iso8601', '1969-12-31T23:59:59Z', undefined],
  ['iso8601', 'now', undefined],
  ['epoch', '1763640000.000000001', { seconds: 1_763_640_000, nanoseconds: 1 }],
  ['epoch', '-1', undefined],
  ['epoch_ms', '1763640000123.5', { seconds: 1_763_640_000, nanoseconds: 123_500_000 }],
  ['%d/%b/%Y:%H:%M:%S %z', '20/Nov/2026:12:00:00 +0100', at('2026-11-20T11:00:00Z')],
  ['%b %d %H:%M:%S', 'Nov  2 03:04:05', at('2026-11-02T03:04:05Z')],
  ['%b %d %H:%M:%S', 'Dec 31 23:59:59', at('2026-12-31T23:59:59Z')],
  ['%A, %B %e, %Y %I:%M %p', 'Friday, November 20, 2026 12:05 AM', at('2026-11-20T00:05:00Z')],
  ['%F %T.%L', '2026-11-20 12:00:00.042', at('2026-11-20T12:00:00Z', 42_000_000)],
  ['%s.%N', '1763640000.25', { seconds: 1_763_640_000, nanoseconds: 250_000_000 }],
  ['[%Y](%m)*%d', '[2026](11)*20', at('2026-11-20T00:00:00Z')],
  ['%d/%m/%y', '01/02/69', undefined],
]

for (const [format, text, expected] of ROWS) {
  test(`${format} reads ${text}`, () => {
    assert.deepEqual(parseTimeFormat(format)(text, { receivedMs: NOV, offsetMinutes: 0 }), expected)
  })
}

test('a time without a year is the nearest one, also over the turn of the year', () => {
  const read = parseTimeFormat('%b %d %H:%M:%S')
  const january = { receivedMs: Date.UTC(2027, 0, 1, 0, 0, 5), offsetMinutes: 0 }
  assert.deepEqual(read('Dec 31 23:59:59', january), at('2026-12-31T23:59:59Z'))
})

test('a time without a zone is one of `timezone`', () => {
  const offsetMinutes = parseZone('+01:00')
  assert.deepEqual(
    parseTimeFormat('iso8601')('2026-11-20T12:00:00', { receivedMs: NOV, offsetMinutes }),
    at('2026-11-20T11:00:00Z'),
  )
})

test('what toISOString writes is read back, and no text throws', () => {
  const read = parseTimeFormat('iso8601')
  const surroundings = { receivedMs: NOV, offsetMinutes: 0 }
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 * 1000 - 1 }), (ms) => {
      const { seconds, nanoseconds } = read(new Date(ms).toISOString(), surroundings)!
      assert.equal(seconds * 1000 + nanoseconds / 1e6, ms)
    }),
  )
  fc.assert(
    fc.property(fc.constantFrom(...ROWS), fc.string(), ([format], text) => {
      parseTimeFormat(format)(text, surroundings)
    }),
  )
})
