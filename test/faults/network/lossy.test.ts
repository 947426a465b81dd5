/** F30, F31. Peers that vanish, and ways that lose, double, delay and reorder packets, or are narrow. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Program } from '../../e2e/program.ts'
import { keepaliveSeconds } from '../../protocols/listening/kernel-timers.ts'
import { freePort } from '../../services/launchers/server-process.ts'
import { createOracle } from '../oracle.ts'
import { createRandom, SEED } from '../random.ts'
import { judgePair, startPair } from './agent-pair.ts'
import { CUT, type Link, type LinkFaults, madeBy, startLink, type WayFaults } from './link.ts'

const LIMIT_MS = 120_000
const PEERS = 20
/** Of chunks, sinks and whoever asks for the status: they come and go meanwhile. */
const OTHER_FILES = 8
/** The kernel asks after who is silent, and has given up after this: seconds. */
const ASKED_WITHIN_S = 60
/** The beginning of a message of 1,000 bytes that never comes to its end. */
const HALF = Buffer.concat([
  Buffer.from([0x93, 0xa5]),
  Buffer.from('local'),
  Buffer.from([0xc5, 0x03, 0xe8, 0x92, 0x01]),
])

const openFiles = (program: Program) => readdirSync(`/proc/${program.pid}/fd`).length
const connections = async (program: Program) => (await program.status()).inputs[0]!.connections

test(`F30: peers vanish, in the middle of a message and while they are idle (seed ${SEED})`, async (t) => {
  const link = await startLink(t, createRandom().share)
  const port = await freePort()
  const where = await link.lead(port)
  const oracle = await createOracle(t, {
    config: { forward: { listen: `0.0.0.0:${port}` } },
    address: { host: '127.0.0.1', port },
  })
  const program = await oracle.start()
  const honest = oracle.client({ rate: 500 })
  await program.until('serving', () => honest.acked > 0, LIMIT_MS)
  const peers = await openPeers(t, where)
  await program.until('connected', async () => (await connections(program)) === PEERS + 1, LIMIT_MS)
  if (link.kind === 'packets') await vanish(program, link, peers)
  else for (const seconds of keepaliveSeconds(port)) assert.ok((seconds ?? 0) < ASKED_WITHIN_S)
  await honest.end()
  await oracle.judge(program, 'F30', PEERS, madeBy(link))
})

/** Every other one has begun a message. */
async function openPeers(t: TestContext, where: { host: string; port: number }) {
  const peers = Array.from({ length: PEERS }, () => connect(where))
  t.after(() => {
    for (const peer of peers) peer.destroy()
  })
  await Promise.all(peers.map((peer) => once(peer, 'connect')))
  for (const [n, peer] of peers.entries()) {
    peer.on('error', () => {})
    if (n % 2 === 0) peer.write(HALF)
  }
  return peers
}

/** Their files are returned, though nobody hears of their end. */
async function vanish(program: Program, link: Link, peers: readonly { destroy(): void }[]) {
  const files = openFiles(program)
  link.set({ toServer: CUT, toClient: CUT })
  for (const peer of peers) peer.destroy()
  await program.until('rid of them', async () => (await connections(program)) === 1, LIMIT_MS)
  const most = files - PEERS + OTHER_FILES
  await program.until('returning their files', () => openFiles(program) <= most, LIMIT_MS)
  link.heal()
}

interface Weather {
  readonly faults: WayFaults
  readonly events: number
}

/** Both ways at once. What a proxy can make too stands last. */
const WEATHERS: Record<string, Weather> = {
  '1 % lost': { faults: { loss: 0.01 }, events: 3_000 },
  '20 % lost': { faults: { loss: 0.2 }, events: 500 },
  'a quarter overtaken': { faults: { reorder: 0.25, delayMs: 5 }, events: 3_000 },
  'a tenth doubled': { faults: { duplicate: 0.1 }, events: 3_000 },
  'all of it': { faults: { loss: 0.02, reorder: 0.1, duplicate: 0.05, delayMs: 20 }, events: 1_000 },
  '200 ms late': { faults: { delayMs: 200 }, events: 1_000 },
  '64 kbit/s': { faults: { bytesPerSecond: 8_000 }, events: 100 },
}
const OF_A_PROXY = ['200 ms late', '64 kbit/s']

test(`F31: loss, reorder, duplicates, delay, 64 kbit/s before the agent and behind it (seed ${SEED})`, async (t) => {
  const link = await startLink(t, createRandom().share)
  const port = await freePort()
  const address = await link.lead(port)
  const oracle = { config: { forward: { listen: `0.0.0.0:${port}` } }, address }
  const pair = await startPair(t, { link, forward: { hard_timeout: '20s' }, oracle })
  const weathers = Object.entries(WEATHERS).filter(([name]) => link.kind === 'packets' || OF_A_PROXY.includes(name))
  const times: string[] = []
  for (const [name, { faults, events }] of weathers) {
    const beganMs = performance.now()
    const both: LinkFaults = { toServer: faults, toClient: faults }
    link.set(both)
    await pair.oracle.client({ events }).done
    await pair.agent.untilDrained()
    times.push(`${name} ${((performance.now() - beganMs) / 1_000).toFixed(1)} s`)
  }
  link.heal()
  await judgePair(pair, 'F31', weathers.length, `${times.join(', ')}; ${madeBy(link)}`)
})
