/** Real senders of syslog, JSON lines and HTTP before the real program: rsyslog, logger(1), curl. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { createSite, type Program } from '../e2e/program.ts'
import { sendDatagrams } from '../protocols/syslog/syslog-config.ts'
import { need, needPrograms } from './launchers/availability.ts'
import { type Forwarding, startRsyslog } from './launchers/rsyslog.ts'
import { freePort } from './launchers/server-process.ts'

const run = promisify(execFile)
const LIMIT_MS = 20_000

type Document = Readonly<Record<string, unknown>>

/** The program with the three inputs on free ports, printing what it is given. */
async function startProgram(t: TestContext) {
  const [syslog, json, http, forward] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const site = await createSite(t, {
    inputs: {
      forward: { listen: `127.0.0.1:${forward}` },
      syslog: { listen: `127.0.0.1:${syslog}` },
      json: { listen: `127.0.0.1:${json}` },
      http: { listen: `127.0.0.1:${http}`, token: 'secret' },
    },
  })
  const program = await site.start()
  return { program, folder: site.folder, syslog, json, http, forward }
}

/** Waits for so many events and gives their documents. */
async function documents(program: Program, count: number): Promise<Document[]> {
  const lines = () => program.stdout.split('\n').filter((line) => line.startsWith('{'))
  await program.until(`${count} events`, () => lines().length >= count, LIMIT_MS)
  assert.equal(lines().length, count)
  return lines().map((line) => JSON.parse(line) as Document)
}

const FORWARDINGS: readonly Forwarding[] = [
  'RSYSLOG_TraditionalForwardFormat',
  'RSYSLOG_ForwardFormat',
  'RSYSLOG_SyslogProtocol23Format',
].flatMap((template): Forwarding[] => [
  { template, protocol: 'udp' },
  { template, protocol: 'tcp', framing: 'traditional' },
  { template, protocol: 'tcp', framing: 'octet-counted' },
])

