import assert from 'node:assert/strict'
import { test } from 'node:test'
import { badNetworks, createAllowList, parseNetwork, peerAddress } from '../../../protocols/listening/allow-list.ts'

test('a network is an address, with or without the number of bits that count', () => {
  assert.deepEqual(parseNetwork('10.0.0.0/8'), { address: '10.0.0.0', prefix: 8, family: 'ipv4' })
  assert.deepEqual(parseNetwork('192.0.2.7'), { address: '192.0.2.7', prefix: 32, family: 'ipv4' })
  assert.deepEqual(parseNetwork('fd00::/8'), { address: 'fd00::', prefix: 8, family: 'ipv6' })
  assert.deepEqual(parseNetwork('::1'), { address: '::1', prefix: 128, family: 'ipv6' })
  const wrong = ['', 'host', '10.0.0.0/33', '10.0.0/8', '::/129', '10.0.0.0/', 'fe80::1%eth0', '10.0.0.0/8/8']
  assert.deepEqual(
    badNetworks(wrong).map(({ index }) => index),
    wrong.map((_, index) => index),
  )
})

test('a peer is let in by its network; one without an address by none', () => {
  const list = createAllowList(['10.0.0.5/8', 'fd00::/8', '192.0.2.7'])
  const isIn = ['10.255.0.1', '11.0.0.1', 'fdff::1', 'fe80::1', '192.0.2.7', '192.0.2.8', undefined].map((address) =>
    list.has(address),
  )
  assert.deepEqual(isIn, [true, false, true, false, true, false, false])
  assert.equal(createAllowList([]).has('10.0.0.1'), false)
})

test('IPv4 within IPv6 is IPv4, and a zone is no part of the address', () => {
  const found = ['::ffff:10.0.0.1', 'fe80::1%eth0', '::1', undefined].map((remoteAddress) =>
    peerAddress({ remoteAddress }),
  )
  assert.deepEqual(found, ['10.0.0.1', 'fe80::1', '::1', undefined])
})
