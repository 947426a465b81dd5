/**
 * F44. Hours of load with random faults (minutes in CI): kill -9, failing syncs, refusals, cut answers, silence.
 * The ledger has to be even at all times, and neither memory nor open files may grow in a life.
 */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from '../e2e/program.ts'
import { SOAK_MS } from './bounds.ts'
import { type Gate, startGate } from './gate.ts'
import { createOracle, type Oracle } from './oracle.ts'
import { createRandom, SEED } from './random.ts'

const RATE = 4_000
const SAMPLE_MS = 1_000
/** Faults follow one another here: with waits of up to a minute nothing would flow within the oracle's limit. */
const RETRY_MOST = '5s'
/** A life of the program ends by kill -9 after this share of the soak. */
const LIVES = 3
/** Pages that were never used before are no leak: the first samples of a life are left out. */
const WARM_UP_SAMPLES = 5
const GROWTH_MAX = { memoryMiB: 64, files: 10 }

interface Sample {
  readonly memoryMiB: number
  readonly files: number
}

test(`soak of ${SOAK_MS / 1_000} s with random faults (seed ${SEED})`, async (t) => {
  const random = createRandom()
  const oracle = await createOracle(t, { sinks: ['bulk', 'screen'], refuseEvery: 997 })
  const gate = await startGate(oracle.sink.url)
  t.after(() => gate.close())
  oracle.replaceOutput('bulk', {
    ...oracle.outputs.bulk,
    url: gate.url,
    request_timeout: '2s',
    retry_max_interval: RETRY_MOST,
  })
  const client = oracle.client({ rate: RATE, window: 16 })
  const tallies = { kills: 0, faults: 0 }
  let program = await startLife(oracle, random.between(20, 60))
  for (let life = 0; life < LIVES; life += 1) {
    if (life > 0) {
      await program.kill()
      tallies.kills += 1
      program = await startLife(oracle, random.between(20, 60))
    }
    const samples: Sample[] = []
    const end = performance.now() + SOAK_MS / LIVES
    for (; performance.now() < end; await sleep(SAMPLE_MS)) {
      if (random.share() < 0.3) {
        tallies.faults += 1
        await disturb(oracle, gate, random.between(0, 2))
      }
      samples.push(await sampleOf(program))
      assert.equal(await program.metric('logboom_ledger_unaccounted_events'), 0, 'the ledger')
    }
    assertFlat(samples)
  }
  oracle.sink.fault(503, 0)
  await client.end()
  await oracle.judge(program, 'F44', tallies.kills + tallies.faults, `${SOAK_MS / 1_000} s, ${tallies.kills} kills`)
})

/** Its n-th sync fails (F5). */
function startLife(oracle: Oracle, n: number): Promise<Program> {
  return oracle.start({ env: { LOGBOOM_FAILPOINTS: `buffer.after-sync=throw@${n}` } })
}

async function disturb(oracle: Oracle, gate: Gate, which: number): Promise<void> {
  if (which === 0) oracle.sink.fault(503, 3)
  if (which === 1) oracle.sink.cut(1)
  if (which === 2) {
    gate.set('hang')
    await sleep(2_000)
    gate.set('pass')
  }
}

async function sampleOf(program: Program): Promise<Sample> {
  return { memoryMiB: program.memoryMiB().now, files: readdirSync(`/proc/${program.pid}/fd`).length }
}

/** The middle of the last third is not far above that of the first. */
function assertFlat(samples: readonly Sample[]): void {
  const warm = samples.slice(WARM_UP_SAMPLES)
  const third = Math.floor(warm.length / 3)
  if (third === 0) return
  for (const [name, most] of Object.entries(GROWTH_MAX) as [keyof Sample, number][]) {
    const middle = (part: readonly Sample[]) =>
      part.map((sample) => sample[name]).sort((a, b) => a - b)[part.length >> 1]!
    const growth = middle(warm.slice(-third)) - middle(warm.slice(0, third))
    assert.ok(growth < most, `${name} grew by ${growth} in one life`)
  }
}
