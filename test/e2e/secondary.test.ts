/** The real program: events of a destination that is down go to its secondary, survive a kill, and come back. */
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { answerJson, startFakeSearchServer } from '../outputs/elasticsearch/fake-search-server.ts'
import { connectForward } from './forward-client.ts'
import { createSite } from './program.ts'

const unavailable = answerJson(503, { error: { type: 'unavailable_shards_exception', reason: 'no shard' } })

test('what the first does not take is delivered by the secondary, until the first is back', async (t) => {
  const server = await startFakeSearchServer()
  t.after(() => server.close())
  const search = { type: 'elasticsearch', match: '**', url: server.url, index: 'logs', retry_max_interval: '1s' }
  const site = await createSite(t, {
    outputs: {
      search: { ...search, secondary: 'screen', secondary_after: '1s' },
      screen: { type: 'stdout' },
    },
  })
  server.script.push(...Array(10_000).fill(unavailable))
  const killed = await site.start()
  const client = await connectForward(site.forwardPort)
  t.after(() => client.destroy())
  await client.sendEvent('docker.web', { n: 1 })
  await killed.until('refused once', () => server.requests.length > 0, 20_000)
  await killed.kill()
  assert.equal(killed.stdout, '')

  const program = await site.start()
  await program.until('handed over', async () => (await program.output('search')).secondary === 1, 30_000)
  assert.equal(JSON.parse(program.stdout).n, 1)
  const { delivered, lagEvents, unaccounted, state } = await program.output('search')
  assert.deepEqual([delivered, lagEvents, unaccounted, state], [0, 0, 0, 'retrying'])
  assert.equal(await program.metric('logboom_output_events_total', 'output="search",result="secondary"'), 1)
  assert.deepEqual(
    (await program.status()).outputs.map(({ name }) => name),
    ['search'],
    'a spare one is no reader of the buffer',
  )
  assert.ok((await readdir(path.join(site.bufferPath, 'outputs'))).includes('search.secondary.screen'))

  server.script.length = 0
  const again = await connectForward(site.forwardPort)
  t.after(() => again.destroy())
  let sent = 1
  await program.until(
    'delivered by the first again',
    async () => {
      await again.sendEvent('docker.web', { n: ++sent })
      return server.documents.size > 0
    },
    30_000,
  )
  await program.untilDrained()
  const end = await program.output('search')
  assert.deepEqual([end.delivered + end.secondary, end.unaccounted, end.state], [sent, 0, 'ok'])
  const printed = program.stdout.split('\n').filter(Boolean)
  assert.equal(printed.length + server.documents.size, sent, 'each is at one of the two')
})
