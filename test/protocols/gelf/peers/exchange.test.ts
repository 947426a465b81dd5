/** Instances without sockets: what one sends is what the others are given, when the test says so. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMITS } from '../../../../protocols/gelf/limits.ts'
import { KINDS, nameDigest, pairKey, sealEnvelope } from '../../../../protocols/gelf/peers/envelope.ts'
import { PeerExchange } from '../../../../protocols/gelf/peers/exchange.ts'
import { type Member, Membership } from '../../../../protocols/gelf/peers/membership.ts'
import { createDoorbell } from '../../../../protocols/listening/doorbell.ts'
import type { InputContext } from '../../../../protocols/protocol.ts'
import type { Logger } from '../../../../server/core/log.ts'
import { createInputStats, type RejectReason } from '../../../../server/core/metrics.ts'
import { chunk } from '../gelf-under-test.ts'

const KEY = 'sixteen characters'
const ADDRESSES: Readonly<Record<string, string>> = { one: '10.0.0.1', two: '10.0.0.2', three: '10.0.0.3' }

interface Sent {
  readonly from: string
  readonly to: string
  readonly bytes: Buffer
}

/** One network and one time for all. */
class Network {
  readonly wire: Sent[] = []
  nowMs = 1_000_000
  fault: string | undefined
  /** What this one sends gets lost. */
  muted: string | undefined

  join(name: string, names: readonly string[] = ['one', 'two'], sharedKey = KEY) {
    const stats = createInputStats()
    const warnings: string[] = []
    const warn = (_: object, message: string) => warnings.push(message)
    const log: Logger = { debug() {}, info() {}, warn, error: warn, child: () => log }
    const clock = { now: () => this.nowMs, monotonic: () => this.nowMs, sleep: async () => {} }
    const taken: { chunk: Buffer; sender: string }[] = []
    const changes: string[] = []
    const exchange = new PeerExchange({
      membership: new Membership(names, { self: name, sharedKey, startedMs: this.nowMs }),
      doorbell: createDoorbell({ name: 'gelf', log, clock, stats } as unknown as InputContext),
      ...{ stats, now: clock.now, monotonic: clock.monotonic },
      send: (to, bytes) => {
        if (this.fault === undefined) this.wire.push({ from: name, to: to.name, bytes })
        return this.fault
      },
      isAddressOf: (member: Member, address: string) => ADDRESSES[member.name] === address,
      take: (chunk, sender) => taken.push({ chunk, sender }),
      changed: (member, isPresent) => changes.push(`${member.name} ${isPresent ? 'came' : 'went'}`),
    })
    return { name, exchange, stats, warnings, taken, changes }
  }

  /** Lets the time go by in which one hears nothing. */
  silence({ exchange }: { readonly exchange: PeerExchange }): void {
    for (let passed = 0; passed <= LIMITS.peers.awayMs; passed += LIMITS.peers.beatMs) {
      this.nowMs += LIMITS.peers.beatMs
      exchange.beat()
    }
  }

  /** Carries what was sent until nothing more is. @returns how many there were. */
  deliver(instances: readonly ReturnType<Network['join']>[]): number {
    let count = 0
    for (let sent = this.wire.shift(); sent !== undefined; sent = this.wire.shift(), count += 1) {
      if (sent.from === this.muted) continue
      instances.find(({ name }) => name === sent.to)?.exchange.receive(Buffer.from(sent.bytes), ADDRESSES[sent.from]!)
    }
    return count
  }
}

function pair() {
  const network = new Network()
  const [one, two] = [network.join('one'), network.join('two')]
  const all = [one, two]
  one.exchange.beat()
  network.deliver(all)
  const rejected = (reason: RejectReason) => two.stats.rejected[reason]
  return { network, one, two, all, rejected }
}

/** Chunks of as many messages as it takes, until one is not the instance's own. */
function handOnOne({ exchange }: ReturnType<Network['join']>, length = 100): Buffer {
  for (let i = 0; ; i += 1) {
    const id = Buffer.alloc(8)
    id.writeUInt32BE(i)
    const datagram = chunk(id, 0, 2, Buffer.alloc(length, i))
    if (exchange.handOn(datagram, '172.16.0.9')) return datagram
  }
}

