/** What a way makes of packets, without packets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRandom } from '../../random.ts'
import { isConnect, portsOf, refusalOf, turnRound } from './packets.ts'
import { Way } from './way.ts'

const SENT = 10_000

function arrivals(faults: Parameters<Way['set']>[0]): number[][] {
  const way = new Way(createRandom(1))
  way.set(faults)
  return Array.from({ length: SENT }, (_, n) => way.send(100, n))
}

test('without faults all arrives at once', () => {
  assert.ok(arrivals({}).every(([ms, ...more], n) => ms === n && more.length === 0))
})

test('about the share that was asked for is lost, doubled and overtaken', () => {
  const near = (count: number, share: number) => assert.ok(Math.abs(count / SENT - share) < 0.02, `${count}`)
  near(arrivals({ loss: 0.2 }).filter((all) => all.length === 0).length, 0.2)
  near(arrivals({ duplicate: 0.1 }).filter((all) => all.length === 2).length, 0.1)
  near(arrivals({ reorder: 0.25 }).filter(([ms], n) => ms! > n).length, 0.25)
  assert.ok(arrivals({ loss: 1 }).every((all) => all.length === 0))
})

test('a narrow way sends no more than it may, and loses what waits too long', () => {
  const way = new Way(() => 0.5)
  way.set({ bytesPerSecond: 1_000 })
  assert.deepEqual(way.send(100, 0), [100])
  assert.deepEqual(way.send(400, 0), [500])
  assert.deepEqual(way.send(100, 0), [])
})

/** SYN of 10.0.0.1:40000 to 10.0.0.2:24224. */
const SYN = Buffer.from('45000028000000004006000' + '00a0000010a0000029c405ea000000007000000005002ffff00000000', 'hex')

test('a packet is read and turned round, and one that asks for a connection is refused', () => {
  assert.deepEqual(portsOf(SYN), { source: 40_000, destination: 24_224 })
  assert.ok(isConnect(SYN))
  const turned = turnRound(SYN)
  assert.deepEqual(
    [[...turned.subarray(12, 16)], [...turned.subarray(16, 20)]],
    [
      [10, 0, 0, 2],
      [10, 0, 0, 1],
    ],
  )
  const refusal = refusalOf(SYN)!
  assert.deepEqual(portsOf(refusal), { source: 24_224, destination: 40_000 })
  assert.equal(refusal.readUInt32BE(28), 8, 'acknowledges the SYN')
  assert.equal(refusal[33], 0x14, 'RST, ACK')
  assert.equal(refusalOf(refusal), undefined, 'a reset is not answered')
})
