/** The real program and its verbs: what was refused is seen, sent again with the same id, and survives a kill. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StatusReport } from '../../server/core/status.ts'
import { answerJson, startFakeSearchServer } from '../outputs/elasticsearch/fake-search-server.ts'
import { connectForward } from './forward-client.ts'
import { createSite } from './program.ts'

const REFUSED = { status: 400, error: { type: 'document_parsing_exception', reason: 'failed to parse field [n]' } }
const refuse = answerJson(200, { errors: true, items: [{ create: REFUSED }] })

test('dlq ls, show, replay and discard; a letter survives a kill and keeps its id', async (t) => {
  const server = await startFakeSearchServer()
  t.after(() => server.close())
  const site = await createSite(t, {
    outputs: { search: { type: 'elasticsearch', match: '**', url: server.url, index: 'logs', batch: { events: 1 } } },
  })
  const program = await site.start()
  server.script.push(refuse, refuse)
  const client = await connectForward(site.forwardPort)
  t.after(() => client.destroy())
  await client.sendEvent('docker.web', { log: 'first' })
  await client.sendEvent('docker.web', { log: 'second' })
  const letters = async () => ((await program.status()) as StatusReport).outputs[0]?.deadLetters
  await program.until('both are refused', async () => (await letters()) === 2, 10_000)
  const ids = server.requests.map(({ body }) => JSON.parse(body.split('\n')[0]!).create._id)

  assert.match((await site.run(['dlq', 'ls'])).stdout, /search +document_parsing_exception +2 /)
  const shown = await site.run(['dlq', 'show', 'search', '--json', '--limit', '1'])
  const { id, detail, attempts, record } = JSON.parse(shown.stdout)
  assert.deepEqual([id, attempts, record], [ids[0], 1, { log: 'first' }])
  assert.match(detail, /failed to parse field/)

  server.script.push(refuse)
  assert.equal((await site.run(['dlq', 'replay', 'search', '--limit', '1'])).stderr, '0 replayed, 1 refused again\n')
  await program.kill()
  const offline = ['-c', site.configFile, 'dlq', 'ls', '--offline']
  assert.match((await site.run(offline)).stdout, /document_parsing_exception +2 /)
  const again = await site.start()
  assert.equal((await site.run(['dlq', 'replay', 'search'])).stderr, '2 replayed, 0 refused again\n')
  assert.deepEqual([...server.documents.keys()].sort(), ids.sort())
  assert.equal((await site.run(offline)).stderr, 'no dead letters\n')

  const { code, stderr } = await site.run(['dlq', 'discard', 'serch', '--all'])
  assert.deepEqual([code, /LB-P001/.test(stderr)], [64, true], stderr)
  const rewound = await site.run(['replay', 'search', '--from', '99'])
  assert.deepEqual([rewound.code, /LB-P008/.test(rewound.stderr)], [1, true], rewound.stderr)
  assert.equal((await again.stop()).code, 0)
})
