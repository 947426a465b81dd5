import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { RejectReason } from '../../../server/core/metrics.ts'
import { eventually } from '../input-rig.ts'
import { startHttp } from './http-config.ts'

const MIB = 1024 * 1024
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const LIMITS = { body_size_limit: MIB, decompression_size_limit: 4 * MIB }
const bomb = Buffer.from(`{"a":"${'x'.repeat(1_000)}"}`.repeat(20_000))

/** What is sent, and the answer; nothing of any is stored. */
const REFUSED: [string, string, string | Uint8Array, Record<string, string>, number, string, RejectReason][] = [
  ['JSON with a fault behind good records', '/t', '{"a":1}\n{"b":}\n', {}, 400, 'LB-H001', 'malformed'],
  ['a body that is empty', '/t', '', {}, 400, 'LB-H001', 'malformed'],
  ['gzip that is none', '/t', '{"a":1}', { 'content-encoding': 'gzip' }, 400, 'LB-H001', 'malformed'],
  [
    'gzip that is cut',
    '/t',
    gzipSync('{"a":1}').subarray(0, 20),
    { 'content-encoding': 'gzip' },
    400,
    'LB-H001',
    'malformed',
  ],
  ['a form without records', '/t', 'a=1', FORM, 400, 'LB-H004', 'malformed'],
  ['a time that is none', '/t?time=soon', '{}', {}, 400, 'LB-H004', 'malformed'],
  ['a chunk id that is too long', '/t', '{}', { 'x-logboom-chunk': 'x'.repeat(300) }, 400, 'LB-H004', 'malformed'],
  ['no tag', '/', '{}', {}, 400, 'LB-H003', 'bad_tag'],
  ['a tag that is too long', `/${'x'.repeat(1_100)}`, '{}', {}, 400, 'LB-H003', 'bad_tag'],
  ['a tag with a line end', '/a%0ab', '{}', {}, 400, 'LB-H003', 'bad_tag'],
  ['a tag with a zero byte', '/a%00b', '{}', {}, 400, 'LB-H003', 'bad_tag'],
  ['a content type that is not taken', '/t', 'x', { 'content-type': 'text/csv' }, 415, 'LB-H005', 'unsupported'],
  ['an inherited name as a type', '/t', 'x', { 'content-type': 'constructor' }, 415, 'LB-H005', 'unsupported'],
  ['two encodings', '/t', 'x', { 'content-encoding': 'gzip, gzip' }, 415, 'LB-H005', 'unsupported'],
  ['a body over the limit', '/t', Buffer.alloc(2 * MIB, 0x20), {}, 413, 'LB-H002', 'oversize'],
  ['a gzip bomb', '/t', gzipSync(bomb), { 'content-encoding': 'gzip' }, 413, 'LB-H007', 'bomb'],
  ['a zstd bomb', '/t', zstdCompressSync(bomb), { 'content-encoding': 'zstd' }, 413, 'LB-H007', 'bomb'],
  ['a gzip bomb in a form', '/t', gzipSync(bomb), { ...FORM, 'content-encoding': 'gzip' }, 413, 'LB-H007', 'bomb'],
]

