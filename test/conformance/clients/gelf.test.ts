/** GELF as its clients really send it, over sockets: each test is named by its statement of the conformance list. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { describe, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { deflateSync, gzipSync } from 'node:zlib'
import {
  capturedDatagrams,
  chunk,
  chunksOf,
  type Event,
  gelf,
  ID,
  startGelf,
  tcpSender,
  udpSender,
} from '../../protocols/gelf/gelf-under-test.ts'
import { TLS } from '../../protocols/listening/listener-under-test.ts'

const RECORD = { host: 'web', short_message: 'hello' }

/** Sends one message as a datagram. */
async function eventOf(message: Buffer | string): Promise<Event> {
  const input = await startGelf()
  await (await udpSender(input.port))(message)
  return (await input.received(1))[0]!
}

describe('71 UDP: plain, gzip, zlib', () => {
  test('71 plain JSON', async () => assert.deepEqual((await eventOf(gelf())).record, RECORD))
  test('71 gzip', async () => assert.deepEqual((await eventOf(gzipSync(gelf()))).record, RECORD))
  for (const level of [0, 1, 6, 9]) {
    test(`71 zlib of level ${level}`, async () => {
      const packed = deflateSync(gelf(), { level })
      assert.deepEqual((await eventOf(packed)).record, RECORD)
    })
  }
})

describe('72 chunks', () => {
  const message = gzipSync(gelf({ full_message: [...Array(3_000).keys()].join(' ') }))
  const expected = [...Array(3_000).keys()].join(' ')

  test('72 in order, backwards, doubled', async () => {
    const input = await startGelf()
    const send = await udpSender(input.port)
    const orders = [(c: Buffer[]) => c, (c: Buffer[]) => c.toReversed(), (c: Buffer[]) => [...c, ...c, c[0]!]]
    for (const [i, order] of orders.entries()) await send(...order(chunksOf(message, 500, Buffer.alloc(8, i))))
    await send(gelf({ short_message: 'last' }))
    const events = await input.received(4)
    assert.equal(events.filter(({ record }) => record.full_message === expected).length, 3)
    assert.equal(input.stats.rejected.malformed + input.stats.rejected.chunk_missing, 0)
  })

  test('72 a count of 1', async () => assert.deepEqual((await eventOf(chunk(ID, 0, 1, gelf()))).record, RECORD))

  test('72 an empty last chunk', async () => {
    const input = await startGelf()
    const chunks = chunksOf(gelf(), gelf().length / 2)
    assert.equal(chunks.at(-1)!.length, 12)
    await (await udpSender(input.port))(...chunks)
    assert.deepEqual((await input.received(1))[0]!.record, RECORD)
  })

  test('72 a chunk that does not come: counted, and told by its number', async () => {
    const input = await startGelf({ chunk_timeout: 100 })
    const chunks = chunksOf(gelf({ x: 'y'.repeat(500) }), 120)
    await (await udpSender(input.port))(...chunks.filter((_, i) => i !== 2))
    await input.refused('chunk_missing')
    assert.match(input.warnings.join('\n'), /127\.0\.0\.1: GELF chunk 3 of 5 never came/)
    assert.equal(input.events.length, 0)
  })
})

describe('73 chunks that cannot be', () => {
  const WRONG: [string, Buffer][] = [
    ['a count of 0', chunk(ID, 0, 0, gelf())],
    ['a count of 129', chunk(ID, 0, 129, gelf())],
    ['a sequence as high as the count', chunk(ID, 2, 2, gelf())],
    ['less than 12 bytes', chunk(ID, 0, 1, Buffer.alloc(0)).subarray(0, 11)],
    ['two bytes', Buffer.of(0x1e, 0x0f)],
  ]
  for (const [what, datagram] of WRONG) {
    test(`73 ${what}: dropped and counted`, async () => {
      const input = await startGelf()
      await (await udpSender(input.port))(datagram, gelf())
      await input.received(1)
      assert.equal(input.stats.rejected.malformed, 1)
    })
  }
})

