/** F26 to F29. An agent that cannot reach its primary, or is not heard by it, or does not hear it, or all in turns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../services/launchers/server-process.ts'
import { FLAPS, PARTITION_MS } from '../bounds.ts'
import { createOracle } from '../oracle.ts'
import { createRandom, SEED } from '../random.ts'
import { judgePair, type Pair, received, startPair, untilReceived, watchReturn } from './agent-pair.ts'
import { CUT, type Link, type LinkFaults, madeBy, startLink } from './link.ts'

const RATE = 1_000
const HARD_TIMEOUT_MS = 3_000
/** What a busy machine may add to it. */
const SLACK_MS = 20_000
const LIMIT_MS = 90_000
const HEARTBEATS_PER_SECOND = 4
/** Heartbeats, the kernel's own tries and those of the batches: more were a storm. */
const CONNECTS_PER_SECOND_MAX = 3 * HEARTBEATS_PER_SECOND
const MEMORY_GROWTH_MAX_MIB = 64
const FLAP_MS = 2_000

const forward = { hard_timeout: `${HARD_TIMEOUT_MS}ms`, recover_wait: '1s', heartbeat_interval: '250ms' }

const PARTITIONS: Record<string, LinkFaults> = {
  'answers do not come': { toClient: CUT },
  'requests do not come': { toServer: CUT },
  'nothing comes': { toServer: CUT, toClient: CUT },
}

/** The longest takeover, and the most connections that were asked for in a second. */
interface Worst {
  takeoverMs: number
  connectsPerSecond: number
}

async function part(pair: Pair, link: Link, faults: LinkFaults, worst: Worst): Promise<void> {
  const { agent, primary, standby } = pair
  await untilReceived(primary, RATE)
  const before = { connects: link.connects, memory: agent.memoryMiB().now }
  const isBack = watchReturn(pair)
  const beganMs = performance.now()
  link.set(faults)
  await untilReceived(standby, 1)
  const takeoverMs = performance.now() - beganMs
  await agent.until('saying so', async () => isToldLost(pair), LIMIT_MS)
  await sleep(PARTITION_MS - (performance.now() - beganMs))
  const connects = (link.connects - before.connects) / ((performance.now() - beganMs) / 1_000)
  link.heal()
  await isBack()
  assert.ok(takeoverMs < HARD_TIMEOUT_MS + SLACK_MS, `takeover took ${takeoverMs} ms`)
  assert.ok(connects < CONNECTS_PER_SECOND_MAX, `${connects} attempts to connect in a second`)
  const growth = agent.memoryMiB().now - before.memory
  assert.ok(growth < MEMORY_GROWTH_MAX_MIB, `grew by ${growth} MiB`)
  worst.takeoverMs = Math.max(worst.takeoverMs, takeoverMs)
  worst.connectsPerSecond = Math.max(worst.connectsPerSecond, connects)
}

/** The status tells which server is lost, although the other one takes all. */
async function isToldLost({ oracle }: Pair): Promise<boolean> {
  const { stdout } = await oracle.site.run(['status'])
  return /! bulk: server primary is lost: \w/.test(stdout)
}

test(`F26: partitions of agent and primary, one-way and whole (seed ${SEED})`, async (t) => {
  const link = await startLink(t, createRandom().share)
  const pair = await startPair(t, { link, forward })
  const client = pair.oracle.client({ rate: RATE, window: 16 })
  const worst: Worst = { takeoverMs: 0, connectsPerSecond: 0 }
  for (const [name, faults] of Object.entries(PARTITIONS)) {
    t.diagnostic(name)
    await part(pair, link, faults, worst)
  }
  await client.end()
  const { conflicts } = pair.oracle.sink.stats
  const [seconds, connects] = [worst.takeoverMs / 1_000, worst.connectsPerSecond].map((value) => value.toFixed(1))
  const figures = `takeover in ${seconds} s at most, ${connects} connects/s, ${conflicts} told by their ids`
  await judgePair(pair, 'F26', Object.keys(PARTITIONS).length, `${figures}, ${madeBy(link)}`)
  assert.ok(pair.oracle.sink.stats.conflicts > 0, 'what the primary could not acknowledge must have come by both ways')
})

