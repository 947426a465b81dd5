/** F18, F19, F22. Outputs that are down, silent or slow: the buffer waits, the others go on, memory stays flat. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from '../e2e/program.ts'
import { startGate } from './gate.ts'
import { createOracle } from './oracle.ts'

const MEMORY_GROWTH_MAX_MIB = 64
const LAG_MAX_S = 5
const PARK_KILLS = 4
const openFiles = (program: Program) => readdirSync(`/proc/${program.pid}/fd`).length

test('F18: all outputs down until the buffer is full: back-pressure, no growth, kills, all in order', async (t) => {
  const oracle = await createOracle(t, {
    batch: 200,
    config: { buffer: { max_size: '32MiB', chunk_size: '1MiB' } },
    settings: { bulk: { concurrency: 1 } },
  })
  let program = await oracle.start()
  oracle.sink.fault(503, Number.MAX_SAFE_INTEGER)
  const client = oracle.client()
  const isFull = async () => (await program.status()).reasons.some((reason) => reason.includes('full'))
  await program.until('full', isFull, 60_000)
  await sleep(500)
  const before = { acked: oracle.acked, memory: program.memoryMiB().now, files: openFiles(program) }
  await sleep(5_000)
  assert.equal(oracle.acked, before.acked, 'acknowledged although the buffer is full')
  assert.ok(program.memoryMiB().now - before.memory < MEMORY_GROWTH_MAX_MIB, `${program.memoryMiB().now} MiB`)
  assert.ok(openFiles(program) <= before.files + 2, `${openFiles(program)} open files after ${before.files}`)
  await program.kill()
  // It is full, so it is not ready; what it has is counted anew.
  program = oracle.spawn()
  await program.until(
    'up',
    async () => (await fetch(`${program.adminUrl}/livez`).catch(() => undefined))?.ok === true,
    60_000,
  )
  await program.until('full again', isFull, 60_000)
  const atLeast = oracle.acked
  oracle.sink.fault(503, 0)
  await program.until('acknowledging again', () => oracle.acked > atLeast, 60_000)
  // After a crash it is as full as its files are, and no fuller.
  await program.kill()
  program = await oracle.start()
  const { acked } = oracle
  await program.until('acknowledging after the second crash', () => oracle.acked > acked, 60_000)
  await client.end()
  await oracle.judge(program, 'F18', 1, `full at ${before.acked} events, killed twice`)
  assert.equal(oracle.bulk.disordered, 0, 'out of order')
})

test('F18: what lags is parked and frees the buffer; kill -9 meanwhile, and while it is delivered', async (t) => {
  const lag = { on_lag: 'park', lag_limit: { size: '2MiB' }, retry_max_interval: '1s' }
  const oracle = await createOracle(t, {
    batch: 200,
    config: { buffer: { max_size: '16MiB', chunk_size: '1MiB' } },
    settings: { bulk: { ...lag, batch: { events: 2_000 } } },
  })
  oracle.sink.fault(503, Number.MAX_SAFE_INTEGER)
  let program = await oracle.start()
  const client = oracle.client({ rate: 5_000 })
  const parked = async () => (await program.output('bulk')).parkedEvents
  for (let kill = 1; kill <= PARK_KILLS; kill += 1) {
    const before = await parked()
    await program.until('parking', async () => (await parked()) > before, 60_000)
    await program.kill()
    program = await oracle.start()
  }
  await client.end()
  const hasRoom = async () => (await program.status()).buffer.bytes < 4 * 2 ** 20
  await program.until('no more than the limit in the buffer', hasRoom, 60_000)
  const most = await parked()
  oracle.sink.fault(503, 0)
  const delivered = () => program.metric('logboom_parked_events_removed_total', 'result="delivered"')
  await program.until('delivering what is parked', async () => (await delivered()) > 0, 60_000)
  await program.kill()
  program = await oracle.start()
  await program.until('rid of all that is parked', async () => (await parked()) === 0, 120_000)
  await oracle.judge(program, 'F18', PARK_KILLS + 1, `${most} events were parked`)
})

test('F19: one output takes everything and answers nothing: the others lag less than five seconds', async (t) => {
  const oracle = await createOracle(t, { sinks: ['bulk', 'screen', 'store'] })
  const gate = await startGate(oracle.sink.url)
  t.after(() => gate.close())
  const bulk = { type: 'elasticsearch', match: '**', url: gate.url, index: 'logs', request_timeout: '2s' }
  oracle.replaceOutput('bulk', bulk)
  gate.set('hang')
  const program = await oracle.start()
  const client = oracle.client({ rate: 2_000 })
  let worst = 0
  for (let second = 0; second < 10; second += 1) {
    await sleep(1_000)
    for (const name of ['screen', 'store']) worst = Math.max(worst, (await program.output(name)).oldestAgeS ?? 0)
  }
  assert.ok(worst < LAG_MAX_S, `an output that works lags ${worst} s`)
  assert.ok(((await program.output('bulk')).retries.timeout ?? 0) > 0, 'no timeout was noticed')
  gate.set('pass')
  await client.end()
  await oracle.judge(program, 'F19', 1, `the others lag ${worst.toFixed(1)} s at most`)
})

test('F22: an output that takes 10 KB/s, then one that reads nothing at all: memory stays flat', async (t) => {
  const oracle = await createOracle(t, { batch: 200 })
  const gate = await startGate(oracle.sink.url)
  t.after(() => gate.close())
  oracle.replaceOutput('bulk', { type: 'elasticsearch', match: '**', url: gate.url, index: 'logs' })
  gate.set({ bytesPerSecond: 10_000 })
  const program = await oracle.start()
  const client = oracle.client({ rate: 20_000 })
  await sleep(5_000)
  const before = program.memoryMiB().now
  await sleep(5_000)
  gate.set('stall')
  await sleep(5_000)
  const growth = program.memoryMiB().now - before
  assert.ok(growth < MEMORY_GROWTH_MAX_MIB, `grew by ${growth} MiB`)
  gate.set('pass')
  await client.end()
  await oracle.judge(program, 'F22', 2, `memory ${growth < 0 ? '' : '+'}${Math.round(growth)} MiB`)
})