test('74 a datagram of 65,507 bytes is read whole', async () => {
  const rest = 65_507 - gelf({ full_message: '' }).length
  const message = gelf({ full_message: 'x'.repeat(rest) })
  assert.equal(message.length, 65_507)
  assert.equal(((await eventOf(message)).record.full_message as string).length, rest)
})

test('75 two senders with one id are two messages', async () => {
  const input = await startGelf()
  const [one, other] = [await udpSender(input.port), await udpSender(input.port, '127.0.0.2')]
  const [a, b] = [chunksOf(gelf({ n: 'a' }), 30), chunksOf(gelf({ n: 'b' }), 30)]
  for (let i = 0; i < a.length; i += 1) {
    await one(a[i]!)
    await other(b[i]!)
  }
  const events = await input.received(2)
  assert.deepEqual(events.map(({ record }) => record.n).sort(), ['a', 'b'])
})

describe('76 TCP', () => {
  test('76 zero bytes end messages, empty ones are skipped, the last needs none', async () => {
    const input = await startGelf()
    const { write, socket } = await tcpSender(input.port)
    await write(Buffer.concat([Buffer.from('\0\0'), gelf({ n: 1 }), Buffer.from('\0\0\0'), gelf({ n: 2 })]))
    socket.end()
    const events = await input.received(2)
    assert.deepEqual(
      events.map(({ record }) => record.n),
      [1, 2],
    )
    assert.equal(input.stats.rejected.malformed, 0)
  })

  test('76 a message larger than the limit is counted, the next one is taken', async () => {
    const input = await startGelf({ message_size_limit: 1_024 })
    const { write } = await tcpSender(input.port)
    await write(gelf({ full_message: 'x'.repeat(5_000) }))
    await write(Buffer.from('\0'))
    await write(Buffer.concat([gelf(), Buffer.from('\0')]))
    assert.deepEqual((await input.received(1))[0]!.record, RECORD)
    assert.equal(input.stats.rejected.oversize, 1)
  })

  test('76 over TLS', async () => {
    const input = await startGelf({ tls: TLS })
    assert.deepEqual(input.addresses, [`127.0.0.1:${input.port} tls`])
    const socket = connectTls({ host: '127.0.0.1', port: input.port, rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    socket.end(Buffer.concat([gelf(), Buffer.from('\0')]))
    assert.deepEqual((await input.received(1))[0]!.record, RECORD)
  })
})

interface Answer {
  readonly status: number
  readonly allow: string | undefined
  readonly body: string
}

async function ask(port: number, options: { path?: string; method?: string; headers?: object }, body?: Buffer) {
  const { path = '/gelf', method = 'POST', headers = {} } = options
  const asked = request({ host: '127.0.0.1', port, path, method, headers: { ...headers }, agent: false })
  asked.end(body)
  const [response] = await once(asked, 'response')
  let text = ''
  for await (const piece of response) text += piece
  return { status: response.statusCode, allow: response.headers.allow, body: text } as Answer
}

describe('77 HTTP', () => {
  const zlib = deflateSync(gelf())
  const BODIES: [string, Buffer, object][] = [
    ['plain', gelf(), { 'content-type': 'application/json' }],
    ['without a content type', gelf(), {}],
    ['as a form, as curl sends it', gelf(), { 'content-type': 'application/x-www-form-urlencoded' }],
    ['gzip', gzipSync(gelf()), { 'content-encoding': 'gzip' }],
    ['zlib', zlib, { 'content-encoding': 'deflate' }],
    ['zlib that is called gzip,deflate, as of graypy', zlib, { 'content-encoding': 'gzip,deflate' }],
    ['plain that is called gzip', gelf(), { 'content-encoding': 'gzip' }],
    [
      'with an upgrade to HTTP/2',
      gelf(),
      { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': '' },
    ],
  ]
  for (const [what, body, headers] of BODIES) {
    test(`77 a body ${what}: 202`, async () => {
      const input = await startGelf({ transport: 'http' })
      const { status, body: text } = await ask(input.port, { headers }, body)
      assert.deepEqual([status, text], [202, ''])
      assert.deepEqual(input.events[0]!.record, RECORD)
      assert.equal(input.stats.events, 1)
    })
  }

  test('77 other paths 404, other methods 405, OPTIONS 200, no GELF 400, too large 413', async () => {
    const input = await startGelf({ transport: 'http', message_size_limit: 1_024 })
    const { port } = input
    assert.equal((await ask(port, { path: '/other' }, gelf())).status, 404)
    assert.deepEqual(await ask(port, { method: 'GET' }), { status: 405, allow: 'POST, OPTIONS', body: '' })
    assert.equal((await ask(port, { method: 'OPTIONS' })).status, 200)
    assert.match((await ask(port, {}, Buffer.from('hello'))).body, /LB-G003.*no JSON object/)
    assert.equal((await ask(port, {}, Buffer.from('hello'))).status, 400)
    assert.equal((await ask(port, {}, gelf({ x: 'x'.repeat(2_000) }))).status, 413)
    assert.equal(input.events.length, 0)
    assert.deepEqual([input.stats.rejected.malformed, input.stats.rejected.oversize], [2, 1])
  })

  test('77 what is not stored is not answered 202', async () => {
    const input = await startGelf({ transport: 'http', emit: () => Promise.reject(new Error('the disk is full')) })
    const { status, body } = await ask(input.port, {}, gelf())
    assert.equal(status, 503)
    assert.match(body, /the disk is full/)
  })
})

describe('78 what is missing', () => {
  const MESSAGES: [string, object, object][] = [
    ['version', { host: 'web', short_message: 'x' }, { host: 'web', short_message: 'x' }],
    ['a newer version', { version: '1.0', host: 'web', short_message: 'x' }, { host: 'web', short_message: 'x' }],
    ['host', { version: '1.1', short_message: 'x' }, { short_message: 'x' }],
    ['short_message, there is a message', { host: 'web', message: 'x' }, { host: 'web', message: 'x' }],
  ]
  for (const [what, message, record] of MESSAGES) {
    test(`78 ${what}`, async () => assert.deepEqual((await eventOf(JSON.stringify(message))).record, record))
  }
})

describe('79 timestamp', () => {
  const TIMES: [string, number, number][] = [
    ['1700000000', 1_700_000_000, 0],
    ['1700000000.123456', 1_700_000_000, 123_456_000],
    ['1700000000.1234567891', 1_700_000_000, 123_456_789],
    ['1545401488441', 1_545_401_488, 441_000_000],
    ['"1700000000.5"', 1_700_000_000, 500_000_000],
    ['"1545401488441"', 1_545_401_488, 441_000_000],
    ['1.7E9', 1_700_000_000, 0],
    ['"2018-12-21T14:11:28.441Z"', 1_545_401_488, 441_000_000],
    ['"2018-12-21T15:11:28.441+01:00"', 1_545_401_488, 441_000_000],
  ]
  for (const [text, seconds, nanoseconds] of TIMES) {
    test(`79 ${text}`, async () => {
      const event = await eventOf(`{"short_message":"x","timestamp":${text}}`)
      assert.deepEqual(event, { tag: 'gelf', seconds, nanoseconds, record: { short_message: 'x' } })
    })
  }

  const NO_TIMES: [string, object][] = [
    ['0', {}],
    ['-5', {}],
    ['99999999999999999999', {}],
    ['null', {}],
    ['"yesterday"', { timestamp: 'yesterday' }],
  ]
  for (const [text, rest] of NO_TIMES) {
    test(`79 ${text}: the time of receipt`, async () => {
      const before = Math.floor(Date.now() / 1000)
      const { seconds, record } = await eventOf(`{"timestamp":${text},"short_message":"x"}`)
      assert.ok(seconds >= before && seconds <= Date.now() / 1000)
      assert.deepEqual(record, { ...rest, short_message: 'x' })
    })
  }
})

describe('80 fields', () => {
  const FIELDS: [string, string, object][] = [
    ['level as text', '{"level":"6"}', { level: 6 }],
    ['a level out of range', '{"level":25}', { level: 25 }],
    ['a level in words', '{"level":"warn"}', { level: 'warn' }],
    ['extras with and without underscore', '{"_a":1,"b":2,"facility":"x"}', { a: 1, b: 2, facility: 'x' }],
    ['true, false, null', '{"_t":true,"_f":false,"_n":null}', { t: true, f: false, n: null }],
    ['lists and objects', '{"_o":{"_x":[1,{}]}}', { o: { _x: [1, {}] } }],
    ['_id, which is an ordinary field', '{"_id":"1"}', { id: '1' }],
    ['__id too', '{"__id":"1"}', { id: '1' }],
    ['an extra with a name of its own', '{"host":"a","_host":"b"}', { host: 'a', _host: 'b' }],
    ['the last one of the same name', '{"_a":1,"a":2}', { a: 2 }],
    ['control characters, a comma too many', '{"a":"x\ty\n",}', { a: 'x\ty\n' }],
  ]
  for (const [what, text, record] of FIELDS) {
    test(`80 ${what}`, async () => assert.deepEqual((await eventOf(text)).record, record))
  }

  test('80 bytes that are no UTF-8 come through', async () => {
    let packed = Buffer.alloc(0)
    const input = await startGelf({
      emit: async (stream) => {
        packed = Buffer.from(stream.packed as Uint8Array)
      },
    })
    await (await udpSender(input.port))(Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff), Buffer.from('"}')]))
    await input.received(1)
    assert.equal(packed.subarray(-5).toString('hex'), '81a161a1ff')
  })
})

