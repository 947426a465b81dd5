/** Two inputs on real sockets, and the chunks of each message spread over them as a balancer does. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { GatherEntries } from '../../../../protocols/encoding/gather-entries.ts'
import { protocol } from '../../../../protocols/gelf/gelf.ts'
import { GelfIntake } from '../../../../protocols/gelf/intake.ts'
import type { PeersConfig } from '../../../../protocols/gelf/peers/peer-fields.ts'
import { freeUdpPorts } from '../../../services/launchers/server-process.ts'
import {
  chunk,
  chunksOf,
  DEFAULTS,
  eventually,
  gelf,
  type RunningGelf,
  startGelf,
  udpSender,
} from '../gelf-under-test.ts'

const KEY = 'sixteen characters'

async function memberConfigs(names: readonly string[], host = '127.0.0.1'): Promise<PeersConfig[]> {
  const ports = await freeUdpPorts(names.length)
  const members = names.map((name, i) => ({ name, host, port: ports[i]! }))
  return members.map(({ name, port }) => ({
    members,
    self: name,
    listen: { host: '127.0.0.1', port },
    shared_key: KEY,
  }))
}

async function hasIpv6(): Promise<boolean> {
  const socket = createSocket('udp6')
  const bound = await new Promise<boolean>((resolve) =>
    socket.once('error', () => resolve(false)).bind(0, '::1', () => resolve(true)),
  )
  socket.close()
  return bound
}

/** Resolves when each has heard the others. */
async function startAll(names: readonly string[], options: Parameters<typeof startGelf>[0] = {}) {
  const configs = await memberConfigs(names)
  const inputs: RunningGelf[] = []
  for (const peers of configs) inputs.push(await startGelf({ ...options, peers }))
  await eventually(() => inputs.every(({ infos }) => infos.length >= names.length - 1))
  return inputs
}

/** Sends each datagram to the next one. */
async function balancer(inputs: readonly RunningGelf[]) {
  const senders = await Promise.all(inputs.map(({ port }) => udpSender(port)))
  let turn = 0
  return async (...datagrams: readonly Buffer[]) => {
    for (const datagram of datagrams) await senders[turn++ % senders.length]!(datagram)
  }
}

const textsOf = (inputs: readonly RunningGelf[]) =>
  inputs.flatMap(({ events }) => events.map(({ record }) => String(record.full_message)))
const rejectedOf = (inputs: readonly RunningGelf[]) =>
  inputs.flatMap(({ stats }) => Object.entries(stats.rejected).filter(([, count]) => count > 0))

test('messages whose chunks are split over two instances come whole, once, at their owners', async () => {
  const inputs = await startAll(['one', 'two'])
  const send = await balancer(inputs)
  const sent: string[] = []
  for (let i = 0; i < 60; i += 1) {
    const full_message = `${i} ${randomBytes(3_000).toString('base64')}`
    sent.push(full_message)
    const plain = gelf({ full_message })
    await send(...chunksOf(i % 2 === 0 ? plain : gzipSync(plain), 1_408, randomBytes(8)))
    const count = () => inputs.reduce((sum, { events }) => sum + events.length, 0)
    if (i % 10 === 9) await eventually(() => count() === sent.length)
  }
  assert.deepEqual(textsOf(inputs).sort(), sent.sort())
  assert.ok(
    inputs.every(({ events }) => events.length > 10),
    'both own some',
  )
  const [one, two] = inputs.map(({ stats }) => stats.peerChunks)
  assert.deepEqual([one!.received, two!.received], [two!.handed_on, one!.handed_on])
  assert.deepEqual(rejectedOf(inputs), [])
})

test('a message in one datagram, or in one chunk, stays where it came', async () => {
  const [one, two] = await startAll(['one', 'two'])
  const send = await udpSender(one!.port)
  for (let i = 0; i < 20; i += 1) await send(gelf({ i }), chunk(randomBytes(8), 0, 1, gelf({ i })))
  await one!.received(40)
  assert.deepEqual([one!.stats.peerChunks.handed_on, two!.events.length], [0, 0])
})

test('chunks that are none are refused where they came, and not handed on', async () => {
  const [one, two] = await startAll(['one', 'two'])
  const send = await udpSender(one!.port)
  for (let i = 0; i < 20; i += 1) await send(chunk(randomBytes(8), 5, 5, gelf()), Buffer.of(0x1e, 0x0f, i))
  await one!.refused('malformed', 40)
  assert.deepEqual([one!.stats.peerChunks.handed_on, two!.stats.peerChunks.received], [0, 0])
})

test('with the others away one instance puts all together itself', async () => {
  const [peers] = await memberConfigs(['one', 'two', 'three'])
  const one = await startGelf({ peers: peers! })
  const send = await udpSender(one.port)
  for (let i = 0; i < 20; i += 1) await send(...chunksOf(gelf({ i, x: 'x'.repeat(3_000) }), 1_000, randomBytes(8)))
  await one.received(20)
  assert.deepEqual(rejectedOf([one]), [])
})