test('one word is enough that both know of each other', () => {
  const { one, two } = pair()
  assert.deepEqual([one.changes, two.changes], [['two came'], ['one came']])
})

test('a chunk of another comes to it with the address of its sender, once, and is counted at both ends', () => {
  const { network, one, two, all } = pair()
  const datagram = handOnOne(one)
  assert.equal(network.deliver(all), 1, 'it is not handed on again')
  assert.deepEqual(two.taken, [{ chunk: datagram, sender: '172.16.0.9' }])
  assert.deepEqual(
    [one.stats.peerChunks, two.stats.peerChunks],
    [
      { handed_on: 1, received: 0 },
      { handed_on: 0, received: 1 },
    ],
  )
})

test('alone it owns every message', () => {
  const { exchange } = new Network().join('one')
  for (let i = 0; i < 100; i += 1)
    assert.equal(exchange.handOn(chunk(Buffer.alloc(8, i), 0, 2, Buffer.of(1)), 'x'), false)
})

test('what is sent again by whoever saw it is stale', () => {
  const { network, one, two, all, rejected } = pair()
  handOnOne(one)
  const seen = network.wire[0]!.bytes
  network.deliver(all)
  two.exchange.receive(Buffer.from(seen), ADDRESSES.one!)
  assert.deepEqual([two.taken.length, rejected('stale')], [1, 1])
  network.nowMs += LIMITS.peers.freshMs + 1
  network.join('two').exchange.receive(Buffer.from(seen), ADDRESSES.one!)
  two.exchange.receive(Buffer.from(seen), ADDRESSES.one!)
  assert.deepEqual([two.taken.length, rejected('stale')], [1, 2])
})

test('forged, changed, meant for another, or from a wrong address: nothing is taken, and each is counted', () => {
  const { network, one, two, rejected } = pair()
  handOnOne(one)
  const { bytes } = network.wire[0]!
  const changed = Buffer.from(bytes)
  changed[40]! ^= 1
  two.exchange.receive(changed, ADDRESSES.one!)
  assert.equal(rejected('bad_signature'), 1)

  const forged = { kind: KINDS.chunk, from: nameDigest('one'), session: 1, sequence: 1, sentMs: network.nowMs }
  const body = { sender: '10.9.9.9', chunk: chunk(Buffer.alloc(8), 0, 2, Buffer.of(1)) }
  const receive = (key: string, from: string, to: string) =>
    two.exchange.receive(sealEnvelope({ ...forged, ...body }, pairKey(key, from, to)), ADDRESSES.one!)
  receive('another key, as long', 'one', 'two')
  receive(KEY, 'one', 'three')
  // Its own, sent back.
  receive(KEY, 'two', 'one')
  assert.equal(rejected('bad_signature'), 4)

  two.exchange.receive(Buffer.from(bytes), '10.0.0.66')
  const stranger = sealEnvelope({ ...forged, ...body, from: nameDigest('four') }, pairKey(KEY, 'four', 'two'))
  two.exchange.receive(stranger, ADDRESSES.one!)
  assert.equal(rejected('unknown_peer'), 2)

  for (const garbage of [Buffer.alloc(0), Buffer.from('hello'), bytes.subarray(0, 30), body.chunk]) {
    two.exchange.receive(garbage, ADDRESSES.one!)
  }
  assert.equal(rejected('malformed'), 4)
  assert.deepEqual(two.taken, [])
  assert.ok(two.warnings.every((text) => !text.includes(KEY)))
  // The true one is taken all the same.
  two.exchange.receive(Buffer.from(bytes), ADDRESSES.one!)
  assert.equal(two.taken.length, 1)
})

