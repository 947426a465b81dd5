/**
 * What the whole way of an event asks of the kernel, as a count: it is the same on a busy machine and on a quiet one,
 * and a read, a write or a wake-up more for each message shows in it at once.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { startBulkSink } from '../load/bulk-sink.ts'
import { startLoad } from './load-run.ts'
import { createSite, type Program } from './program.ts'

const EVENTS = 200_000
/** 500 events a message, whose acks alone are 2; about 3 of each when this was written, 4 where load splits groups. */
const LOAD = { mode: 'packed', batch: 500, window: 8, connections: 4 } as const
const READS_MAX = 9
const WRITES_MAX = 9

/** Calls of the read and of the write family so far, wakings of a thread among them. [proc_pid_io(5)] */
function callsOf(program: Program): { reads: number; writes: number } {
  const text = readFileSync(`/proc/${program.pid}/io`, 'utf8')
  const count = (name: string) => Number(new RegExp(`${name}: (\\d+)`).exec(text)?.[1])
  return { reads: count('syscr'), writes: count('syscw') }
}

test(`1,000 packed events cost at most ${READS_MAX} reads and ${WRITES_MAX} writes on their whole way`, async (t) => {
  const sink = await startBulkSink()
  t.after(() => sink.close())
  const site = await createSite(t, { outputs: { sink: { type: 'elasticsearch', url: sink.url } } })
  const program = await site.start()
  const send = async (first: number, documents: number) => {
    await startLoad({ port: site.forwardPort, events: EVENTS, first, ...LOAD }).report
    await program.until('delivered', () => sink.stats.documents >= documents, 120_000)
  }
  await send(20, EVENTS)
  const before = callsOf(program)
  await send(0, 2 * EVENTS)
  const after = callsOf(program)
  const reads = ((after.reads - before.reads) * 1_000) / EVENTS
  const writes = ((after.writes - before.writes) * 1_000) / EVENTS
  assert.ok(reads <= READS_MAX, `${reads} reads`)
  assert.ok(writes <= WRITES_MAX, `${writes} writes`)
  t.diagnostic(`${reads} reads and ${writes} writes for 1,000 events`)
})
