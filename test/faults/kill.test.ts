/** kill -9 at random moments under load: what was acknowledged is in the output afterwards. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startLoad } from '../e2e/load-run.ts'
import { createSite } from '../e2e/program.ts'
import { startBulkSink } from '../load/bulk-sink.ts'

const KILLS = Number(process.env.LOGBOOM_TEST_KILLS ?? 20)
const SEED = Number(process.env.LOGBOOM_TEST_SEED ?? randomInt(2 ** 31))
const LIFE_MS = { least: 50, most: 1_200 }
const CONNECTIONS = 3
/** Below what a laptop does: the sink has to keep every id. */
const RATE = 20_000

/** mulberry32: small, and the same everywhere for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test(`${KILLS} times kill -9 under load lose nothing that was acknowledged (seed ${SEED})`, async (t) => {
  process.stdout.write(`# LOGBOOM_TEST_SEED=${SEED}\n`)
  const random = createRandom(SEED)
  const sink = await startBulkSink({ keyed: true })
  t.after(() => sink.close())
  const outputs = { sink: { type: 'elasticsearch', match: '**', url: sink.url, index: 'logs' } }
  // Small chunks, so that kills meet their making and their deletion too.
  const site = await createSite(t, { outputs, buffer: { chunk_size: '1MiB' } })
  let program = await site.start()
  const ackLog = path.join(site.folder, 'acks')
  const load = startLoad({
    port: site.forwardPort,
    'ack-log': ackLog,
    events: 0,
    rate: RATE,
    connections: CONNECTIONS,
    batch: 50,
    window: 16,
    reconnect: 60_000,
  })
  for (let kill = 0; kill < KILLS; kill += 1) {
    await sleep(LIFE_MS.least + random() * (LIFE_MS.most - LIFE_MS.least))
    await program.kill()
    program = await site.start()
  }
  load.stop()
  const report = await load.report
  await program.untilDrained()
  const acked = ackedNumbers(readFileSync(ackLog, 'utf8'))
  assert.equal(
    acked.reduce((sum, numbers) => sum + numbers.length, 0),
    report.acked,
  )
  assert.deepEqual(lostNumbers(acked, sink.seen), [], 'acknowledged and not delivered')
  assert.equal(sink.stats.duplicateIds, 0, 'delivered twice under another event id')
  const { resent, reconnects } = report
  process.stdout.write(`# ${report.acked} acked, ${resent} sent again, ${reconnects} connections opened again\n`)
})

/** The acknowledged numbers of each connection, from lines of `CC FIRST LAST`. */
function ackedNumbers(log: string): number[][] {
  const numbers: number[][] = Array.from({ length: CONNECTIONS }, () => [])
  for (const line of log.trim().split('\n')) {
    const [connection, first, last] = line.split(' ').map(Number) as [number, number, number]
    for (let n = first; n <= last; n += 1) numbers[connection]!.push(n)
  }
  return numbers
}

function lostNumbers(acked: readonly number[][], seen: (connection: number) => Uint8Array): string[] {
  return acked.flatMap((numbers, connection) => {
    const stored = seen(connection)
    return numbers.filter((n) => (stored[n] ?? 0) === 0).map((n) => `${connection}-${n}`)
  })
}
