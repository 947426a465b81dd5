/**
 * F2. kill -9 at every system call that changes the disk. Each life of the program begins with the recovery of what the
 * kill before has left, so recovery is killed at each of its calls too; all lives share one buffer and one client.
 */
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from '../e2e/program.ts'
import { STRIDE } from './bounds.ts'
import { canMake, needStrace } from './capabilities.ts'
import { createOracle, type Oracle } from './oracle.ts'
import { injected } from './strace.ts'

/**
 * How many calls of a life are met. A life of a few seconds makes some three chunks, deletes two and stores cursors;
 * what comes later is the same again. `writev` sends the acks, the others go to files.
 */
const CALLS = { fsync: 12, fdatasync: 24, pwritev: 24, pwrite64: 8, writev: 12, rename: 6, unlink: 6, ftruncate: 3 }
/** A life that has not met its call by then never will. */
const LIFE_MS = 8_000
/** Ten messages fill a chunk of 1 MiB, in a second. */
const BATCH = 400
const RATE = 4_000

test('kill -9 at every write, sync, rename, unlink and truncate', async (t) => {
  if (!canMake(t, 'F2', needStrace)) return
  const oracle = await createOracle(t, { batch: BATCH, config: { buffer: { chunk_size: '1MiB' } } })
  const client = oracle.client({ rate: RATE, window: 4 })
  let kills = 0
  const met: string[] = []
  for (const [call, most] of Object.entries(CALLS)) {
    const before = kills
    for (let n = 1; n <= most; n += STRIDE) {
      if (!(await diesAt(oracle, call, n))) break
      kills += 1
    }
    met.push(`${kills - before} ${call}`)
  }
  process.stdout.write(`# killed at ${met.join(', ')}\n`)
  const program = await oracle.start()
  await client.end()
  await oracle.judge(program, 'F2', kills, met.join(', '))
  assert.deepEqual(met.filter((it) => it.startsWith('0 ')), [], 'a call that was never met')
}

/** What a write leaves behind that was cut off half way: so recovery has a tail to cut, and is killed at that too. */
function tearTail(chunks: string): void {
  const newest = existsSync(chunks) ? readdirSync(chunks).sort().at(-1) : undefined
  if (newest !== undefined) appendFileSync(path.join(chunks, newest), Buffer.alloc(1_000, 0xa5))
}

function assertKilled(program: Program, where: string): void {
  assert.doesNotMatch(program.stderr, /LB-\w\d+/, `it ended by itself at ${where}`)
}
