import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Frames } from '../../../protocols/gelf/frames.ts'

const OVER = 'too large'

function framesOf(pieces: readonly Buffer[], limit = 1_000): string[] {
  const frames = new Frames(limit)
  const found: string[] = []
  const take = () => found.push(frames.isOversize ? OVER : frames.bytes.toString('latin1', frames.start, frames.end))
  for (const piece of pieces) {
    frames.push(piece)
    while (frames.next()) take()
    assert.ok(frames.heldBytes <= limit)
  }
  if (frames.rest()) take()
  return found
}

test('frames cut at every byte, and byte by byte, are the same', () => {
  const bytes = Buffer.from('\0\0first\0\0\0second, longer\0third without end')
  const expected = ['first', 'second, longer', 'third without end']
  assert.deepEqual(framesOf([...bytes].map((byte) => Buffer.of(byte))), expected)
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    assert.deepEqual(framesOf([bytes.subarray(0, cut), bytes.subarray(cut)]), expected)
  }
})

test('what is over the limit is found as such, however it is cut, and the next frame is taken', () => {
  const bytes = Buffer.from('12345678\x00123456789\x0012\x001234567890')
  const expected = ['12345678', OVER, '12', OVER]
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    assert.deepEqual(framesOf([bytes.subarray(0, cut), bytes.subarray(cut)], 8), expected)
  }
  assert.deepEqual(
    framesOf(
      [...bytes].map((byte) => Buffer.of(byte)),
      8,
    ),
    expected,
  )
})

test('any frames in any pieces', () => {
  const frame = fc.string({ minLength: 1, maxLength: 30 }).map((text) => text.replaceAll('\0', 'x'))
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 40 })), (texts, sizes) => {
      const bytes = Buffer.from(texts.map((text) => `${text}\0`).join(''), 'latin1')
      const pieces: Buffer[] = []
      for (let at = 0; at < bytes.length; at += pieces.at(-1)!.length) {
        pieces.push(bytes.subarray(at, at + (sizes[pieces.length % Math.max(sizes.length, 1)] ?? bytes.length)))
      }
      assert.deepEqual(
        framesOf(pieces),
        texts.map((text) => Buffer.from(text, 'latin1').toString('latin1')),
      )
    }),
  )
})
