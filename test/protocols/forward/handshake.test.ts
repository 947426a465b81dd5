import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { type Demand, Handshake } from '../../../protocols/forward/handshake.ts'
import { keyDigest, passwordDigest } from '../../../server/core/forward-digest.ts'
import { array, bin8, header, map, nil, str, str16 } from './encoding.ts'

const nonce = Buffer.from(Array.from({ length: 16 }, (_, i) => i))
const auth = Buffer.from(Array.from({ length: 16 }, (_, i) => 16 + i))
const HEX_SALT = Buffer.from('0123456789abcdef0123456789abcdef')
const RAW_SALT = Buffer.alloc(16, 0xff)
const client = Buffer.from('client.local')

/** Computed by Ruby with fluentd's own expressions: key `secret`. */
const PING_HEX = [
  'a54fe9112dac486b14cd266c34b8e43ff15364c6ab2b554be73e2745cd5b8bf0',
  '54018aea3a3a724eedef9f13a4ea275d7cfbb16ec58c7159f2a262075d9be592',
].join('')
const PONG_HEX = [
  'ae64607f4e21f2f9522035385b6834f3f757999334e1afe8ed95719ff5eafd31',
  'ffcea9aaef407bfd8c6caebd09905aa242f4f4a0846a3494f4287c292d0525e2',
].join('')
const PING_RAW = [
  '0a1641dff23d008b34cfac5d7d1ceac7afd7b5b4e50ea1fc5732088de4d2367d',
  '116cd0b3f3c2800287f67187d27a9a7620e4b0c2465ca7d20096267f02345bd5',
].join('')
const PASSWORD = [
  'c91118e5669affdbc553ded7061a3c3c1f015d32365150701344a75344ff9c49',
  '68347cbb2aebd7685f184cacfb7a04276ecc767afd3e376807eb390f1335d8eb',
].join('')

const KEY_ONLY: Demand = { sharedKey: 'secret', users: undefined }
const WITH_USERS: Demand = { sharedKey: 'secret', users: new Map([['alice', 'pa55']]) }

function start(demand: Demand | undefined = KEY_ONLY, more: { keepalive?: boolean; selfHostname?: string } = {}) {
  const options = { selfHostname: 'server.local', keepalive: true, peer: '10.0.0.4', ...more }
  return new Handshake({ ...options, demand, nonce, auth })
}

const ping = (salt: Uint8Array, digest: string, user: Uint8Array = str(''), password: Uint8Array = str('')) =>
  array(str('PING'), str(client), salt, str(digest), user, password)
const good = ping(str(HEX_SALT), PING_HEX)

const refusal = (reason: string) => array(str('PONG'), Buffer.of(0xc2), str(reason), str(''), str(''))
const welcome = array(str('PONG'), Buffer.of(0xc3), str(''), str('server.local'), str(PONG_HEX))

function verdict(handshake: Handshake, bytes: Uint8Array) {
  const verdict = handshake.push(bytes)
  assert.ok(verdict !== 'more')
  return verdict
}

test('the digests are those of fluentd', () => {
  const own = { hostname: client, nonce, sharedKey: 'secret' }
  assert.equal(keyDigest({ ...own, salt: HEX_SALT }), PING_HEX)
  assert.equal(keyDigest({ ...own, salt: RAW_SALT }), PING_RAW)
  assert.equal(keyDigest({ ...own, salt: HEX_SALT, hostname: Buffer.from('server.local') }), PONG_HEX)
  assert.equal(passwordDigest({ auth, username: Buffer.from('alice'), password: 'pa55' }), PASSWORD)
})

test('HELO, byte for byte', () => {
  const options = { nonce: bin8(nonce), auth: bin8(auth) }
  const expected = (keepalive: number) => array(str('HELO'), map({ ...options, keepalive: Buffer.of(keepalive) }))
  assert.deepEqual(start().helo, expected(0xc3))
  assert.deepEqual(start(KEY_ONLY, { keepalive: false }).helo, expected(0xc2))
})

const ACCEPTED: Record<string, Uint8Array> = {
  'a salt in hex, as fluentd': good,
  'a salt of raw bytes in a str, as fluent-bit': ping(str(RAW_SALT), PING_RAW),
  'a salt of raw bytes in a bin, as IBM for Go': ping(bin8(RAW_SALT), PING_RAW),
  'user and password that nobody asked for': ping(str(HEX_SALT), PING_HEX, str('bob'), str('x')),
  'every item in a longer header': array(
    ...['PING', client, HEX_SALT, PING_HEX, '', ''].map((item) => str16(item as string)),
  ),
  'an array with a long header': Buffer.concat([header(0xdc, 2, 6), good.subarray(1)]),
}
for (const [name, bytes] of Object.entries(ACCEPTED)) {
  test(`PING is taken with ${name}, cut anywhere`, () => {
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const handshake = start()
      const parts = [bytes.subarray(0, cut), Buffer.concat([bytes.subarray(cut), str('behind')])]
      const first = cut === 0 ? 'more' : handshake.push(parts[0]!)
      const { refusal, rest } = first === 'more' ? verdict(handshake, parts[1]!) : first
      assert.equal(refusal, undefined)
      assert.deepEqual(rest, first === 'more' ? str('behind') : Buffer.alloc(0))
    }
  })
}