test(`F27: acks are lost and the client sends again: stored once (seed ${SEED})`, async (t) => {
  const link = await startLink(t, createRandom().share)
  const port = await freePort()
  const address = await link.lead(port)
  const oracle = await createOracle(t, { config: { forward: { listen: `0.0.0.0:${port}` } }, address })
  const program = await oracle.start()
  const client = oracle.client({ rate: RATE, window: 16 })
  const rounds = 3
  for (let round = 0; round < rounds; round += 1) {
    await untilReceived(program, RATE)
    link.set({ toClient: CUT })
    await program.until(
      'storing more than it acknowledged',
      async () => (await received(program)) > client.acked,
      LIMIT_MS,
    )
    // Only a connection that breaks makes the client send again.
    link.set({ refuses: true })
    await sleep(500)
    link.heal()
  }
  await client.end()
  await oracle.judge(program, 'F27', rounds, madeBy(link))
  assert.equal(oracle.sink.stats.conflicts, 0, 'an event left the buffer twice')
})

test('F28: the primary is stopped and goes on: the standby takes over, late acks do no harm', async (t) => {
  const pair = await startPair(t, { forward })
  const { agent, primary, standby } = pair
  const client = pair.oracle.client({ rate: RATE, window: 16 })
  await untilReceived(primary, RATE)
  const isBack = watchReturn(pair)
  primary.signal('SIGSTOP')
  const beganMs = performance.now()
  await untilReceived(standby, 1)
  const takeoverMs = performance.now() - beganMs
  await agent.until('saying so', async () => isToldLost(pair), LIMIT_MS)
  await sleep(PARTITION_MS - (performance.now() - beganMs))
  primary.signal('SIGCONT')
  await isBack()
  await untilReceived(primary, RATE)
  await client.end()
  assert.ok(takeoverMs < HARD_TIMEOUT_MS + SLACK_MS, `takeover took ${takeoverMs} ms`)
  const { conflicts } = pair.oracle.sink.stats
  await judgePair(pair, 'F28', 1, `takeover in ${(takeoverMs / 1_000).toFixed(1)} s, ${conflicts} told by their ids`)
})

test(`F29: the way to the primary comes and goes ${FLAPS} times (seed ${SEED})`, async (t) => {
  const link = await startLink(t, createRandom().share)
  const pair = await startPair(t, { link, forward: { ...forward, hard_timeout: '1s' } })
  const client = pair.oracle.client({ rate: RATE, window: 16 })
  await untilReceived(pair.primary, RATE)
  const before = { connects: link.connects, ms: performance.now(), memory: pair.agent.memoryMiB().now }
  for (let flap = 0; flap < FLAPS; flap += 1) {
    link.set(flap % 2 === 0 ? { refuses: true } : { toServer: CUT, toClient: CUT })
    await sleep(FLAP_MS)
    link.heal()
    await sleep(FLAP_MS)
  }
  const connects = (link.connects - before.connects) / ((performance.now() - before.ms) / 1_000)
  assert.ok(connects < CONNECTS_PER_SECOND_MAX, `${connects} attempts to connect in a second`)
  const growth = pair.agent.memoryMiB().now - before.memory
  assert.ok(growth < MEMORY_GROWTH_MAX_MIB, `grew by ${growth} MiB`)
  await client.end()
  await untilAtPrimary(pair)
  await judgePair(pair, 'F29', FLAPS, `${connects.toFixed(1)} connects/s, ${madeBy(link)}`)
})

/** With the last flap over it is used again. */
async function untilAtPrimary({ oracle, primary, agent }: Pair): Promise<void> {
  const before = await received(primary)
  await agent.until(
    'back at the primary',
    async () => {
      await oracle.fresh(agent)
      return (await received(primary)) > before
    },
    LIMIT_MS,
  )
}
