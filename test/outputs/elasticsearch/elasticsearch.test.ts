/** The elasticsearch output over HTTP against a scripted server: what is sent, and what each fault does. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { output } from '../../../outputs/elasticsearch/elasticsearch.ts'
import { OutputError, type Writer } from '../../../outputs/output.ts'
import { LogboomError } from '../../../server/core/errors.ts'
import type { ConfigOf } from '../../../server/core/fields.ts'
import { batchOf, EventTime, idsOf, makeBatch } from '../../conformance/make-batch.ts'
import { outputContext, testOutput } from '../../conformance/output.ts'
import { answerJson, type FakeSearchServer, startFakeSearchServer } from './fake-search-server.ts'

type ElasticsearchConfig = ConfigOf<typeof output.fields>

const never = new AbortController().signal
const THREE = batchOf({ n: 0 }, { n: 1 }, { n: 2 })

function configFor(url: string, over: Partial<ElasticsearchConfig> = {}): ElasticsearchConfig {
  return {
    url: [url],
    index: 'logstash-%Y.%m.%d',
    data_stream: false,
    shape: 'document',
    tag_key: undefined,
    username: undefined,
    password: undefined,
    api_key: undefined,
    tls: { ca_path: undefined, insecure: false },
    request_timeout: 5_000,
    concurrency: 2,
    ...over,
  }
}

async function openBoth(
  t: TestContext,
  over: Partial<ElasticsearchConfig> = {},
): Promise<{ server: FakeSearchServer; writer: Writer }> {
  const server = await startFakeSearchServer()
  const writer = await output.open(configFor(server.url, over), outputContext())
  t.after(async () => {
    await writer.close()
    await server.close()
  })
  return { server, writer }
}

async function faultOf(writing: Promise<unknown>): Promise<OutputError> {
  const error = await writing.then(
    () => assert.fail('it was written'),
    (thrown) => thrown,
  )
  assert.ok(error instanceof OutputError, String(error))
  return error
}

testOutput({
  name: 'elasticsearch',
  dedupes: true,
  async open(context) {
    const server = await startFakeSearchServer()
    const texts = () => [...server.documents.values()].map(({ text }) => text)
    return {
      writer: await output.open(configFor(server.url), context),
      read: async () => texts().map((text) => JSON.parse(text)),
      readText: async () => texts().join('\n'),
      close: () => server.close(),
    }
  },
})

test('a request is one that Elasticsearch 7, 8, 9 and OpenSearch understand', async (t) => {
  const { server, writer } = await openBoth(t)
  await writer.write(THREE, never)
  const [request] = server.requests
  assert.equal(decodeURIComponent(request!.url), '/_bulk?filter_path=errors,items.*.status,items.*.error')
  assert.equal(request!.headers['content-type'], 'application/x-ndjson')
  assert.equal(request!.headers.accept, 'application/json')
  assert.equal(server.requests.length, 1, 'and no other is sent before it')
})

test('credentials are sent, by name or by key', async (t) => {
  const named = await openBoth(t, { username: 'boom', password: 'secret' })
  await named.writer.write(THREE, never)
  assert.equal(named.server.requests[0]!.headers.authorization, `Basic ${btoa('boom:secret')}`)
  const keyed = await openBoth(t, { api_key: 'a2V5' })
  await keyed.writer.write(THREE, never)
  assert.equal(keyed.server.requests[0]!.headers.authorization, 'ApiKey a2V5')
})

test('a batch that is written again is answered 409 and is done', async (t) => {
  const { server, writer } = await openBoth(t)
  await writer.write(THREE, never)
  assert.deepEqual(await writer.write(THREE, never), { rejected: [], pending: [] })
  assert.deepEqual([...server.documents.keys()], idsOf(THREE))
})

test('an answer that never comes after the events were stored costs nothing', async (t) => {
  const { server, writer } = await openBoth(t)
  server.script.push((response) => response.destroy())
  assert.deepEqual((await faultOf(writer.write(THREE, never))).reason, 'network')
  await writer.write(THREE, never)
  assert.equal(server.documents.size, 3)
})

test('an answer that is cut is tried again', async (t) => {
  const { server, writer } = await openBoth(t)
  server.script.push(answerJson(200, '{"errors":false,"items":[{"create"'), (response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' })
    response.write('{"errors":false')
    setImmediate(() => response.destroy())
  })
  assert.equal((await faultOf(writer.write(THREE, never))).fault, 'retry')
  assert.equal((await faultOf(writer.write(THREE, never))).fault, 'retry')
})

test('items are judged one by one', async (t) => {
  const { server, writer } = await openBoth(t)
  const items = [
    { create: { status: 201 } },
    { create: { status: 400, error: { type: 'document_parsing_exception', reason: 'no number' } } },
    { create: { status: 429, error: { type: 'es_rejected_execution_exception', reason: 'full' } } },
  ]
  server.script.push(answerJson(200, { errors: true, items }))
  assert.deepEqual(await writer.write(THREE, never), {
    rejected: [{ index: 1, reason: 'document_parsing_exception', detail: 'no number' }],
    pending: [2],
    pendingReason: 'throttled',
  })
})

test('a 413 with an empty body splits the batch', async (t) => {
  const { server, writer } = await openBoth(t)
  server.script.push((response) => response.writeHead(413, { connection: 'close' }).end())
  assert.equal((await faultOf(writer.write(THREE, never))).fault, 'split')
})

test('wrong credentials block', async (t) => {
  const { server, writer } = await openBoth(t)
  const error = { type: 'security_exception', reason: 'unable to authenticate user [boom]' }
  server.script.push(answerJson(401, { error, status: 401 }))
  const fault = await faultOf(writer.write(THREE, never))
  assert.equal(fault.fault, 'blocked')
  assert.match(fault.message, /401 security_exception: unable to authenticate/)
})

test('a 503 is tried again when the server asks for it', async (t) => {
  const { server, writer } = await openBoth(t)
  server.script.push(answerJson(503, '<html>', { 'content-type': 'text/html', 'retry-after': '3' }))
  const fault = await faultOf(writer.write(THREE, never))
  assert.deepEqual([fault.fault, fault.reason, fault.retryAfterMs], ['retry', 'unavailable', 3_000])
})

test('no listener is a retryable fault', async () => {
  const server = await startFakeSearchServer()
  await server.close()
  const writer = await output.open(configFor(server.url), outputContext())
  assert.equal((await faultOf(writer.write(THREE, never))).reason, 'network')
  await writer.close()
})

test('a server that does not answer is given up after the time-out', async (t) => {
  const { server, writer } = await openBoth(t, { request_timeout: 200 })
  server.script.push(() => {})
  const fault = await faultOf(writer.write(THREE, never))
  assert.deepEqual([fault.fault, fault.reason], ['retry', 'timeout'])
})

test('the signal ends a request that is waiting', async (t) => {
  const { server, writer } = await openBoth(t)
  const stop = new AbortController()
  server.script.push(() => stop.abort())
  assert.equal((await faultOf(writer.write(THREE, stop.signal))).fault, 'retry')
})

const LARGE = 'x'.repeat(3_000_000)

test('what is larger than a body goes in several, and indexes are those of the batch', async (t) => {
  const { server, writer } = await openBoth(t)
  const batch = batchOf(...Array.from({ length: 7 }, (_, n) => ({ n, log: LARGE })))
  const refuse = { create: { status: 400, error: { type: 'no', reason: 'no' } } }
  const keep = { create: { status: 201 } }
  server.script.push(
    answerJson(200, { errors: true, items: [keep, keep, refuse] }),
    answerJson(200, { errors: true, items: [refuse, keep, keep] }),
    answerJson(200, { errors: false }),
  )
  const { rejected, pending } = await writer.write(batch, never)
  assert.deepEqual(
    rejected.map(({ index }) => index),
    [2, 3],
  )
  assert.deepEqual(pending, [])
  const counts = server.requests.map(({ body }) => body.split('\n').length - 1)
  assert.deepEqual(counts, [6, 6, 2])
})

test('when a later body has to wait, the earlier ones are done', async (t) => {
  const { server, writer } = await openBoth(t)
  const batch = batchOf(...Array.from({ length: 5 }, (_, n) => ({ n, log: LARGE })))
  server.script.push(answerJson(200, { errors: false }), answerJson(429, {}, { 'retry-after': '2' }))
  const result = await writer.write(batch, never)
  assert.deepEqual(result, { rejected: [], pending: [3, 4], pendingReason: 'throttled', retryAfterMs: 2_000 })
})

test('batches side by side do not mix', async (t) => {
  const { server, writer } = await openBoth(t)
  const batches = Array.from({ length: 8 }, (_, n) =>
    makeBatch([
      { position: n * 100, events: Array.from({ length: 50 }, (__, at) => ({ record: { at: n * 100 + at } })) },
    ]),
  )
  await Promise.all(batches.map((batch) => writer.write(batch, never)))
  assert.equal(server.documents.size, 400)
  for (const { text } of server.documents.values()) {
    const { at, sequence } = JSON.parse(text)
    assert.equal(sequence, 1 + at * 2)
  }
})

test('the index is that of the day of the event, within bounds', async (t) => {
  const { server, writer } = await openBoth(t)
  const received = Date.UTC(2026, 10, 20, 12)
  const day = 86_400
  const now = received / 1000
  const times = [now, now - 43_201, now + day, now + 3 * day, now - 399 * day, now - 402 * day, 1, 0]
  const events = times.map((seconds) => ({ time: new EventTime(seconds, 0), record: {} }))
  await writer.write(makeBatch([{ receivedMs: received, events }]), never)
  assert.deepEqual(
    [...server.documents.values()].map(({ index }) => index.slice(9)),
    ['2026.11.20', '2026.11.19', '2026.11.21', '2026.11.20', '2025.10.17', '2026.11.20', '2026.11.20', '2026.11.20'],
  )
})

test('a data stream is written by its own name', async (t) => {
  const { server, writer } = await openBoth(t, { index: 'logs-docker-default', data_stream: true })
  await writer.write(THREE, never)
  assert.deepEqual(new Set([...server.documents.values()].map(({ index }) => index)), new Set(['logs-docker-default']))
})

const certificate = new URL('../../golden/outputs/tls-cert.pem', import.meta.url).pathname
const tlsChoices: [string, { ca_path?: string; insecure: boolean }, boolean][] = [
  ['a certificate that is not trusted blocks', { insecure: false }, false],
  ['a certificate of the CA that is given is trusted', { ca_path: certificate, insecure: false }, true],
  ['insecure trusts any certificate', { insecure: true }, true],
]
for (const [name, { ca_path, insecure }, works] of tlsChoices) {
  test(`https: ${name}`, async () => {
    const key = readFileSync(new URL('../../golden/outputs/tls-key.pem', import.meta.url))
    const server = await startFakeSearchServer({ key, cert: readFileSync(certificate) })
    const writer = await output.open(configFor(server.url, { tls: { ca_path, insecure } }), outputContext())
    if (works) assert.deepEqual(await writer.write(THREE, never), { rejected: [], pending: [] })
    else assert.deepEqual((await faultOf(writer.write(THREE, never))).fault, 'blocked')
    await writer.close()
    await server.close()
  })
}

const unopenable: [string, Partial<ElasticsearchConfig>][] = [
  ['an unknown directive', { index: 'logs-%Q' }],
  ['a data stream with a date', { data_stream: true }],
  ['a CA file that is not there', { tls: { ca_path: '/nonexistent/ca.pem', insecure: false } }],
  ['a URL that is none', { url: ['not a url'] }],
]
for (const [name, over] of unopenable) {
  test(`cannot be opened: ${name}`, async () => {
    const opening = Promise.resolve(output.open(configFor('http://127.0.0.1:1', over), outputContext()))
    await assert.rejects(opening, (error) => error instanceof LogboomError && error.code === 'LB-O004')
  })
}
