import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { gunzipInto } from '../../../protocols/forward/gunzip.ts'

const TEXT = Buffer.from('one line of a log, and the next of it; '.repeat(300))
const PACKED = gzipSync(TEXT)

/** What is unpacked of it, where it fits into so many bytes. */
function unpacked(body: Uint8Array, bytes: number): Buffer | undefined {
  const into = Buffer.alloc(bytes)
  const length = gunzipInto(body, into)
  return length === undefined ? undefined : into.subarray(0, length)
}

test('a body is unpacked into memory that has a byte more than it needs, and into no less', () => {
  assert.deepEqual(unpacked(PACKED, TEXT.length + 1), TEXT)
  assert.equal(unpacked(PACKED, TEXT.length), undefined)
  assert.equal(unpacked(PACKED, 10), undefined)
})

test('several members are one body', () => {
  assert.deepEqual(unpacked(Buffer.concat([PACKED, PACKED]), 2 * TEXT.length + 1), Buffer.concat([TEXT, TEXT]))
})

test('what is cut, damaged or followed by something is not unpacked, and harms none of those behind it', () => {
  const damaged = Buffer.from(PACKED)
  damaged.writeUInt8(damaged.readUInt8(PACKED.length - 6) ^ 1, PACKED.length - 6)
  const cut = Array.from({ length: PACKED.length }, (_, length) => PACKED.subarray(0, length))
  for (const body of [damaged, ...cut, Buffer.concat([PACKED, Buffer.alloc(3)]), Buffer.concat([PACKED, TEXT])]) {
    assert.equal(unpacked(body, TEXT.length + 1_000), undefined)
    assert.deepEqual(unpacked(PACKED, TEXT.length + 1_000), TEXT)
  }
})
