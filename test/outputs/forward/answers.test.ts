/** What servers send, however the reads cut it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, AnswerReader } from '../../../outputs/forward/answers.ts'
import { MalformedError } from '../../../server/core/msgpack.ts'

const hex = (text: string) => Buffer.from(text).toString('hex')
/** Ack of fluentd with the newline of its chunk ids, of others, HELO and PONG as fluentd packs them. */
const FLUENTD_CHUNK = 'VEFSVkVhNEVwbisvaHdGY09=\n'
const ACKS = `81a361636bb9${hex(FLUENTD_CHUNK)}81a361636bb8${hex('AAECAwQFBgcICQoLAAAAAAEC')}`
const HELO = `92a4${hex('HELO')}83a5${hex('nonce')}c4020102a4${hex('auth')}c4020304a9${hex('keepalive')}c3`
const PONG = `95a4${hex('PONG')}c2b3${hex('shared_key mismatch')}a0a0`
const BYTES = Buffer.from(ACKS + HELO + PONG, 'hex')
const EXPECTED: Answer[] = [
  { kind: 'ack', chunk: FLUENTD_CHUNK },
  { kind: 'ack', chunk: 'AAECAwQFBgcICQoLAAAAAAEC' },
  { kind: 'helo', nonce: Buffer.of(1, 2), auth: Buffer.of(3, 4) },
  { kind: 'pong', isWelcome: false, reason: 'shared_key mismatch', hostname: '', digest: '' },
]

test('answers cut at every place, and byte by byte, are the same', () => {
  for (let cut = 0; cut <= BYTES.length; cut += 1) {
    const reader = new AnswerReader()
    const parts = [BYTES.subarray(0, cut), BYTES.subarray(cut)].filter(({ length }) => length > 0)
    assert.deepEqual(
      parts.flatMap((part) => reader.push(Buffer.from(part))),
      EXPECTED,
    )
  }
  const reader = new AnswerReader()
  assert.deepEqual(
    [...BYTES].flatMap((byte) => reader.push(Buffer.of(byte))),
    EXPECTED,
  )
})

test('the chunk of an ack may be binary, and other keys are passed over', () => {
  const reader = new AnswerReader()
  const answers = reader.push(Buffer.from(`82a3${hex('abc')}9201c0a3${hex('ack')}c403${hex('xyz')}`, 'hex'))
  assert.deepEqual(answers, [{ kind: 'ack', chunk: 'xyz' }])
})

test('what no server sends is malformed', () => {
  for (const bytes of ['c0', '80', '81a16101', '93a4504f4e47c3a0', 'c1', '92a448454c4f80', `92a4${hex('HELP')}80`]) {
    assert.throws(() => new AnswerReader().push(Buffer.from(bytes, 'hex')), MalformedError, bytes)
  }
})

test('an answer that does not end is given up', () => {
  const reader = new AnswerReader()
  assert.deepEqual(reader.push(Buffer.from('dbffffffff', 'hex')), [])
  assert.throws(() => reader.push(Buffer.alloc(10_000)), MalformedError)
})
