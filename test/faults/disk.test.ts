/** F5, F6, F7, F9, F10, F11. A disk that fails, is slow, is full or read-only: no ack for what it did not take. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from '../e2e/program.ts'
import { canMake, needDisks, needStrace } from './capabilities.ts'
import { mountLoopDisk, mountMemoryDisk } from './disks.ts'
import { createOracle, type Oracle } from './oracle.ts'
import { injected } from './strace.ts'
import { type Call, readTrace } from './trace.ts'

const TROUBLE_LIMIT_MS = 60_000
const SYNCS = new Set(['fsync', 'fdatasync'])
const isReady = (program: Program) => program.isReady()

/** Waits until the program says that it takes nothing, and why; then nothing more is acknowledged. */
async function untilRefusing(program: Program, oracle: Oracle, reason: RegExp): Promise<void> {
  await program.until('not ready', async () => !(await isReady(program)), TROUBLE_LIMIT_MS)
  const words = await (await fetch(`${program.adminUrl}/readyz?verbose`)).text()
  assert.match(words, reason)
  // Acks that were on their way arrive; then there are none.
  await sleep(500)
  const { acked } = oracle
  await sleep(1_500)
  assert.equal(oracle.acked, acked, 'acknowledged although the disk takes nothing')
}

test('F5: fdatasync fails once: its file is never synced again, and the events are stored elsewhere', async (t) => {
  if (!canMake(t, 'F5', needStrace)) return
  const oracle = await createOracle(t, {})
  const client = oracle.client({ rate: 2_000 })
  const failures = [4, 9, 17]
  for (const n of failures) {
    const trace = path.join(oracle.site.folder, `trace-${n}`)
    const program = await oracle.start(injected('fdatasync', 'error=EIO', n, trace))
    const { acked } = oracle
    await program.until('acknowledging after the fault', () => oracle.acked > acked + 5_000, 60_000)
    await program.kill()
    assertFenced(readTrace(trace))
  }
  const program = await oracle.start()
  await client.end()
  await oracle.judge(program, 'F5', failures.length, 'fdatasync EIO once, in three lives')
})

/** fsyncgate: a second sync of the same file would succeed and mean nothing. */
function assertFenced(calls: readonly Call[]): void {
  const failed = calls.find((call) => call.name === 'fdatasync' && call.result === -1)
  assert.ok(failed !== undefined, 'the fault was never met')
  if (!failed.target.endsWith('.chunk')) return
  const again = calls.filter((call) => SYNCS.has(call.name) && call.target === failed.target)
  assert.deepEqual(
    again.filter((call) => call.began > failed.ended),
    [],
    `${failed.target} was synced again`,
  )
}

test('F6: a device that fails at writeback: what it swallowed was not acknowledged', async (t) => {
  if (!canMake(t, 'F6', needDisks)) return
  const memory = mountMemoryDisk(t, 16)
  const disk = await mountLoopDisk(t, { mebibytes: 96, on: memory.folder })
  const oracle = await createOracle(t, { batch: 200, config: { buffer: { path: path.join(disk.folder, 'buffer') } } })
  oracle.sink.fault(503, Number.MAX_SAFE_INTEGER)
  let program = await oracle.start()
  const client = oracle.client({ rate: 20_000 })
  await untilRefusing(program, oracle, /cannot write/)
  const { acked } = oracle
  await program.kill()
  memory.resize(256)
  await disk.remount()
  oracle.sink.fault(503, 0)
  program = await oracle.start()
  await client.end()
  assert.ok(acked > 0, 'it failed before anything was acknowledged')
  await oracle.judge(program, 'F6', 1, `EIO after ${acked} events`)
})

test('F7: fdatasync takes two seconds: acks wait for it, memory does not grow', async (t) => {
  if (!canMake(t, 'F7', needStrace)) return
  const oracle = await createOracle(t, {})
  const program = await oracle.start(injected('fdatasync', 'delay_enter=2000000', '1+'))
  const before = program.memoryMiB().now
  const began = performance.now()
  await oracle.client({ events: 150, window: 1 }).done
  assert.ok(performance.now() - began >= 3 * 2_000, 'three acks one after the other, earlier than their syncs')
  const flood = oracle.client({ window: 64 })
  await sleep(6_000)
  const growth = program.memoryMiB().now - before
  assert.ok(growth < 150, `grew by ${growth} MiB`)
  await program.kill()
  const next = await oracle.start()
  await flood.end()
  await oracle.judge(next, 'F7', 1, `memory +${Math.round(growth)} MiB`)
})

test('F9: the disk fills up, then has room again: it stops acknowledging and goes on by itself', async (t) => {
  if (!canMake(t, 'F9', needDisks)) return
  const memory = mountMemoryDisk(t, 24)
  const buffer = { path: path.join(memory.folder, 'buffer'), chunk_size: '1MiB' }
  const oracle = await createOracle(t, { batch: 200, config: { buffer } })
  oracle.sink.fault(503, Number.MAX_SAFE_INTEGER)
  const program = await oracle.start()
  const client = oracle.client({ rate: 20_000 })
  await untilRefusing(program, oracle, /cannot write/)
  memory.resize(512)
  await program.until('ready again', () => isReady(program), TROUBLE_LIMIT_MS)
  oracle.sink.fault(503, 0)
  await client.end()
  await oracle.judge(program, 'F9', 1)
})

test('F10: writes that are refused or cut short: the file is cut back, and they are made again', async (t) => {
  if (!canMake(t, 'F10', needStrace)) return
  const oracle = await createOracle(t, {})
  const client = oracle.client({ rate: 2_000 })
  // Not `retval=7`: strace does not write those seven bytes, and libuv goes on behind them. No disk lies like that; a
  // write that is really cut short is the last one before ENOSPC in F9.
  const faults = ['error=ENOSPC', 'error=EIO', 'retval=0']
  for (const fault of faults) {
    const program = await oracle.start(injected('pwritev', fault, '5+11'))
    const { acked } = oracle
    await program.until('acknowledging in spite of it', () => oracle.acked > acked + 3_000, 60_000)
    await program.kill()
  }
  const program = await oracle.start()
  await client.end()
  await oracle.judge(program, 'F10', faults.length, faults.join(', '))
})

test('F11: a buffer that becomes read-only, and one that is: a clear error, no ack, and it recovers', async (t) => {
  if (!canMake(t, 'F11', needDisks)) return
  const disk = await mountLoopDisk(t, { mebibytes: 128 })
  const oracle = await createOracle(t, { config: { buffer: { path: path.join(disk.folder, 'buffer') } } })
  let program = await oracle.start()
  const client = oracle.client({ rate: 2_000 })
  await program.until('acknowledging', () => oracle.acked > 2_000, TROUBLE_LIMIT_MS)
  disk.failReadOnly()
  await untilRefusing(program, oracle, /cannot write/)
  await program.kill()
  const end = await oracle.site.run(['run', '-c', oracle.site.configFile])
  assert.equal(end.code, 73, end.stderr)
  assert.match(end.stderr, /LB-B003/)
  await disk.remount()
  program = await oracle.start()
  await client.end()
  await oracle.judge(program, 'F11', 2)
})