describe('what is refused leaves nothing behind', () => {
  for (const [name, path, body, headers, status, code, reason] of REFUSED) {
    it(name, async () => {
      const input = await startHttp(LIMITS)
      const { status: answered, answer } = await input.post(path, body, headers)
      assert.deepEqual([answered, answer.code], [status, code], JSON.stringify(answer))
      assert.deepEqual([input.events, input.streams], [[], []])
      assert.equal(input.stats.rejected[reason], 1)
      assert.equal(input.stats.knocks.list[0]!.code, code)
      assert.ok(input.spools.every(({ discarded }) => discarded))
      // The next one is as welcome as ever.
      assert.equal((await input.post('/t', '{"a":1}')).status, 200)
    })
  }

  it('a body without a length, over the limit', async () => {
    const input = await startHttp(LIMITS)
    let chunks = 40
    const body = new ReadableStream({
      pull: (to) => (chunks-- > 0 ? to.enqueue(new Uint8Array(65_536).fill(0x20)) : to.close()),
    })
    const { status, answer } = await input.post('/t', body)
    assert.deepEqual([status, answer.code], [413, 'LB-H002'])
  })

  it('the answer says where the first fault is', async () => {
    const input = await startHttp()
    const { answer } = await input.post('/t', '{"a":1}\n{"b":2}\n{"c":nope}\n')
    assert.deepEqual(answer, {
      code: 'LB-H001',
      message: 'the body cannot be read at line 3, byte 21: not JSON',
      help: 'Nothing of this request was stored; mend it and send it again.',
      details: { place: 'line 3, byte 21', reason: 'not JSON', offset: 21, line: 3 },
    })
  })

  it('other methods', async () => {
    const input = await startHttp()
    const response = await fetch(`${input.url}/t`, { method: 'PUT', body: '{}' })
    assert.deepEqual([response.status, response.headers.get('allow')], [405, 'GET, POST, OPTIONS'])
  })

  it('a client that goes away within a request', async () => {
    const input = await startHttp()
    const socket = await input.connect()
    socket.write('POST /t HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":1}')
    await eventually(() => input.stats.bytes > 0)
    socket.destroy()
    await eventually(() => input.stats.rejected.truncated === 1)
    assert.deepEqual(input.events, [])
  })

  it('what is not HTTP at all', async () => {
    const input = await startHttp()
    const socket = await input.connect()
    socket.write('GET\0 / HTTP/1.1\r\n\r\n')
    await once(socket, 'close')
    assert.equal(input.stats.rejected.malformed, 1)
  })

  it('what the buffer does not take', async () => {
    const input = await startHttp({}, { emit: () => Promise.reject(new Error('the disk is full')) })
    const { status, answer, headers } = await input.post('/t', '{"a":1}')
    assert.deepEqual([status, answer.code, headers.get('retry-after')], [503, 'LB-H011', '1'])
    assert.equal(input.stats.events, 0)
  })
})

describe('the token', () => {
  for (const [name, headers, status] of [
    ['none', {}, 401],
    ['a wrong one', { authorization: 'Bearer secre' }, 401],
    ['a longer one', { authorization: 'Bearer secrets' }, 401],
    ['another scheme', { authorization: 'Basic secret' }, 401],
    ['the right one', { authorization: 'Bearer secret' }, 200],
  ] as const) {
    it(`${name}: ${status}`, async () => {
      const input = await startHttp({ token: 'secret' })
      const answer = await input.post('/t', '{"a":1}', headers)
      assert.equal(answer.status, status)
      assert.equal(input.events.length, status === 200 ? 1 : 0)
      assert.ok(!JSON.stringify([answer.answer, input.warnings, input.stats.knocks.list]).includes('secret"'))
      if (status === 401) assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="logboom"')
    })
  }
})

describe('back-pressure', () => {
  it('answers 429 when a request waits for the disk too long, and 200 again afterwards', async () => {
    const durable = Promise.withResolvers<void>()
    const input = await startHttp({}, { emit: () => durable.promise })
    const first = input.post('/t', '{"n":1}')
    let busy: Awaited<typeof first> | undefined
    const waiting: Promise<Awaited<typeof first>>[] = [first]
    // Each is let in until the first has waited long enough.
    while (busy === undefined) {
      const next = input.post('/t', '{"n":2}')
      const answered = await Promise.race([next, new Promise<undefined>((resolve) => setTimeout(resolve, 100))])
      if (answered === undefined) waiting.push(next)
      else busy = answered
    }
    assert.deepEqual([busy.status, busy.answer.code, busy.headers.get('retry-after')], [429, 'LB-H006', '1'])
    durable.resolve()
    for (const { status } of await Promise.all(waiting)) assert.equal(status, 200)
    assert.equal((await input.post('/t', '{"n":3}')).status, 200)
    assert.equal(input.events.length, waiting.length + 1)
    assert.equal(input.stats.rejected.buffer, 1)
  })

  it('answers 429 when all requests together hold too much', async () => {
    const durable = Promise.withResolvers<void>()
    const input = await startHttp({}, { emit: () => durable.promise })
    const big = `{"a":"${'x'.repeat(7 * MIB)}"}`
    const answers = await Promise.race([
      Promise.all(Array.from({ length: 12 }, () => input.post('/t', big))),
      eventually(() => input.stats.rejected.buffer > 0),
    ])
    assert.equal(answers, undefined)
    durable.resolve()
  })
})
