/** Docker's 40,000 bytes through the real program: whole in a bulk request and in the local store, killed or not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { startFakeSearchServer } from '../outputs/elasticsearch/fake-search-server.ts'
import { connectForward } from './forward-client.ts'
import { createSite, type Program } from './program.ts'

const CAPTURE = readFileSync(new URL('../golden/forward/fluent-02-partial-40000.conn1.bin', import.meta.url))
/** Where the message of the third piece begins: the two before it are as long as one another. */
const THIRD = 2 * 16_680
const LINE = 'x'.repeat(40_000)

async function send(port: number, bytes: Uint8Array): Promise<void> {
  const client = await connectForward(port)
  await client.write(bytes)
  client.endWriting()
  await client.closed
}

async function createFilteredSite(t: TestContext) {
  const search = await startFakeSearchServer()
  t.after(() => search.close())
  const site = await createSite(t, {
    // A slow start on a busy machine shall not be taken for a line without an end.
    filters: [{ match: '**', join: { type: 'docker', timeout: '2m' } }],
    outputs: { search: { type: 'elasticsearch', url: search.url }, local: {} },
  })
  const lines = () => [...search.documents.values()].map(({ text }) => (JSON.parse(text) as { log: string }).log)
  return { site, lines }
}

async function localLines(program: Program): Promise<string[]> {
  const { hits } = JSON.parse(await program.text('/api/v1/events')) as { hits: { event: { log: string } }[] }
  return hits.map(({ event }) => event.log).reverse()
}

async function assertWhole(program: Program, lines: readonly string[]): Promise<void> {
  await program.untilDrained()
  assert.equal(lines[0], LINE)
  assert.equal((await localLines(program))[0], LINE)
  for (const name of ['search', 'local']) {
    const { joined, unaccounted, dead } = await program.output(name)
    assert.deepEqual([joined, unaccounted, dead], [2, 0, 0])
  }
  assert.equal(await program.metric('logboom_output_events_total', 'result="joined"'), 4)
}

test('a line that Docker cut into three is one document in the bulk and in the local store', async (t) => {
  const { site, lines } = await createFilteredSite(t)
  const program = await site.start()
  await send(site.forwardPort, CAPTURE)
  await program.until('delivered', () => lines().length === 2, 30_000)
  await assertWhole(program, lines())
})

test('killed after the second piece, it joins all three when the last one comes', async (t) => {
  const { site, lines } = await createFilteredSite(t)
  const before = await site.start()
  await send(site.forwardPort, CAPTURE.subarray(0, THIRD))
  await before.until('stored', async () => (await before.status()).buffer.next === 2, 30_000)
  await before.kill()
  const after = await site.start()
  await send(site.forwardPort, CAPTURE.subarray(THIRD))
  await after.until('delivered', () => lines().length === 2, 30_000)
  await assertWhole(after, lines())
})
