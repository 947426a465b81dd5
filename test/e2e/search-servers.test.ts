/** The same output against Elasticsearch 7, 8, 9 and OpenSearch 3: indexed, refused one by one, never twice. */
import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { need } from '../services/launchers/availability.ts'
import { type SearchServer, startSearch } from '../services/launchers/elasticsearch.ts'
import type { SearchKind } from '../services/launchers/elasticsearch-install.ts'
import { freePort } from '../services/launchers/server-process.ts'
import { connectForward, pack } from './forward-client.ts'
import { createSite } from './program.ts'
import { ask, countDocuments, documentsOf } from './search-client.ts'

const KINDS: readonly SearchKind[] = ['elasticsearch7', 'elasticsearch8', 'elasticsearch9', 'opensearch3']
const SECONDS = 1_795_180_000
const outputTo = (server: SearchServer, index: string) => ({
  outputs: { search: { type: 'elasticsearch', match: '**', url: server.url, index } },
})

for (const kind of KINDS) {
  test(`${kind}: documents are found, a poisoned one is a dead letter, a repeated one is not doubled`, async (t) => {
    const server = await need(t, () => startSearch(kind))
    if (server === undefined) return
    t.after(() => server.close())
    await t.test('documents are indexed by day and found by their words', (t) => indexAndSearch(t, server))
    await t.test('a mapping conflict costs only the event that has it', (t) => poison(t, server))
    await t.test('a lost ack and a second sending make one document', (t) => lostAck(t, server))
  })
}

type Context = Parameters<typeof createSite>[0]

async function indexAndSearch(t: Context, server: SearchServer): Promise<void> {
  const site = await createSite(t, outputTo(server, 'logstash-%Y.%m.%d'))
  const program = await site.start()
  const client = await connectForward(site.forwardPort)
  t.after(() => client.destroy())
  for (const word of ['alpha', 'beta', 'gamma']) await client.send(['docker.web', SECONDS, { log: `line ${word}` }, {}])
  await program.untilDrained()
  const index = `logstash-${new Date(SECONDS * 1000).toISOString().slice(0, 10).replaceAll('-', '.')}`
  assert.equal(await countDocuments(server.url, index), 3)
  const found = await ask(`${server.url}/${index}/_search?q=log:beta`)
  const [hit, ...others] = (found.hits as { hits: { _source: Record<string, unknown> }[] }).hits
  assert.equal(others.length, 0)
  const { sequence, ...document } = hit!._source
  assert.equal(typeof sequence, 'number')
  const time = `${new Date(SECONDS * 1000).toISOString().slice(0, 19)}.000000000Z`
  assert.deepEqual(document, { log: 'line beta', '@timestamp': time, tag: 'docker.web' })
}

async function poison(t: Context, server: SearchServer): Promise<void> {
  const index = 'poison'
  await ask(`${server.url}/${index}`, 'PUT', { mappings: { properties: { count: { type: 'long' } } } })
  const site = await createSite(t, outputTo(server, index))
  const program = await site.start()
  const client = await connectForward(site.forwardPort)
  t.after(() => client.destroy())
  const counts = [1, 2, 'not a number', 4, 5]
  await client.send(['docker.web', counts.map((count) => [SECONDS, { count }]), {}])
  await program.untilDrained()
  assert.equal(await countDocuments(server.url, index), 4)
  const { delivered, dead, deadLetters, unaccounted } = await program.output('search')
  assert.deepEqual(
    { delivered, dead, deadLetters, unaccounted },
    { delivered: 4, dead: 1, deadLetters: 1, unaccounted: 0 },
  )
}

async function lostAck(t: Context, server: SearchServer): Promise<void> {
  const index = 'lost-ack'
  const site = await createSite(t, outputTo(server, index))
  const program = await site.start()
  const message = pack(['docker.web', [[SECONDS, { log: 'once' }]], { chunk: 'bm9ib2R5IGhlYXJzIG1lIQ==' }])
  const proxyPort = await startAckEater(t, site.forwardPort)
  const deaf = await connectForward(proxyPort)
  await deaf.write(message)
  await deaf.closed
  const client = await connectForward(site.forwardPort)
  t.after(() => client.destroy())
  await client.write(message)
  assert.equal(await client.nextAck(), 'bm9ib2R5IGhlYXJzIG1lIQ==')
  await program.untilDrained()
  assert.equal(await countDocuments(server.url, index), 1)
  for await (const document of documentsOf(server.url, index, ['log'])) assert.deepEqual(document, { log: 'once' })
}

/** A proxy that passes everything to the server and cuts the connection when the first byte comes back. */
async function startAckEater(t: Context, target: number): Promise<number> {
  const port = await freePort()
  const proxy = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    client.pipe(upstream)
    upstream.once('data', () => {
      client.destroy()
      upstream.destroy()
    })
    for (const socket of [client, upstream]) socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => proxy.listen(port, '127.0.0.1', resolve))
  t.after(() => proxy.close())
  return port
}
