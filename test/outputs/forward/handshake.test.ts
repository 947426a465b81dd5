/** The client's half of the handshake: against digests that fluentd computed, and against refusals. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerReader } from '../../../outputs/forward/answers.ts'
import { ClientHandshake } from '../../../outputs/forward/handshake.ts'
import { OutputError } from '../../../outputs/output.ts'

/** Computed by Ruby with fluentd's own expressions: key `secret`, nonce 00..0f, auth 10..1f. */
const PING_DIGEST = [
  'a54fe9112dac486b14cd266c34b8e43ff15364c6ab2b554be73e2745cd5b8bf0',
  '54018aea3a3a724eedef9f13a4ea275d7cfbb16ec58c7159f2a262075d9be592',
].join('')
const PONG_DIGEST = [
  'ae64607f4e21f2f9522035385b6834f3f757999334e1afe8ed95719ff5eafd31',
  'ffcea9aaef407bfd8c6caebd09905aa242f4f4a0846a3494f4287c292d0525e2',
].join('')
const PASSWORD_DIGEST = [
  'c91118e5669affdbc553ded7061a3c3c1f015d32365150701344a75344ff9c49',
  '68347cbb2aebd7685f184cacfb7a04276ecc767afd3e376807eb390f1335d8eb',
].join('')

const hex = (text: string) => Buffer.from(text).toString('hex')
const [NONCE, AUTH] = ['000102030405060708090a0b0c0d0e0f', '101112131415161718191a1b1c1d1e1f']
const HELO = `92a4${hex('HELO')}83a5${hex('nonce')}c410${NONCE}a4${hex('auth')}c410${AUTH}a9${hex('keepalive')}c3`
/** Fluent Bit: two keys, and str. */
const HELO_STR = `92a4${hex('HELO')}82a5${hex('nonce')}b0${NONCE}a4${hex('auth')}b0${AUTH}`
const HELO_NO_AUTH = `92a4${hex('HELO')}82a5${hex('nonce')}c410${NONCE}a4${hex('auth')}c400`
const PONG = `95a4${hex('PONG')}c3a0ac${hex('server.local')}d980${hex(PONG_DIGEST)}`
const REFUSED = `95a4${hex('PONG')}c2b3${hex('shared_key mismatch')}a0a0`

const OPTIONS = {
  selfHostname: 'client.local',
  sharedKey: 'secret',
  username: 'alice',
  password: 'pa55',
  salt: '0123456789abcdef0123456789abcdef',
}
const ping = (user: string, digest: string) =>
  [
    `96a4${hex('PING')}ac${hex('client.local')}d920${hex(OPTIONS.salt)}d980${hex(PING_DIGEST)}`,
    user === '' ? 'a0a0' : `a5${hex(user)}d980${hex(digest)}`,
  ].join('')

function take(handshake: ClientHandshake, answer: string) {
  const reader = new AnswerReader()
  const [taken] = reader.push(Buffer.from(answer, 'hex')).map((it) => handshake.take(it))
  return taken instanceof Buffer ? taken.toString('hex') : taken
}

test('PING carries the digests of fluentd, and its PONG is welcome', () => {
  for (const helo of [HELO, HELO_STR]) {
    const handshake = new ClientHandshake(OPTIONS)
    assert.equal(take(handshake, helo), ping('alice', PASSWORD_DIGEST))
    assert.equal(take(handshake, PONG), 'done')
  }
})

test('where HELO brings no auth, no user is named', () => {
  assert.equal(take(new ClientHandshake(OPTIONS), HELO_NO_AUTH), ping('', ''))
})

const blocked = (words: RegExp) => (error: unknown) =>
  error instanceof OutputError && error.fault === 'blocked' && words.test(error.message)

test('a refusal blocks, with the words of the server', () => {
  const handshake = new ClientHandshake(OPTIONS)
  take(handshake, HELO)
  assert.throws(() => take(handshake, REFUSED), blocked(/shared_key mismatch/))
})

test('a server that cannot prove that it knows the key is not believed', () => {
  const handshake = new ClientHandshake({ ...OPTIONS, sharedKey: 'another' })
  take(handshake, HELO)
  assert.throws(() => take(handshake, PONG), blocked(/does not know the shared_key/))
})

test('a server of the same name is this end itself', () => {
  const handshake = new ClientHandshake({ ...OPTIONS, selfHostname: 'server.local' })
  take(handshake, HELO)
  assert.throws(() => take(handshake, PONG), blocked(/self_hostname/))
})

test('answers out of turn end the handshake', () => {
  assert.throws(() => take(new ClientHandshake(OPTIONS), PONG), OutputError)
  const handshake = new ClientHandshake(OPTIONS)
  take(handshake, HELO)
  assert.throws(() => take(handshake, HELO), OutputError)
})
