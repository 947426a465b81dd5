import assert from 'node:assert/strict'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { type Admin, startAdmin } from '../../server/admin/admin.ts'
import { LogboomError } from '../../server/core/errors.ts'
import { fakeSources, statusReport } from './fake-sources.ts'

const listen = { host: '127.0.0.1', port: 0 }
const fake = fakeSources()
let admin: Admin
let url: string

before(async () => {
  admin = await startAdmin({ listen, token: undefined, consoleDirectory: tmpdir() }, fake.sources)
  url = `http://127.0.0.1:${admin.port}`
})
after(() => admin.close())

interface Page {
  readonly hits: readonly { readonly cursor: string; readonly event: { readonly log: string } }[]
  readonly newest: string
}
interface OpenApi {
  readonly openapi: string
  readonly paths: Record<string, { readonly get: { readonly parameters: readonly unknown[] } }>
}
interface Failure {
  readonly code: string
  readonly message: string
  readonly help: string
  readonly details: Record<string, unknown>
}

async function getJson<T = Failure>(path: string): Promise<{ status: number; body: T }> {
  const response = await fetch(url + path)
  return { status: response.status, body: (await response.json()) as T }
}

/** A request with headers that fetch would not let a test set. */
function rawStatus(path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: admin.port, path, headers }, (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
    asked.on('error', reject).end()
  })
}

describe('health', () => {
  it('/livez answers whatever the state', async () => {
    fake.sources.report = statusReport({ state: 'draining', reasons: ['draining'] })
    const response = await fetch(`${url}/livez`)
    assert.deepEqual([response.status, await response.text()], [200, 'ok\n'])
  })
  it('/readyz says 503 while there are reasons and lists them when asked', async () => {
    fake.sources.report = statusReport({ reasons: ['the buffer is full', 'starting'] })
    const short = await fetch(`${url}/readyz`)
    assert.deepEqual([short.status, await short.text()], [503, 'not ready\n'])
    const verbose = await fetch(`${url}/readyz?verbose`)
    assert.equal(await verbose.text(), 'not ready\n- the buffer is full\n- starting\n')
  })
  it('/readyz?verbose tells what is damaged, and it costs no readiness', async () => {
    fake.sources.report = statusReport()
    fake.output.set('damaged', 3)
    const response = await fetch(`${url}/readyz?verbose`)
    fake.output.set('damaged', 0)
    const told = '- output local: 3 events were damaged and passed over (LB-B006)\n'
    assert.deepEqual([response.status, await response.text()], [200, `ok\n${told}`])
  })
  it('/readyz says 200 when there is no reason', async () => {
    fake.sources.report = statusReport()
    const response = await fetch(`${url}/readyz?verbose`)
    assert.deepEqual([response.status, await response.text()], [200, 'ok\n'])
  })
})

describe('search', () => {
  it('puts the document into the answer as it is, so that int64 survives', async () => {
    fake.search.add({}, { json: '{"big":9223372036854775807,"float":1.50}', timeMs: 5_000 })
    const text = await (await fetch(`${url}/api/v1/events?from=5000&to=5001`)).text()
    assert.match(text, /"event":\{"big":9223372036854775807,"float":1\.50\}\}/)
    assert.deepEqual(JSON.parse(text).hits[0].time, 5_000)
  })
  it('pages with before and after', async () => {
    for (let n = 0; n < 5; n += 1) fake.search.add({ log: `paged ${n}`, paging: 'yes' })
    const first = (await getJson<Page>('/api/v1/events?q=paging:yes&limit=2')).body
    assert.deepEqual(
      first.hits.map((hit) => hit.event.log),
      ['paged 4', 'paged 3'],
    )
    const next = (await getJson<Page>(`/api/v1/events?q=paging:yes&limit=2&before=${first.hits[1]!.cursor}`)).body
    assert.deepEqual(
      next.hits.map((hit) => hit.event.log),
      ['paged 2', 'paged 1'],
    )
    const later = (await getJson<Page>(`/api/v1/events?q=paging:yes&after=${next.hits[0]!.cursor}`)).body
    assert.deepEqual(
      later.hits.map((hit) => hit.event.log),
      ['paged 3', 'paged 4'],
    )
    assert.equal(first.newest, fake.search.newest)
  })
  it('counts over time', async () => {
    fake.search.add({ log: 'a', histogram: 'yes' }, { timeMs: 1_000 })
    fake.search.add({ log: 'b', histogram: 'yes' }, { timeMs: 1_999 })
    const { body } = await getJson('/api/v1/histogram?q=histogram:yes&from=1000&to=2000&buckets=4')
    assert.deepEqual(body, { fromMs: 1000, bucketMs: 250, counts: [1, 0, 0, 1] })
  })
  it('lists top values', async () => {
    fake.search.add({ colour: 'red' }, { timeMs: 7_000 })
    const { body } = await getJson<unknown[]>('/api/v1/fields?from=7000&to=7001')
    assert.deepEqual(body[0], { field: 'colour', top: [{ value: 'red', count: 1 }] })
  })
  it('says where a query is wrong', async () => {
    const { status, body } = await getJson(`/api/v1/events?q=${encodeURIComponent('ab "c')}`)
    assert.deepEqual([status, body.code, body.details.position], [400, 'LB-Q001', 4])
    assert.match(body.help, /phrase/)
  })
  it('says that there is nothing to search', async () => {
    const { search } = fake.sources
    fake.sources.search = undefined
    const { status, body } = await getJson('/api/v1/events')
    fake.sources.search = search
    assert.deepEqual([status, body.code], [404, 'LB-Q002'])
  })
  for (const bad of [
    'events?limit=0',
    'events?limit=1001',
    'events?limit=x',
    'events?from=-1',
    'events?from=1.5',
    'events?unknown=1',
    'events?before=1&after=2',
    `events?q=${'x'.repeat(1_025)}`,
    'events?q=a&q=b',
    'histogram?buckets=501',
    'fields?limit=3',
  ]) {
    it(`refuses ${bad.slice(0, 40)}`, async () => {
      const { status, body } = await getJson(`/api/v1/${bad}`)
      assert.deepEqual([status, body.code], [400, 'LB-A001'])
    })
  }
})