test('PONG proves the key, in one piece of less than 1 KiB', () => {
  const { pong } = verdict(start(), good)
  assert.deepEqual(pong, welcome)
  assert.ok(pong.length < 1024)
})

test('a client of our own name is told another', () => {
  const { pong } = verdict(start(KEY_ONLY, { selfHostname: 'client.local' }), good)
  const [, isIn, , host, digest] = new Unpackr({ useRecords: false }).unpack(pong) as [string, boolean, ...string[]]
  assert.deepEqual([isIn, host], [true, 'logboom.client.local'])
  const own = { salt: HEX_SALT, hostname: Buffer.from(host!), nonce, sharedKey: 'secret' }
  assert.equal(digest, keyDigest(own))
})

test('an empty key is a key', () => {
  const empty = { sharedKey: '', users: undefined }
  const digest = keyDigest({ salt: HEX_SALT, hostname: client, nonce, sharedKey: '' })
  assert.equal(verdict(start(empty), ping(str(HEX_SALT), digest)).refusal, undefined)
  assert.equal(verdict(start(empty), good).refusal, 'key')
})

const NOT_PING: Record<string, Uint8Array> = {
  'five items': array(str('PING'), str(client), str(HEX_SALT), str(PING_HEX), str('')),
  'seven items': array(str('PING'), str(client), str(HEX_SALT), str(PING_HEX), str(''), str(''), str('')),
  'another word': array(str('PONG'), str(client), str(HEX_SALT), str(PING_HEX), str(''), str('')),
  'a number for a salt': ping(Buffer.of(7), PING_HEX),
  'nil for a user': ping(str(HEX_SALT), PING_HEX, nil),
  'a map': map({ PING: nil }),
  'nil, the heartbeat': nil,
  'a number': Buffer.of(1),
  'the byte that is never used': Buffer.of(0x96, 0xc1),
  'an event': array(str('tag'), Buffer.of(1), map({})),
  'more than may come': Buffer.concat([Buffer.of(0x96), str('PING'), str16('x'.repeat(9_000))]),
  'a length of 4 GiB': Buffer.concat([Buffer.of(0x96), str('PING'), header(0xdb, 4, 0xffffffff)]),
  'a count of 4 billion': header(0xdd, 4, 0xffffffff),
}
for (const [name, bytes] of Object.entries(NOT_PING)) {
  test(`no PING: ${name}`, () => {
    const { pong, refusal: why, rest } = verdict(start(), bytes)
    assert.deepEqual([pong, why, rest.length], [refusal('invalid ping message'), 'ping', 0])
  })
}

test('the reasons are those of fluentd', () => {
  const wrongKey = ping(str(HEX_SALT), PONG_HEX)
  const alice = (digest: string) => ping(str(HEX_SALT), PING_HEX, str('alice'), str(digest))
  const bob = ping(str(HEX_SALT), PING_HEX, str('bob'), str(PASSWORD))
  const rows: [Demand | undefined, Uint8Array, string | undefined][] = [
    [KEY_ONLY, wrongKey, 'shared_key mismatch'],
    [KEY_ONLY, ping(str(HEX_SALT), PING_HEX.toUpperCase()), 'shared_key mismatch'],
    [KEY_ONLY, ping(str(HEX_SALT), PING_HEX.slice(0, -1)), 'shared_key mismatch'],
    [KEY_ONLY, ping(str(HEX_SALT), ''), 'shared_key mismatch'],
    [WITH_USERS, alice(PASSWORD), undefined],
    [WITH_USERS, alice(PING_HEX), 'username/password mismatch'],
    [WITH_USERS, alice(''), 'username/password mismatch'],
    [WITH_USERS, bob, 'username/password mismatch'],
    [WITH_USERS, good, 'username/password mismatch'],
    [{ ...WITH_USERS, users: new Map() }, alice(PASSWORD), 'username/password mismatch'],
    [WITH_USERS, wrongKey, 'shared_key mismatch'],
  ]
  for (const [demand, bytes, reason] of rows) {
    assert.deepEqual(verdict(start(demand), bytes).pong, reason === undefined ? welcome : refusal(reason), reason)
  }
  const options = { selfHostname: 'server.local', keepalive: true, peer: '10.0.0.4', demand: undefined, nonce, auth }
  const { pong } = verdict(new Handshake(options), good)
  assert.deepEqual(pong, refusal("anonymous source host '10.0.0.4' denied"))
})

test('a user without a password that is known does not pass with the digest of an empty one', () => {
  const empty = passwordDigest({ auth, username: Buffer.from('bob'), password: '' })
  assert.equal(verdict(start(WITH_USERS), ping(str(HEX_SALT), PING_HEX, str('bob'), str(empty))).refusal, 'user')
})

test('no bytes but the right ones pass', () => {
  fc.assert(
    fc.property(fc.nat({ max: good.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = Buffer.from(good)
      bytes[at]! ^= flip
      const verdict = start().push(bytes)
      if (verdict === 'more') return
      assert.equal(verdict.refusal === undefined, false, `byte ${at} xor ${flip}`)
    }),
  )
})
