/** Lines of the manifest: written, cut at every byte, damaged. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  decodeManifest,
  encodeLine,
  type ManifestLine,
  type Part,
  partsOf,
} from '../../../outputs/s3/manifest-format.ts'

const part = (id: number, bytes: number, object?: Part['object']): Part => ({
  id,
  stem: 'logs/ü_{index}.gz',
  windowStart: 1_795_176_000,
  compression: 'gzip',
  dueMs: 1_795_179_660_000,
  bytes,
  events: bytes / 10,
  ...(object === undefined ? {} : { object }),
})

const LINES: readonly ManifestLine[] = [
  { parts: [part(1, 10), part(2, 20)], positions: [0, 3] },
  { parts: [part(1, 50)], positions: [3, 9, 12, 13] },
  { parts: [part(1, 50, { id: 'one', index: 0 })] },
  { stored: [1] },
]
const encoded = LINES.map(encodeLine)

test('cut at every byte, the whole lines before the cut count and no other', () => {
  const bytes = Buffer.concat(encoded)
  const ends = encoded.map((_, n) => Buffer.concat(encoded.slice(0, n + 1)).length)
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const { lines, end, damaged } = decodeManifest(bytes.subarray(0, cut))
    const whole = ends.filter((it) => it <= cut)
    assert.deepEqual(lines, LINES.slice(0, whole.length))
    assert.equal(end, whole.at(-1) ?? 0)
    assert.equal(damaged, 0)
  }
})

test('a byte that changes spoils its line alone', () => {
  for (let at = 0; at < encoded[1]!.length - 1; at += 1) {
    const spoilt = Buffer.from(encoded[1]!)
    spoilt[at]! ^= 1
    const { lines, damaged } = decodeManifest(Buffer.concat([encoded[0]!, spoilt, ...encoded.slice(2)]))
    assert.deepEqual(lines, [LINES[0], LINES[2], LINES[3]])
    assert.ok(damaged >= 1)
  }
})

test('the parts are as the last line says, and those that are stored are gone', () => {
  assert.deepEqual([...partsOf(LINES.slice(0, 2)).values()], [part(1, 50), part(2, 20)])
  assert.deepEqual([...partsOf(LINES).values()], [part(2, 20)])
})