describe('api', () => {
  it('gives the report', async () => {
    const { body } = await getJson('/api/v1/status')
    assert.deepEqual(body, JSON.parse(JSON.stringify(fake.sources.report)))
  })
  it('describes itself', async () => {
    const { body } = await getJson<OpenApi>('/api/v1/openapi.json')
    assert.equal(body.openapi, '3.1.0')
    const paths = [
      '/livez',
      '/readyz',
      '/metrics',
      ...['status', 'events', 'histogram', 'fields', 'tail'].map((p) => `/api/v1/${p}`),
      ...['', '/{output}', '/{output}/replay', '/{output}/discard'].map((p) => `/api/v1/dead-letters${p}`),
      '/api/v1/outputs/{output}/replay',
    ]
    assert.deepEqual(Object.keys(body.paths).sort(), paths.sort())
    assert.equal(body.paths['/api/v1/events']?.get.parameters.length, 6)
  })
  it('answers 404 in JSON', async () => {
    const { status, body } = await getJson('/api/v1/nothing?x=1')
    assert.deepEqual([status, body.code, body.message], [404, 'LB-A002', 'GET /api/v1/nothing is not here'])
  })
  it('takes no body', async () => {
    const response = await fetch(`${url}/api/v1/status`, { method: 'POST', body: 'x'.repeat(5_000) })
    assert.equal(response.status, 400)
  })
  it('says how to build the page where it is not built', async () => {
    const response = await fetch(`${url}/`)
    assert.match(await response.text(), /npm run build:console/)
  })
})

describe('browsers', () => {
  it('sends the headers that bind a page', async () => {
    const { headers } = await fetch(`${url}/`)
    assert.match(
      headers.get('content-security-policy')!,
      /^default-src 'none'; script-src 'self'; style-src 'self';.*frame-ancestors 'none'$/,
    )
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('referrer-policy'), 'no-referrer')
  })
  for (const host of ['127.0.0.1:1', 'localhost', 'LOCALHOST:8686', '[::1]:8686', '127.0.0.1']) {
    it(`answers the Host ${host}`, async () => assert.equal(await rawStatus('/api/v1/status', { host }), 200))
  }
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:8686', '10.0.0.1']) {
    it(`refuses the Host ${host}`, async () => assert.equal(await rawStatus('/api/v1/status', { host }), 403))
  }
  const host = '127.0.0.1:8686'
  for (const [what, headers, status] of [
    ['its own origin', { host, origin: 'http://127.0.0.1:8686', 'sec-fetch-site': 'same-origin' }, 200],
    ['another origin', { host, origin: 'https://evil.example' }, 403],
    ['another port', { host, origin: 'http://127.0.0.1:9999' }, 403],
    ['a sandboxed page', { host, origin: 'null' }, 403],
    ['a cross-site image', { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 403],
    ['a cross-site link to the API', { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 403],
  ] as const) {
    it(`answers ${status} to ${what}`, async () => assert.equal(await rawStatus('/api/v1/status', headers), status))
  }
  it('lets a link from elsewhere open the page', async () => {
    assert.equal(await rawStatus('/', { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }), 200)
  })
})

describe('the token', () => {
  let guarded: Admin
  before(async () => {
    guarded = await startAdmin({ listen, token: 'sesame', consoleDirectory: tmpdir() }, fake.sources)
  })
  after(() => guarded.close())
  const status = async (path: string, authorization?: string) => {
    const headers = authorization === undefined ? {} : { authorization }
    const response = await fetch(`http://127.0.0.1:${guarded.port}${path}`, { headers })
    await response.body?.cancel()
    return response.status
  }
  for (const path of ['/livez', '/readyz', '/']) {
    it(`is not asked for at ${path}`, async () => assert.equal(await status(path), 200))
  }
  for (const path of [
    '/metrics',
    '/api/v1/openapi.json',
    ...['status', 'events', 'tail', 'fields'].map((p) => `/api/v1/${p}`),
  ]) {
    it(`is asked for at ${path}`, async () => {
      assert.equal(await status(path), 401)
      assert.equal(await status(path, 'Bearer sesamE'), 401)
      assert.equal(await status(path, 'Bearer '), 401)
      assert.equal(await status(path, 'Bearer sesame'), 200)
    })
  }
  it('is asked for before it is said what is not there', async () => assert.equal(await status('/nothing'), 401))
  it('is not taken from the query', async () => assert.equal(await status('/api/v1/status?token=sesame'), 401))
})

describe('listening', () => {
  it('says which key to change when the port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    const port = await new Promise<number>((resolve) =>
      taken.on('listening', () => resolve((taken.address() as { port: number }).port)),
    )
    await assert.rejects(
      startAdmin({ listen: { host: '127.0.0.1', port }, token: undefined }, fake.sources),
      (error) => {
        assert.ok(error instanceof LogboomError)
        assert.deepEqual([error.code, error.details.key], ['LB-S001', 'admin.listen'])
        return true
      },
    )
    taken.close()
  })
  it('says so when the address is not of this machine', async () => {
    const address = { host: '192.0.2.1', port: 0 }
    await assert.rejects(startAdmin({ listen: address, token: 't' }, fake.sources), { code: 'LB-S002' })
  })
})
