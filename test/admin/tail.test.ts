import assert from 'node:assert/strict'
import { after, afterEach, before, it } from 'node:test'
import { type Admin, startAdmin } from '../../server/admin/admin.ts'
import { TAILS_MAX } from '../../server/admin/tail.ts'
import { fakeSources } from './fake-sources.ts'

const fake = fakeSources()
const { search } = fake
let admin: Admin
let clients: AbortController[] = []

before(async () => {
  admin = await startAdmin({ listen: { host: '127.0.0.1', port: 0 }, token: undefined }, fake.sources)
})
after(() => admin.close())
afterEach(() => {
  for (const client of clients) client.abort()
  clients = []
})

function open(q = '', headers: Record<string, string> = {}): Promise<Response> {
  const client = new AbortController()
  clients.push(client)
  const url = `http://127.0.0.1:${admin.port}/api/v1/tail?q=${encodeURIComponent(q)}`
  return fetch(url, { headers, signal: client.signal })
}

function logsIn(data: string): string[] {
  const { hits } = JSON.parse(data) as { hits: { event: { log: string } }[] }
  return hits.map(({ event }) => event.log)
}

/** Reads until `wanted` logs have come; gives them with the ids of the frames. */
async function logsOf(response: Response, wanted: number) {
  let text = ''
  const logs: string[] = []
  const ids: string[] = []
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece
    const frames = text.split('\n\n')
    text = frames.pop()!
    for (const frame of frames) {
      const data = /^data: (.*)$/m.exec(frame)?.[1]
      ids.push(/^id: (.*)$/m.exec(frame)![1]!)
      if (data !== undefined) logs.push(...logsIn(data))
    }
    if (logs.length >= wanted) return { logs, ids }
  }
  throw new Error(`the tail ended after ${logs.length} events`)
}

it('sends what comes after it was opened, oldest first', async () => {
  search.add({ log: 'before' })
  const response = await open()
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  assert.equal(response.headers.get('x-accel-buffering'), 'no')
  assert.match(response.headers.get('content-security-policy')!, /default-src 'none'/)
  search.add({ log: 'one' })
  search.add({ log: 'two' })
  assert.deepEqual((await logsOf(response, 2)).logs, ['one', 'two'])
})

it('goes on from Last-Event-ID without a gap or a repetition', async () => {
  const response = await open()
  search.add({ log: 'first' })
  const { ids } = await logsOf(response, 1)
  clients[0]!.abort()
  search.add({ log: 'while away' })
  const again = await open('', { 'last-event-id': ids.at(-1)! })
  search.add({ log: 'after' })
  assert.deepEqual((await logsOf(again, 2)).logs, ['while away', 'after'])
})

it('gives a client that is far behind everything', async () => {
  const from = search.newest
  for (let n = 0; n < 1_700; n += 1) search.add({ log: `n${n}` })
  const { logs } = await logsOf(await open('', { 'last-event-id': from }), 1_700)
  assert.deepEqual(
    logs,
    Array.from({ length: 1_700 }, (_, n) => `n${n}`),
  )
})

it('sends only what matches', async () => {
  const response = await open('level:error')
  search.add({ log: 'no', level: 'info' })
  search.add({ log: 'yes', level: 'error' })
  assert.deepEqual((await logsOf(response, 1)).logs, ['yes'])
})

it('keeps a frame on its lines whatever the document holds', async () => {
  const response = await open()
  search.add({}, { json: '{\r\n"log":"spread\\r\\n\\n",\n\n"a":1}' })
  assert.deepEqual((await logsOf(response, 1)).logs, ['spread\r\n\n'])
})

it('answers a bad query as any other error', async () => {
  const response = await open('"open')
  const { code } = (await response.json()) as { code: string }
  assert.deepEqual([response.status, code], [400, 'LB-Q001'])
})

it('opens so many and no more, and forgets those that left', async () => {
  const responses = await Promise.all(Array.from({ length: TAILS_MAX }, () => open()))
  assert.ok(responses.every(({ status }) => status === 200))
  const refused = await open()
  const { code } = (await refused.json()) as { code: string }
  assert.deepEqual([refused.status, code], [503, 'LB-A004'])
  for (const client of clients) client.abort()
  let status = 503
  while (status === 503) status = (await open()).status
  assert.equal(status, 200)
})

it('ends when the server closes', async () => {
  const other = await startAdmin({ listen: { host: '127.0.0.1', port: 0 }, token: undefined }, fake.sources)
  const response = await fetch(`http://127.0.0.1:${other.port}/api/v1/tail`)
  await other.close()
  await assert.doesNotReject(response.text())
})