test('forged words move nothing: who is there stays there', () => {
  const { network, two } = pair()
  const leaving = { kind: KINDS.leaving, from: nameDigest('one'), session: 9, sequence: 0, sentMs: network.nowMs + 1 }
  const bytes = sealEnvelope({ ...leaving, sender: '', chunk: Buffer.alloc(0) }, pairKey('wrong', 'one', 'two'))
  two.exchange.receive(bytes, ADDRESSES.one!)
  assert.deepEqual(two.changes, ['one came'])
})

test('who falls silent owns nothing any more, and what it was sent since its last word counts as lost', () => {
  const { network, one } = pair()
  handOnOne(one)
  handOnOne(one)
  network.wire.length = 0
  network.silence(one)
  network.wire.length = 0
  assert.deepEqual(one.changes, ['two came', 'two went'])
  assert.equal(one.stats.rejected.peer_unreachable, 2)
  assert.match(one.warnings.join('\n'), /chunks for `two`.*may be lost: nothing was heard of it/)
  for (let i = 0; i < 50; i += 1) {
    assert.equal(one.exchange.handOn(chunk(Buffer.alloc(8, i), 0, 2, Buffer.of(1)), 'x'), false)
  }
  const again = network.join('two')
  again.exchange.beat()
  network.deliver([one, again])
  assert.deepEqual(one.changes, ['two came', 'two went', 'two came'])
  handOnOne(one)
  assert.equal(one.stats.rejected.peer_unreachable, 2)
})

test('where but one direction comes through, nothing is handed on, and both say so', () => {
  const { network, one, two } = pair()
  handOnOne(one)
  network.muted = 'one'
  for (let beats = 0; beats < 5; beats += 1) {
    network.nowMs += LIMITS.peers.beatMs
    for (const { exchange } of [one, two]) exchange.beat()
    network.deliver([one, two])
  }
  assert.deepEqual(
    [one.changes, two.changes],
    [
      ['two came', 'two went'],
      ['one came', 'one went'],
    ],
  )
  for (let i = 0; i < 50; i += 1) {
    assert.equal(one.exchange.handOn(chunk(Buffer.alloc(8, i), 0, 2, Buffer.of(1)), 'x'), false)
  }
})

test('who leaves says so, and nothing is lost with it', () => {
  const { network, one, two, all } = pair()
  two.exchange.leave()
  network.deliver(all)
  assert.deepEqual(one.changes, ['two came', 'two went'])
  network.silence(one)
  assert.equal(one.stats.rejected.peer_unreachable, 0)
})

test('an instance that starts again is known at once, and what its former self was sent counts as lost', () => {
  const { network, one } = pair()
  handOnOne(one)
  network.wire.length = 0
  network.nowMs += 10
  const again = network.join('two')
  again.exchange.beat()
  network.deliver([one, again])
  assert.deepEqual(again.changes, ['one came'])
  assert.equal(one.stats.rejected.peer_unreachable, 1)
  handOnOne(again)
  network.deliver([one, again])
  assert.equal(one.taken.length, 1)
  assert.equal(one.stats.rejected.stale, 0)
})

test('what the network refuses, and what is too large for it, is counted and stays with nobody', () => {
  const { network, one } = pair()
  network.fault = 'chunks come faster than the network takes them'
  handOnOne(one)
  assert.deepEqual([one.stats.rejected.peer_unreachable, one.stats.peerChunks.handed_on], [1, 0])
  network.fault = undefined
  handOnOne(one, LIMITS.peers.chunkBytes)
  assert.equal(one.stats.rejected.peer_unreachable, 2)
})

test('three instances: each chunk goes to one owner, whichever it came to', () => {
  const network = new Network()
  const names = ['one', 'two', 'three']
  const all = names.map((name) => network.join(name, names))
  for (const { exchange } of all) exchange.beat()
  network.deliver(all)
  for (let i = 0; i < 60; i += 1) {
    const id = Buffer.alloc(8, i)
    const owners = all.map(({ name, exchange }) => {
      const isAway = exchange.handOn(chunk(id, 0, 2, Buffer.of(1)), 'x')
      return isAway ? network.wire.pop()!.to : name
    })
    assert.equal(new Set(owners).size, 1)
  }
})
