import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type Envelope,
  isAuthentic,
  KINDS,
  nameDigest,
  pairKey,
  readEnvelope,
  sealEnvelope,
} from '../../../../protocols/gelf/peers/envelope.ts'

const KEY = pairKey('a key of sixteen or more', 'one', 'two')
const ENVELOPE: Envelope = {
  kind: KINDS.chunk,
  from: nameDigest('one'),
  session: 0xdeadbeef,
  sequence: 7,
  sentMs: Date.UTC(2026, 10, 25, 12),
  sender: '192.168.100.100',
  chunk: Buffer.from('1e0f0123456789abcdef0002616263', 'hex'),
}

test('what is sealed reads as it was, and is authentic under its key alone', () => {
  const bytes = sealEnvelope(ENVELOPE, KEY)
  assert.deepEqual(readEnvelope(bytes), ENVELOPE)
  assert.ok(isAuthentic(bytes, KEY))
  const others = [
    pairKey('a key of sixteen or mor', 'one', 'two'),
    pairKey('a key of sixteen or more', 'two', 'one'),
    pairKey('a key of sixteen or more', 'one', 'three'),
  ]
  for (const other of others) assert.ok(!isAuthentic(bytes, other))
})

test('a chunk of Docker with its envelope goes through Ethernet in one piece', () => {
  const bytes = sealEnvelope({ ...ENVELOPE, chunk: Buffer.alloc(1_420) }, KEY)
  assert.equal(bytes.length, 1_500 - 20 - 8)
})

test('cut at any place, or with any bit changed, it is not authentic, or no envelope', () => {
  const bytes = sealEnvelope(ENVELOPE, KEY)
  const isTaken = (changed: Buffer) => readEnvelope(changed) !== undefined && isAuthentic(changed, KEY)
  for (let length = 0; length < bytes.length; length += 1) assert.ok(!isTaken(bytes.subarray(0, length)))
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    assert.ok(!isTaken(changed), `bit ${bit}`)
  }
  assert.ok(!isTaken(Buffer.concat([bytes, Buffer.of(0)])))
})

test('signs of life have neither sender nor chunk', () => {
  const here = { ...ENVELOPE, kind: KINDS.here, sender: '', chunk: Buffer.alloc(0) }
  assert.deepEqual(readEnvelope(sealEnvelope(here, KEY)), here)
  assert.equal(readEnvelope(sealEnvelope({ ...here, chunk: Buffer.of(1) }, KEY)), undefined)
  assert.equal(readEnvelope(sealEnvelope({ ...here, kind: KINDS.chunk }, KEY)), undefined)
})

test('any bytes whatever are read without a throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(1, 2, 3, 4, 5), (rest, kind) => {
      const bytes = Buffer.concat([Buffer.of(0x4c, kind), rest])
      const envelope = readEnvelope(bytes)
      if (envelope !== undefined) assert.ok(!isAuthentic(bytes, KEY))
    }),
  )
})
