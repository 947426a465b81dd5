import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { LIMITS } from '../../../../protocols/gelf/limits.ts'
import { Membership } from '../../../../protocols/gelf/peers/membership.ts'
import { chunk } from '../gelf-under-test.ts'

const { awayMs } = LIMITS.peers
const NAMES = ['one', 'two', 'three']

function membershipOf(self: string, names = NAMES, heard = true): Membership {
  const membership = new Membership(names, { self, sharedKey: 'sixteen characters', startedMs: 0 })
  if (heard) for (const member of membership.others) membership.heard(member, 0, true)
  return membership
}

const chunks = (count: number) =>
  Array.from({ length: count }, (_, i) => {
    // Half of them random, half counting up, as some senders make them.
    const id = i % 2 === 0 ? randomBytes(8) : Buffer.alloc(8)
    if (i % 2 === 1) id.writeUInt32LE(i)
    return chunk(id, 0, 2, Buffer.of(1))
  })

test('all instances agree on the owner of every id, however their lists are ordered', () => {
  const all = [membershipOf('one'), membershipOf('two', [...NAMES].reverse()), membershipOf('three')]
  for (const datagram of chunks(1_000)) {
    const owners = all.map((membership) => membership.ownerOf(datagram).name)
    assert.equal(new Set(owners).size, 1)
  }
})

test('each has about its share, of random ids and of ids that count', () => {
  const membership = membershipOf('one')
  for (const isCounted of [0, 1]) {
    const owners = new Map<string, number>()
    const some = chunks(6_000).filter((_, i) => i % 2 === isCounted)
    for (const datagram of some) {
      const { name } = membership.ownerOf(datagram)
      owners.set(name, (owners.get(name) ?? 0) + 1)
    }
    for (const name of NAMES) {
      const share = owners.get(name) ?? 0
      assert.ok(share > 850 && share < 1_150, `${name} has ${share} of 3,000`)
    }
  }
})

test('when one goes away its ids go to the others, and no other id moves', () => {
  const membership = membershipOf('one')
  const some = chunks(500)
  const before = some.map((datagram) => membership.ownerOf(datagram).name)
  membership.left(membership.others.find(({ name }) => name === 'three')!)
  for (const [i, datagram] of some.entries()) {
    const { name } = membership.ownerOf(datagram)
    if (before[i] === 'three') assert.notEqual(name, 'three')
    else assert.equal(name, before[i])
  }
})

test('who was not heard yet owns nothing, and is found missing once', () => {
  const membership = membershipOf('one', NAMES, false)
  for (const datagram of chunks(100)) assert.equal(membership.ownerOf(datagram).name, 'one')
  assert.deepEqual(membership.sweep(awayMs), [])
  assert.deepEqual(
    membership.sweep(awayMs + 1).map(({ name }) => name),
    ['three', 'two'],
  )
  assert.deepEqual(membership.sweep(awayMs + 2), [])
})

test('silence makes one away, and a word brings it back', () => {
  const membership = membershipOf('one')
  const [first, second] = membership.others
  membership.heard(first!, awayMs, true)
  membership.sweep(awayMs)
  assert.deepEqual(membership.sweep(awayMs + 1), [second])
  assert.equal(membership.heard(second!, awayMs + 2, true), 'came')
  assert.equal(membership.heard(second!, awayMs + 3, true), 'same')
  assert.deepEqual(membership.sweep(awayMs + 4), [])
})

test('who is heard and does not hear is not there', () => {
  const membership = membershipOf('one', ['one', 'two'], false)
  const [two] = membership.others
  assert.equal(membership.heard(two!, 1, false), 'same')
  assert.equal(membership.heard(two!, 2, true), 'came')
  assert.equal(membership.heard(two!, 3, false), 'went')
  for (const datagram of chunks(50)) assert.equal(membership.ownerOf(datagram).name, 'one')
})

test('an instance that was stopped itself takes nobody for away before it has read what came', () => {
  const membership = membershipOf('one')
  const later = 10 * awayMs
  assert.deepEqual(membership.sweep(later), [])
  for (const member of membership.others) membership.heard(member, later + 1, true)
  assert.deepEqual(membership.sweep(later + 2), [])
})
