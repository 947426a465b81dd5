import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { NOON_MS, type TakenEvent } from '../input-rig.ts'
import { sendDatagrams } from '../syslog/syslog-config.ts'
import { startJson } from './json-config.ts'

const NOON = `${NOON_MS / 1_000}.000000000`
const recordsOf = (events: readonly TakenEvent[]) => events.map(({ record }) => record)

/** What is sent, and the records that it becomes. */
const TABLE: readonly [string, string, object[]][] = [
  ['objects, one a line', '{"a":1}\n{"b":[true,null]}\n', [{ a: 1 }, { b: [true, null] }]],
  ['an object without a line end', '{"a":1}', [{ a: 1 }]],
  ['several objects in a line', '{"a":1}{"b":2} {"c":3}\n', [{ a: 1 }, { b: 2 }, { c: 3 }]],
  ['the last of keys that are the same', '{"a":1,"a":2}\n', [{ a: 2 }]],
  ['text', 'plain words\n', [{ message: 'plain words' }]],
  ['an array', '[{"a":1}]\n', [{ message: '[{"a":1}]' }]],
  ['a number', '42\n', [{ message: '42' }]],
  [
    'an object that is cut, and its neighbours',
    '{"a":1}\n{"b":\n{"c":3}\n',
    [{ a: 1 }, { message: '{"b":' }, { c: 3 }],
  ],
  ['the rest of a line', '{"a":1} oops {"b":2}\n', [{ a: 1 }, { message: 'oops {"b":2}' }]],
]

describe('the input of JSON lines', () => {
  for (const [name, text, expected] of TABLE) {
    it(`takes ${name}: over TCP, cut anywhere`, async () => {
      const input = await startJson()
      for (let at = 0; at < text.length; at += 1) {
        const socket = await input.connect()
        await new Promise((resolve) => socket.write(text.slice(0, at), resolve))
        await new Promise((resolve) => setImmediate(resolve))
        socket.end(text.slice(at))
        const events = await input.taken(expected.length)
        assert.deepEqual(recordsOf(events), expected, `cut at ${at}`)
        input.events.length = 0
      }
    })
    it(`takes ${name}: in a datagram`, async () => {
      const input = await startJson()
      await sendDatagrams(input.port, text)
      assert.deepEqual(recordsOf(await input.taken(expected.length)), expected)
    })
  }

  it('counts what is no object and says so', async () => {
    const input = await startJson()
    await sendDatagrams(input.port, 'plain words', '{"a":}', '{"a":1}')
    await input.taken(3)
    assert.equal(input.stats.rejected.unparsed, 2)
    assert.match(input.warnings.join(), /^127\.0\.0\.1 sent a line that is no JSON object: it does not begin with {\./)
  })

  it('takes a pretty object in a datagram as one', async () => {
    const input = await startJson()
    await sendDatagrams(input.port, JSON.stringify({ a: { b: [1, 2] } }, undefined, 2))
    assert.deepEqual(recordsOf(await input.taken(1)), [{ a: { b: [1, 2] } }])
  })

  for (const [name, time, expected] of [
    ['@timestamp', '"@timestamp":"2026-11-25T11:00:00.123456789Z"', '1795604400.123456789'],
    ['@timestamp with an offset', '"@timestamp":"2026-11-25T12:00:00+01:00"', '1795604400.000000000'],
    ['@timestamp without one, which is UTC', '"@timestamp":"2026-11-25T11:00:00"', '1795604400.000000000'],
    ['time as a number', '"time":1795604400', '1795604400.000000000'],
    ['time as a fraction', '"time":1795604400.5', '1795604400.500000000'],
    ['time as text', '"time":"2026-11-25T11:00:00Z"', '1795604400.000000000'],
    ['@timestamp before time', '"time":5,"@timestamp":"2026-11-25T11:00:00Z"', '1795604400.000000000'],
    ['time where @timestamp is none', '"@timestamp":"now","time":1795604400', '1795604400.000000000'],
    ['receipt where time is a duration', '"time":"12ms"', NOON],
    ['receipt where time is ms', '"time":1795604400000', NOON],
    ['receipt where there is none', '"x":1', NOON],
    ['receipt where time is before 1970', '"time":-5', NOON],
  ] as const) {
    it(`has the time of ${name}, which stays in the record`, async () => {
      const input = await startJson()
      await sendDatagrams(input.port, `{${time}}\n`)
      const [event] = await input.taken(1)
      assert.equal(event!.time, expected)
      assert.deepEqual(event!.record, JSON.parse(`{${time}}`))
    })
  }

  it('tells an HTTP client where to go, and takes a line that only looks a little like it', async () => {
    const input = await startJson()
    const socket = await input.connect()
    socket.write('POST /docker.web HTTP/1.1\r\nHost: x\r\n\r\n{"a":1}')
    await once(socket, 'close')
    assert.equal(input.stats.rejected.wrong_protocol, 1)
    assert.match(input.stats.knocks.list[0]!.text, /spoke HTTP on the JSON port of `json`\. For HTTP it is/)
    const other = await input.connect()
    other.end('GET /index 200\n')
    assert.deepEqual(recordsOf(await input.taken(1)), [{ message: 'GET /index 200' }])
  })

  it('keeps a line over the limit cut, as text, and goes on with the next', async () => {
    const input = await startJson({ message_size_limit: 1_024 })
    const socket = await input.connect()
    socket.end(`{"a":"${'x'.repeat(5_000)}"}\n{"b":2}\n`)
    const [first, second] = recordsOf(await input.taken(2))
    assert.equal((first as { message: string }).message, `{"a":"${'x'.repeat(1_018)}`)
    assert.deepEqual(second, { b: 2 })
    assert.equal(input.stats.rejected.oversize, 1)
  })

  it('keeps what is nested too deep as text', async () => {
    const input = await startJson()
    const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    const socket = await input.connect()
    socket.end(`${deep}\n{"b":2}\n`)
    assert.deepEqual(recordsOf(await input.taken(2)), [{ message: deep }, { b: 2 }])
  })

  it('keeps integers of 64 bits, and hostile keys as they are', async () => {
    const input = await startJson()
    await sendDatagrams(input.port, '{"n":18446744073709551615,"constructor":{"x":"\\u0000\\u202e<script>"}}')
    const [event] = await input.taken(1)
    assert.deepEqual({ ...event!.record }, { n: 2n ** 64n - 1n, constructor: { x: '\0\u202e<script>' } })
  })
})
