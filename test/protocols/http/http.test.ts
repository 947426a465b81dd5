import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { pack } from 'msgpackr'
import { eventually } from '../input-rig.ts'
import { startHttp } from './http-config.ts'

const NONE = '0.000000000'
const records = (input: { events: { record: unknown }[] }) => input.events.map(({ record }) => record)

describe('the HTTP input', () => {
  it('takes the path as the tag, and answers 200 once the events are durable', async () => {
    const durable = Promise.withResolvers<void>()
    const input = await startHttp({}, { emit: () => durable.promise })
    let answered = false
    const answer = input.post('/docker/web.1', '{"log":"a"}').finally(() => {
      answered = true
    })
    await eventually(() => input.stats.bytes > 0)
    assert.equal(answered, false)
    durable.resolve()
    const { status, answer: body } = await answer
    assert.deepEqual([status, body], [200, { events: 1 }])
    assert.deepEqual(input.events, [{ tag: 'docker.web.1', time: NONE, record: { log: 'a' } }])
    assert.equal(input.stats.events, 1)
  })

  for (const [path, tag] of [
    ['/a/b/', 'a.b'],
    ['//a//b', 'a.b'],
    ['/caf%C3%A9/x?time=0', 'café.x'],
    ['/a%2Fb', 'a/b'],
  ] as const) {
    it(`takes ${path} as ${tag}`, async () => {
      const input = await startHttp()
      await input.post(path, '{}')
      assert.equal(input.events[0]!.tag, tag)
    })
  }

  it('has a tag of its own, and a prefix', async () => {
    const fixed = await startHttp({ tag: 'web', add_tag_prefix: 'in' })
    await fixed.post('/whatever', '{}')
    await fixed.post('/', '{}')
    assert.deepEqual(
      fixed.events.map(({ tag }) => tag),
      ['in.web', 'in.web'],
    )
    const prefixed = await startHttp({ add_tag_prefix: 'in' })
    await prefixed.post('/a', '{}')
    assert.equal(prefixed.events[0]!.tag, 'in.a')
  })

  const BODIES: readonly [string, string | Buffer, Record<string, string>][] = [
    ['an object', '{"n":1}', {}],
    ['an array', '[{"n":1}]', {}],
    ['NDJSON', '{"n":1}\n', { 'content-type': 'application/x-ndjson' }],
    ['JSON with a charset', '{"n":1}', { 'content-type': 'application/json; charset=utf-8' }],
    ['msgpack', pack({ n: 1 }), { 'content-type': 'application/msgpack' }],
    [
      'a form with json',
      `json=${encodeURIComponent('{"n":1}')}`,
      { 'content-type': 'application/x-www-form-urlencoded' },
    ],
    ['a form with msgpack', `x=1&msgpack=%81%A1n%01`, { 'content-type': 'application/x-www-form-urlencoded' }],
    ['JSON that is sent as a form', '{"n":1}', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['gzip', gzipSync('{"n":1}'), { 'content-encoding': 'gzip' }],
    ['gzip of two members', Buffer.concat([gzipSync('{"n":'), gzipSync('1}')]), { 'content-encoding': 'gzip' }],
    ['deflate', deflateSync('{"n":1}'), { 'content-encoding': 'deflate' }],
    ['zstd', zstdCompressSync('{"n":1}'), { 'content-encoding': 'zstd' }],
  ]
  for (const [name, body, headers] of BODIES) {
    it(`takes ${name}`, async () => {
      const input = await startHttp()
      const { status, answer } = await input.post('/t', body, headers)
      assert.deepEqual([status, answer], [200, { events: 1 }])
      assert.deepEqual(records(input), [{ n: 1 }])
    })
  }

  it('takes a body without a content type by its first byte', async () => {
    const input = await startHttp()
    for (const body of [Buffer.from('{"n":1}'), pack({ n: 1 })]) {
      await fetch(`${input.url}/t`, { method: 'POST', body: new Uint8Array(body) })
    }
    assert.deepEqual(records(input), [{ n: 1 }, { n: 1 }])
  })

  for (const [name, path, body, time, record] of [
    ['a time in seconds', '/t', '{"time":5.25,"a":1}', '5.250000000', { a: 1 }],
    ['a time of RFC 3339', '/t', '{"a":1,"time":"1970-01-01T00:00:07Z"}', '7.000000000', { a: 1 }],
    ['a time that is none', '/t', '{"time":"soon"}', NONE, { time: 'soon' }],
    ['the parameter, which wins', '/t?time=9.5', '{"time":5}', '9.500000000', { time: 5 }],
    ['the parameter as RFC 3339', '/t?time=1970-01-01T00:00:07.5Z', '{}', '7.500000000', {}],
    ['the parameter 0, which is none', '/t?time=0', '{"time":5}', '5.000000000', {}],
  ] as const) {
    it(`has ${name}`, async () => {
      const input = await startHttp()
      await input.post(path, body)
      assert.deepEqual(input.events, [{ tag: 't', time, record }])
    })
  }

  it('takes a record of 20 keys without its time', async () => {
    const input = await startHttp()
    const keys = Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`k${n}`, n]))
    await input.post('/t', JSON.stringify({ ...keys, time: 5, last: true }))
    assert.deepEqual(input.events, [{ tag: 't', time: '5.000000000', record: { ...keys, last: true } }])
  })

  it('takes 64 MB in many chunks in one piece, through a file', async () => {
    const input = await startHttp({ body_size_limit: 2 ** 27 })
    const chunk = Buffer.from(`${JSON.stringify({ log: 'x'.repeat(1_000) })}\n`.repeat(1_000))
    let chunks = 64
    const body = new ReadableStream({
      pull: (controller) => (chunks-- > 0 ? controller.enqueue(new Uint8Array(chunk)) : controller.close()),
    })
    const { status, answer } = await input.post('/t', body)
    assert.deepEqual([status, answer], [200, { events: 64_000 }])
    assert.equal(input.streams.length, 1)
    assert.equal(input.events.length, 64_000)
    assert.deepEqual(
      input.spools.map(({ discarded }) => discarded),
      [true],
    )
  })

  it('hands the header X-Logboom-Chunk on, and gives the same bytes for the same request', async () => {
    const input = await startHttp()
    for (let n = 0; n < 2; n += 1) await input.post('/t', '{"a":1}', { 'x-logboom-chunk': 'batch-7' })
    const [first, second] = input.streams
    assert.equal(Buffer.from(first!.chunkId!).toString(), 'batch-7')
    assert.deepEqual(first!.packed, second!.packed)
  })

  it('says that it is there', async () => {
    const input = await startHttp()
    const response = await fetch(`${input.url}/`)
    assert.deepEqual([response.status, await response.json()], [200, { status: 'ok' }])
  })

  it('takes many requests on one connection, also after one that was refused', async () => {
    const input = await startHttp()
    const socket = await input.connect()
    const answers: Buffer[] = []
    socket.on('data', (read) => answers.push(read))
    const request = (body: string) =>
      `POST /t HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    socket.write(request('{"n":1}') + request('{"n":') + request('{"n":3}'))
    await input.taken(2)
    await eventually(() => Buffer.concat(answers).toString().split('HTTP/1.1 200').length === 3)
    assert.match(Buffer.concat(answers).toString(), /HTTP\/1\.1 400/)
    assert.deepEqual(records(input), [{ n: 1 }, { n: 3 }])
  })

  it('finishes the request that is under way when it closes', async () => {
    const durable = Promise.withResolvers<void>()
    const input = await startHttp({}, { emit: () => durable.promise })
    const answer = input.post('/t', '{"a":1}')
    await eventually(() => input.stats.bytes > 0)
    const closed = input.listener.close()
    durable.resolve()
    assert.equal((await answer).status, 200)
    await closed
    await assert.rejects(fetch(`${input.url}/`))
  })
})

describe('a web page', () => {
  it('may send nothing unless its origin is named', async () => {
    const input = await startHttp({ cors_allow_origins: ['https://shop.example'] })
    const foreign = await input.post('/t', '{}', { origin: 'https://evil.example' })
    assert.deepEqual([foreign.status, foreign.answer.code], [403, 'LB-H009'])
    const own = await input.post('/t', '{}', { origin: 'https://shop.example' })
    assert.equal(own.status, 200)
    assert.equal(own.headers.get('access-control-allow-origin'), 'https://shop.example')
    const preflight = await fetch(`${input.url}/t`, { method: 'OPTIONS', headers: { origin: 'https://shop.example' } })
    assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-methods')], [204, 'POST'])
    assert.equal(input.events.length, 1)
  })
})

it('says what speaks another protocol', async () => {
  const input = await startHttp()
  const socket = await input.connect()
  socket.write(Buffer.from('94ac616263646566313233343536ce6553f1008080', 'hex'))
  await once(socket, 'close')
  assert.equal(input.stats.rejected.wrong_protocol, 1)
  assert.match(input.stats.knocks.list[0]!.text, /spoke Fluent Forward on the HTTP port of `http`/)
})