describe('real senders', () => {
  test('rsyslog: three formats, over UDP, and over TCP in both framings', async (t) => {
    const { program, syslog } = await startProgram(t)
    const rsyslog = await need(t, () => startRsyslog(syslog, FORWARDINGS))
    if (rsyslog === undefined) return
    t.after(() => rsyslog.close())
    await program.until('a socket of rsyslog', () => existsSync(rsyslog.socket), LIMIT_MS)
    const before = Math.floor(Date.now() / 1_000)
    await run('logger', ['-u', rsyslog.socket, '-t', 'shop', '--id=77', '-p', 'local3.warning', 'one ü line'])
    const found = await documents(program, FORWARDINGS.length)
    for (const { '@timestamp': time, sequence: _, message, ...own } of found) {
      // Its template of RFC 5424 sends the space before the text of a local message along.
      assert.equal((message as string).trimStart(), 'one ü line')
      assert.deepEqual(own, {
        ...{ host: 'testbox', ident: 'shop', pid: '77' },
        ...{ priority: 156, facility: 'local3', severity: 'warn', tag: 'syslog.local3.warn' },
      })
      const seconds = Date.parse(time as string) / 1_000
      assert.ok(seconds >= before - 1 && seconds < before + 60, `${time}`)
    }
  })

  const LOGGERS: readonly (readonly [string, readonly string[], object])[] = [
    ['RFC 3164 over UDP', ['-d', '--rfc3164'], {}],
    ['RFC 3164 over TCP', ['-T', '--rfc3164'], {}],
    ['RFC 3164 over TCP, octets counted', ['-T', '--rfc3164', '--octet-count'], {}],
    ['RFC 5424 over UDP', ['-d', '--rfc5424', '--msgid', 'M1'], { msgid: 'M1' }],
    ['RFC 5424 over TCP', ['-T', '--rfc5424', '--msgid', 'M1'], { msgid: 'M1' }],
    [
      'RFC 5424 over TCP, octets counted, with structured data',
      ['-T', '--rfc5424=notq', '--octet-count', '--sd-id', 'ex@32473', '--sd-param', 'k="a \\"q\\""'],
      { structured_data: { 'ex@32473': { k: 'a "q"' } } },
    ],
  ]
  test('logger(1): both formats, over UDP, and over TCP in both framings', async (t) => {
    if ((await need(t, () => needPrograms({ logger: 'bsdutils' }))) === undefined) return
    const { program, syslog } = await startProgram(t)
    const server = ['-n', '127.0.0.1', '-P', String(syslog)]
    for (const [index, [name, options, more]] of LOGGERS.entries()) {
      await run('logger', [...server, ...options, '-t', 'shop', '--id=77', '-p', 'daemon.err', `by ${name}`])
      const found = (await documents(program, index + 1)).at(-1)!
      const { '@timestamp': _, sequence: __, host, structured_data, ...own } = found
      const { structured_data: wanted, ...rest } = more as { structured_data?: object }
      assert.deepEqual(own, {
        ...{ message: `by ${name}`, ident: 'shop', pid: '77', ...rest },
        ...{ priority: 27, facility: 'daemon', severity: 'err', tag: 'syslog.daemon.err' },
      })
      if (wanted !== undefined) assert.deepEqual(structured_data, wanted)
      assert.equal(typeof host, 'string')
    }
  })

  test('curl: the ways in which fluentd documents its HTTP input, and packed bodies', async (t) => {
    if ((await need(t, () => needPrograms({ curl: 'curl' }))) === undefined) return
    const { program, folder, http } = await startProgram(t)
    const file = path.join(folder, 'body.gz')
    writeFileSync(file, gzipSync('{"n":5}\n{"n":6}\n'))
    const url = `http://127.0.0.1:${http}/app/log`
    const auth = ['-sS', '-H', 'Authorization: Bearer secret']
    const json = ['-H', 'Content-Type: application/json']
    const answers = [
      ['-d', 'json={"n":1}', url],
      [...json, '-d', '{"n":2}', `${url}?time=1795604400.5`],
      [...json, '-d', '[{"n":3},{"n":4}]', url],
      ['-H', 'Content-Encoding: gzip', '-H', 'Content-Type: application/x-ndjson', '--data-binary', `@${file}`, url],
    ]
    for (const [index, events] of [1, 1, 2, 2].entries()) {
      const { stdout } = await run('curl', [...auth, ...answers[index]!])
      assert.deepEqual(JSON.parse(stdout), { events })
    }
    const found = await documents(program, 6)
    assert.deepEqual(
      found.map(({ n, tag }) => [n, tag]),
      [1, 2, 3, 4, 5, 6].map((n) => [n, 'app.log']),
    )
    assert.equal(found[1]!['@timestamp'], '2026-11-25T11:00:00.500000000Z')
    const refused = await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', '-d', 'json={"n":7}', url])
    assert.equal(refused.stdout, '401')
    await program.untilDrained()
    await documents(program, 6)
  })

  test('one who is at the wrong port is told where to go', async (t) => {
    const { program, http, forward, json } = await startProgram(t)
    await assert.rejects(run('curl', ['-sS', '-d', '{"n":1}', `http://127.0.0.1:${forward}/app`]))
    await assert.rejects(run('curl', ['-sSk', `https://127.0.0.1:${json}/`]))
    const { doorbell } = await program.status()
    const texts = doorbell.map(({ input, text }) => `${input}: ${text}`).sort()
    assert.match(texts[0]!, new RegExp(`^forward: 127\\.0\\.0\\.1 spoke HTTP .*it is 127\\.0\\.0\\.1:${http}\\.$`))
    assert.match(texts[1]!, /^json: 127\.0\.0\.1 spoke TLS to the plain port/)
    assert.equal(await program.metric('logboom_input_rejected_total', 'reason="wrong_protocol"'), 2)
  })

  test("logspout's JSON, byte for byte, by datagram", async (t) => {
    const { program, json } = await startProgram(t)
    const docker = '"docker":{"name":"/web","id":"4f3d","image":"nginx","hostname":"4f3d2a","labels":null}'
    await sendDatagrams(json, `{${docker},"message":"hello","stream":"stdout","tags":[]}\n`)
    const [{ '@timestamp': _, sequence: __, ...own }] = (await documents(program, 1)) as [Document]
    const expected = JSON.parse(`{${docker},"message":"hello","stream":"stdout","tags":[],"tag":"json"}`)
    assert.deepEqual(own, expected)
  })
})