test('an instance that is stopped says so: its share goes to the others at once', async () => {
  const [one, two] = await startAll(['one', 'two'])
  await two!.close()
  await eventually(() => one!.warnings.length > 0)
  assert.match(one!.warnings[0]!, /`two` is away/)
  const send = await udpSender(one!.port)
  for (let i = 0; i < 20; i += 1) await send(...chunksOf(gelf({ i, x: 'x'.repeat(3_000) }), 1_000, randomBytes(8)))
  await one!.received(20)
})

test('a flood of forged envelopes changes nothing for honest chunks', async () => {
  const configs = await memberConfigs(['one', 'two'])
  const inputs = [await startGelf({ peers: configs[0]! }), await startGelf({ peers: configs[1]! })]
  await eventually(() => inputs.every(({ infos }) => infos.length > 0))
  const forge = await udpSender(configs[0]!.listen.port)
  for (let i = 0; i < 200; i += 1) await forge(Buffer.concat([Buffer.of(0x4c, 1), randomBytes(100)]))
  const send = await balancer(inputs)
  const message = gelf({ full_message: 'y'.repeat(5_000) })
  await send(...chunksOf(message, 1_408, randomBytes(8)), ...chunksOf(message, 1_408, randomBytes(8)))
  await eventually(() => textsOf(inputs).length === 2)
  const { unknown_peer, malformed, kernel_drop } = inputs[0]!.stats.rejected
  await eventually(() => unknown_peer + malformed + kernel_drop > 0)
})

test('with another key neither hears the other, and both say so', async () => {
  const [first, second] = await memberConfigs(['one', 'two'])
  const one = await startGelf({ peers: first! })
  const two = await startGelf({ peers: { ...second!, shared_key: 'another key, as long' } })
  await Promise.all([one.refused('bad_signature'), two.refused('bad_signature')])
  assert.match(two.warnings.join('\n'), /`one`.*another shared_key/)
  assert.equal(one.infos.length, 0)
})

test('a member without an address of its own is told, and the others do without it', async () => {
  const [config] = await memberConfigs(['one', 'two'])
  const members = [config!.members[0]!, { name: 'two', host: 'two.invalid', port: 1 }]
  const one = await startGelf({ peers: { ...config!, members } })
  const send = await udpSender(one.port)
  await send(...chunksOf(gelf({ x: 'x'.repeat(3_000) }), 1_000, randomBytes(8)))
  await one.received(1)
  await eventually(() => one.warnings.length > 0)
  assert.match(one.warnings[0]!, /`two` is away/)
  assert.ok(one.addresses.includes(`127.0.0.1:${config!.listen.port} udp peers`))
})

test('members are looked up by their names, whichever of their addresses they send from', async () => {
  const configs = await memberConfigs(['one', 'two'], 'localhost')
  const inputs = [await startGelf({ peers: configs[0]! }), await startGelf({ peers: configs[1]! })]
  await eventually(() => inputs.every(({ infos }) => infos.length > 0))
  assert.deepEqual(rejectedOf(inputs), [])
})

test('members at IPv4 addresses are reached from a door at every address of both kinds', async (t) => {
  const configs = await memberConfigs(['one', 'two'])
  if (!(await hasIpv6())) return t.skip('this machine has no IPv6')
  const inputs: RunningGelf[] = []
  for (const { listen, ...peers } of configs) {
    inputs.push(await startGelf({ peers: { ...peers, listen: { ...listen, host: '::' } } }))
  }
  await eventually(() => inputs.every(({ infos }) => infos.length > 0))
  const send = await balancer(inputs)
  for (let i = 0; i < 10; i += 1) await send(...chunksOf(gelf({ x: 'x'.repeat(3_000) }), 1_000, randomBytes(8)))
  await eventually(() => textsOf(inputs).length === 10)
})

test('while the buffer takes nothing, what others hand on is dropped and counted', async () => {
  const refused: string[] = []
  const intake = new GelfIntake({
    ...{ tag: 'gelf', timeoutMs: 5_000, messageBytes: 1_000, inflatedBytes: 1_000, pendingBytes: 1_000 },
    ...{ isIdEnough: true, now: Date.now, monotonic: Date.now },
    gather: { isFull: true } as GatherEntries,
    doorbell: { knocked: (_peer, code) => refused.push(code), stranger() {} },
  })
  intake.takeHandedOn(chunk(randomBytes(8), 0, 2, gelf()), '10.0.0.9')
  intake.takeHandedOn(gelf(), '10.0.0.9')
  assert.deepEqual(refused, ['LB-L004', 'LB-G003'])
})

test('what `peers` needs is told with its key', () => {
  const member = { host: 'one', port: 12_202, name: undefined }
  const peers = { members: [member], self: 'two', listen: { host: '0.0.0.0', port: 12_202 }, shared_key: 'short' }
  const faults = (config: object) =>
    protocol.check!({ ...DEFAULTS, peers, ...config }).map(({ key, code }) => `${code} ${key.join('.')}`)
  assert.deepEqual(faults({ transport: 'http' }), [
    'LB-C014 peers',
    'LB-C014 peers.members',
    'LB-C014 peers.self',
    'LB-C008 peers.shared_key',
  ])
  const twice = { ...peers, members: [member, member], self: 'one', shared_key: KEY }
  assert.deepEqual(faults({ peers: twice }), ['LB-C014 peers.members.1'])
  assert.deepEqual(faults({ peers: { ...twice, members: [member, { ...member, host: 'two' }] } }), [])
})
