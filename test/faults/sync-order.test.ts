/** What the kernel sees of the whole program: written, synced, and only then acknowledged. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { connectForward } from '../e2e/forward-client.ts'
import { startLoad } from '../e2e/load-run.ts'
import { createSite } from '../e2e/program.ts'
import { canMake, needStrace } from './capabilities.ts'
import { reportFault } from './report.ts'
import { type Call, readTrace } from './trace.ts'

const CALLS = 'openat,creat,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync,rename,renameat2'
const WRITES = new Set(['write', 'writev', 'pwrite64', 'pwritev', 'pwritev2'])
const SYNCS = new Set(['fsync', 'fdatasync'])
const strace = (file: string) => ['strace', '-D', '-f', '-qq', '-yy', '-s', '2048', '-o', file, '-e', `trace=${CALLS}`]

/** The ack as strace prints it: `\201\243ack`. */
const isAck = (call: Call) => call.target.startsWith('TCP') && call.args.includes('\\201\\243ack')

test('write → fdatasync → ack, for each of twenty messages', async (t) => {
  if (!canMake(t, 'F8', needStrace)) return
  const site = await createSite(t, {})
  const file = path.join(site.folder, 'trace')
  const program = await site.start({ wrap: strace(file) })
  const client = await connectForward(site.forwardPort)
  for (let n = 0; n < 20; n += 1) await client.sendEvent('docker.web', { log: `marker-${n}.` })
  client.destroy()
  await program.stop()
  const calls = readTrace(file)
  const acks = calls.filter(isAck)
  assert.equal(acks.length, 20)
  for (const [n, ack] of acks.entries()) {
    const stored = calls.find((call) => WRITES.has(call.name) && isInFolder(call, site.folder) && has(call, n))
    assert.ok(stored !== undefined, `marker ${n} was never written to the buffer`)
    const isSynced = calls.some(
      (call) =>
        SYNCS.has(call.name) &&
        call.target === stored.target &&
        call.result === 0 &&
        call.began > stored.ended &&
        call.ended < ack.began,
    )
    assert.ok(isSynced, `message ${n} was acknowledged before ${stored.target} was synced`)
  }
  reportFault({ fault: 'F8', tried: 20, acked: 20, lost: 0, doubled: 0, note: 'write, fdatasync, ack: in this order' })
})

const has = (call: Call, n: number) => call.args.includes(`marker-${n}.`)
const isInFolder = (call: Call, folder: string) => call.target.startsWith(folder)

test('create → fsync(file) → fsync(directory) before the first ack from a new chunk', async (t) => {
  if (!canMake(t, 'F8', needStrace)) return
  const site = await createSite(t, { buffer: { chunk_size: '1MiB' } })
  const file = path.join(site.folder, 'trace')
  const program = await site.start({ wrap: strace(file) })
  const load = startLoad({ port: site.forwardPort, events: 20_000, connections: 1, batch: 100, window: 2 })
  assert.equal((await load.report).acked, 20_000)
  await program.stop()
  const calls = readTrace(file)
  const chunks = chunkCreations(calls, `${site.folder}/buffer`)
  assert.ok(chunks.length >= 4, `only ${chunks.length} chunks were made`)
  for (const { name, created } of chunks) {
    const firstData = calls.find((call) => SYNCS.has(call.name) && call.target === name && call.began > created.ended)
    assert.ok(firstData !== undefined, `${name} was never synced`)
    const folderSync = calls.find(
      (call) => call.name === 'fsync' && call.target === path.dirname(name) && call.began > created.ended,
    )
    assert.ok(folderSync !== undefined, `the folder of ${name} was never synced`)
    const ack = firstAckFrom(calls, name)
    if (ack === undefined) continue
    assert.ok(firstData.ended < ack.began, `${name}: acknowledged before the file was synced`)
    assert.ok(folderSync.ended < ack.began, `${name}: acknowledged before its folder was synced`)
  }
  const note = `${chunks.length} new chunks: file, folder, then ack`
  reportFault({ fault: 'F8', tried: chunks.length, acked: 20_000, lost: 0, doubled: 0, note })
})

interface Creation {
  readonly name: string
  readonly created: Call
}

/** Files made in the buffer that events were then written to. */
function chunkCreations(calls: readonly Call[], folder: string): Creation[] {
  const made = calls.filter((call) => call.name === 'openat' && call.args.includes('O_CREAT') && call.result >= 0)
  return made.flatMap((created) => {
    const name = /"([^"]+)"/.exec(created.args)?.[1] ?? ''
    const holdsEvents = calls.some((call) => call.target === name && WRITES.has(call.name) && hasEvents(call))
    return name.startsWith(folder) && holdsEvents ? [{ name, created }] : []
  })
}

const hasEvents = (call: Call) => call.args.includes('container_id')

/** The first ack after events were written to the chunk. */
function firstAckFrom(calls: readonly Call[], name: string): Call | undefined {
  const stored = calls.find((call) => call.target === name && WRITES.has(call.name) && hasEvents(call))
  return calls.find((call) => isAck(call) && call.began > (stored?.ended ?? 0))
}
