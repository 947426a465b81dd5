/**
 * F2. kill -9 at every system call that changes the disk. Each life of the program begins with the recovery of what the
 * kill before has left, so recovery is killed at each of its calls too; all lives share one buffer and one client.
 */
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CHUNK_HEADER_BYTES } from '../../buffer/chunk-format.ts'
import { STRIDE } from './bounds.ts'
import { canMake, needStrace } from './capabilities.ts'
import { createOracle, type Oracle } from './oracle.ts'
import { injected } from './strace.ts'

/**
 * How many calls of a life are met. A life of a few seconds makes some three chunks, deletes two and stores cursors;
 * what comes later is the same again. `writev` sends the acks, the others go to files.
 */
const CALLS = { fsync: 12, fdatasync: 24, pwritev: 24, pwrite64: 8, writev: 12, rename: 6, unlink: 6, ftruncate: 3 }
/** A life that has acknowledged so many and then had time to delete what is done makes no new kind of call. */
const LIFE_EVENTS = 12_000
const REST_MS = 2_500
/** Under strace, on a machine that has other work too. */
const LIFE_LIMIT_MS = 90_000
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
  const program = await oracle.start()
  await client.end()
  await oracle.judge(program, 'F2', kills, met.join(', '))
  const never = met.filter((it) => it.startsWith('0 '))
  assert.deepEqual(never, [], 'calls that were never met')
})

/** False: it never made so many calls. */
async function diesAt(oracle: Oracle, call: string, n: number): Promise<boolean> {
  tearTail(path.join(oracle.site.bufferPath, 'chunks'))
  const program = oracle.spawn(injected(call, 'signal=SIGKILL', n))
  const [first, limit] = [oracle.acked, performance.now() + LIFE_LIMIT_MS]
  const isLived = () => oracle.acked - first >= LIFE_EVENTS || performance.now() > limit
  while (!program.hasEnded && !isLived()) await sleep(20)
  for (let rest = 0; !program.hasEnded && rest < REST_MS; rest += 20) await sleep(20)
  const died = program.hasEnded
  if (died) assert.doesNotMatch(program.stderr, /LB-\w\d+/, `it ended by itself at ${call} ${n}`)
  await program.kill()
  return died
}

/** What a write leaves behind that was cut off half way: so recovery has a tail to cut, and is killed at that too. */
function tearTail(chunks: string): void {
  const newest = existsSync(chunks) ? readdirSync(chunks).sort().at(-1) : undefined
  if (newest === undefined) return
  const file = path.join(chunks, newest)
  // Nothing is written into a chunk before its header is durable.
  if (statSync(file).size >= CHUNK_HEADER_BYTES) appendFileSync(file, Buffer.alloc(1_000, 0xa5))
}
