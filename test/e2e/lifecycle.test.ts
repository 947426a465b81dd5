/** Stopping, reloading and starting twice, under load: nothing that was acknowledged is lost, no socket is closed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startBulkSink } from '../load/bulk-sink.ts'
import { connectForward } from './forward-client.ts'
import { startLoad } from './load-run.ts'
import { createSite } from './program.ts'

const sinkOutput = (url: string) => ({ sink: { type: 'elasticsearch', match: '**', url, index: 'logs' } })

test('TERM under load: exit code 0, and every acknowledged event is delivered after the next start', async (t) => {
  const sink = await startBulkSink({ keyed: true })
  t.after(() => sink.close())
  const site = await createSite(t, { outputs: sinkOutput(sink.url) })
  const program = await site.start()
  const load = startLoad({
    port: site.forwardPort,
    events: 0,
    rate: 40_000,
    connections: 2,
    batch: 100,
    reconnect: 60_000,
  })
  await program.until('delivering', () => sink.stats.documents > 20_000, 30_000)
  const end = await program.stop()
  assert.equal(end.code, 0, end.stderr)
  const again = await site.start()
  const before = sink.stats.documents
  await again.until('delivering again', () => sink.stats.documents > before + 20_000, 30_000)
  load.stop()
  const report = await load.report
  await again.untilDrained()
  assert.ok(report.reconnects > 0)
  assertAllSeen(sink.seen(0), sink.seen(1), report.acked)
  assert.equal(sink.stats.duplicateIds, 0)
})

function assertAllSeen(first: Uint8Array, second: Uint8Array, acked: number): void {
  const missing = [first, second].map((seen) => seen.indexOf(0))
  assert.deepEqual(missing, [-1, -1], 'a number in the middle is missing')
  assert.ok(first.length + second.length >= acked, `${first.length + second.length} of ${acked}`)
}

test('HUP takes a new output in and keeps the Forward connections', async (t) => {
  const first = await startBulkSink()
  const second = await startBulkSink()
  t.after(() => Promise.all([first.close(), second.close()]))
  const site = await createSite(t, { outputs: sinkOutput(first.url) })
  const program = await site.start()
  const client = await connectForward(site.forwardPort)
  t.after(() => client.destroy())
  await client.sendEvent('docker.web', { log: 'before' })
  await program.untilDrained()
  const added = { type: 'elasticsearch', match: '**', url: second.url, index: 'more' }
  site.configure({ outputs: { ...sinkOutput(first.url), added } })
  program.signal('SIGHUP')
  const isAdded = async () => (await program.status()).outputs.some((output) => output.name === 'added')
  await program.until('reloaded', isAdded, 10_000)
  await client.sendEvent('docker.web', { log: 'after' })
  await program.untilDrained()
  assert.equal(client.isOpen, true)
  assert.equal(first.stats.documents, 2)
  assert.ok(second.stats.documents >= 1)
})

test('HUP with a configuration that is not valid changes nothing', async (t) => {
  const sink = await startBulkSink()
  t.after(() => sink.close())
  const site = await createSite(t, { outputs: sinkOutput(sink.url) })
  const program = await site.start()
  const client = await connectForward(site.forwardPort)
  t.after(() => client.destroy())
  site.configure({ outputs: { sink: { type: 'elasticsaerch', match: '**', url: sink.url } } })
  program.signal('SIGHUP')
  await program.until('complaining', () => program.stderr.includes('LB-C007'), 10_000)
  await client.sendEvent('docker.web', { log: 'still here' })
  await program.untilDrained()
  assert.equal(sink.stats.documents, 1)
})

test('a second process on the same buffer ends with LB-B001 and does not disturb the first', async (t) => {
  const sink = await startBulkSink()
  t.after(() => sink.close())
  const site = await createSite(t, { outputs: sinkOutput(sink.url) })
  const program = await site.start()
  // Ports of its own, so that only the buffer is in its way.
  const other = await createSite(t, { outputs: sinkOutput(sink.url), buffer: { path: `${site.folder}/buffer` } })
  const end = await other.run(['run', '-c', other.configFile])
  assert.equal(end.code, 73, end.stderr)
  assert.match(end.stderr, /LB-B001/)
  const client = await connectForward(site.forwardPort)
  t.after(() => client.destroy())
  await client.sendEvent('docker.web', { log: 'undisturbed' })
  await program.untilDrained()
  assert.equal(sink.stats.documents, 1)
})

test('a port that is taken is named, with exit code 78', async (t) => {
  const site = await createSite(t, {})
  await site.start()
  const other = await createSite(t, { forward: { listen: `127.0.0.1:${site.forwardPort}` } })
  const end = await other.run(['run', '-c', other.configFile])
  assert.equal(end.code, 78, end.stderr)
  assert.match(end.stderr, /LB-S001/)
  assert.ok(end.stderr.includes(String(site.forwardPort)), end.stderr)
})

test('while the buffer is being opened it lives, is not ready, and says what is waited for', async (t) => {
  const site = await createSite(t, {})
  const program = site.spawn({ env: { LOGBOOM_FAILPOINTS: 'lock.after-taken=pause:3s' } })
  let words = ''
  const isAsked = async () => {
    words = await fetch(`${site.adminUrl}/readyz?verbose`).then(
      async (answer) => `${answer.status} ${await answer.text()}`,
      () => '',
    )
    return words !== ''
  }
  await program.until('listening for probes', isAsked, 30_000)
  assert.match(words, /^503 not ready\n- starting\n- buffer: it is being opened/)
  assert.equal((await fetch(`${site.adminUrl}/livez`)).status, 200)
  assert.equal(await program.metric('logboom_buffer_bytes'), 0)
  await program.untilReady()
})