describe('81 numbers', () => {
  const NUMBERS: [string, unknown][] = [
    ['1E+400', '1E+400'],
    ['-1e400', '-1e400'],
    ['1e-400', '1e-400'],
    ['123456789012345678901234567890', '123456789012345678901234567890'],
    ['0.1234567890123456789', '0.1234567890123456789'],
    ['18446744073709551615', 18_446_744_073_709_551_615n],
    ['9007199254740993', 9_007_199_254_740_993n],
    ['0.1', 0.1],
    ['1e22', 1e22],
    [`1${'0'.repeat(1_000)}`, `1${'0'.repeat(1_000)}`],
  ]
  for (const [text, value] of NUMBERS) {
    test(`81 ${text.slice(0, 40)}`, async () =>
      assert.deepEqual((await eventOf(`{"_n":${text}}`)).record, { n: value }))
  }
})

describe("captures of Docker's driver", () => {
  const CAPTURES = [
    'gelf-01-lines',
    'gelf-02-zlib',
    'gelf-03-none',
    'gelf-06-chunks-none',
    'gelf-07-chunks-gzip',
    'gelf-08-chunks-zlib',
    'gelf-09-labels-env-tag',
    'gelf-10-binary',
    'gelf-17-chunk-boundary-none',
  ]
  for (const name of CAPTURES) {
    test(`71 72 ${name}: every message, none refused`, async () => {
      const expected = JSON.parse(
        readFileSync(new URL(`../../golden/gelf/${name}.messages.json`, import.meta.url), 'utf8'),
      ) as { seconds: number; nanoseconds: number; record: object }[]
      const input = await startGelf()
      await (await udpSender(input.port))(...capturedDatagrams(name))
      const events = await input.received(expected.length)
      assert.deepEqual(
        events.map(({ tag: _, ...event }) => event),
        expected,
      )
      assert.deepEqual(
        Object.values(input.stats.rejected).filter((count) => count > 0),
        [],
      )
    })
  }

  test('76 gelf-04-tcp: every message, none refused', async () => {
    const input = await startGelf()
    const { socket } = await tcpSender(input.port)
    const bytes = readFileSync(new URL('../../golden/gelf/gelf-04-tcp.conn1.bin', import.meta.url))
    socket.end(bytes)
    const count = bytes.filter((byte) => byte === 0).length
    const events = await input.received(count)
    assert.deepEqual(new Set(events.map(({ record }) => record.host)).size, 1)
    assert.equal(input.stats.rejected.malformed, 0)
  })
})
