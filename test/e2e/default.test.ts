/** The embedded default from an empty folder: a line of every kind of sender is found within two seconds. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { after, before, describe, type TestContext, test } from 'node:test'
import fluentLogger from 'fluent-logger'
import { need } from '../services/launchers/availability.ts'
import { startDocker } from '../services/launchers/docker.ts'
import { checkMetrics } from '../services/launchers/prometheus.ts'
import { goSender, pythonSender, type Sender } from '../services/launchers/senders.ts'
import { startLoad } from './load-run.ts'
import { isPortTaken, type Program, runVerb, startDefault } from './program.ts'

const FOUND_WITHIN_MS = 2_000
const MEMORY_LIMIT_MIB = 200

interface Hit {
  readonly tag: string
}

describe('the embedded default', () => {
  let program: Program
  let folder: string
  const afterwards: (() => Promise<void>)[] = []
  before(async () => {
    for (const port of [24_224, 12_201, 9_880, 8_686])
      assert.equal(isPortTaken(port), false, `port ${port} is taken: stop who has it`)
    ;({ program, folder } = await startDefault({ after: (end: () => Promise<void>) => afterwards.push(end) } as never))
  })
  after(async () => {
    for (const end of afterwards) await end()
  })

  /** The API and `logboom query` both show the word in an event of that tag. */
  async function assertFound(word: string, tag: string): Promise<void> {
    const isFound = async () => {
      const { hits } = JSON.parse(await program.text(`/api/v1/events?q=${word}`)) as { hits: Hit[] }
      return hits.some((hit) => hit.tag === tag)
    }
    await program.until(`found: ${word}`, isFound, FOUND_WITHIN_MS)
    const query = await runVerb(folder, ['query', word])
    assert.equal(query.code, 0, query.stderr)
    assert.match(query.stdout, new RegExp(word))
  }

  test('a line of `logboom send`', async () => {
    const sent = await runVerb(folder, ['send', 'demo.cli'], {}, 'hello from clisender\n')
    assert.equal(sent.code, 0, sent.stderr)
    await assertFound('clisender', 'demo.cli')
  })

  test("a line of a container, by Docker's own fluentd driver with acks", async (t) => {
    const engine = await need(t, startDocker)
    if (engine === undefined) return
    t.after(() => engine.close())
    const logOptions = {
      'fluentd-address': '127.0.0.1:24224',
      'fluentd-request-ack': 'true',
      tag: 'docker.{{.Name}}',
    }
    const command = ['echo', 'hello from dockersender']
    const ran = await engine.runContainer({ command, name: 'shop', logDriver: 'fluentd', logOptions })
    assert.equal(ran.code, 0, ran.stderr)
    await assertFound('dockersender', 'docker.shop')
  })

  test('a GELF message, by datagram', async () => {
    const socket = createSocket('udp4')
    const message = JSON.stringify({ version: '1.1', host: 'web', short_message: 'hello from gelfsender' })
    await new Promise((resolve) => socket.send(message, 12_201, '127.0.0.1', resolve))
    socket.close()
    await assertFound('gelfsender', 'gelf')
  })

  test('a record, by HTTP', async () => {
    const body = JSON.stringify({ message: 'hello from httpsender' })
    const headers = { 'content-type': 'application/json' }
    const response = await fetch('http://127.0.0.1:9880/app/web', { method: 'POST', headers, body })
    assert.deepEqual([response.status, await response.json()], [200, { events: 1 }])
    await assertFound('httpsender', 'app.web')
  })

  test('an event of fluent-logger for Node, with an ack', async () => {
    const sender = fluentLogger.createFluentSender('node', {
      port: 24_224,
      requireAckResponse: true,
      ackResponseTimeout: 3_000,
    })
    const record = { message: 'hello from nodesender' }
    await new Promise<void>((resolve, reject) => {
      sender.emit('app', record, (error?: Error | null) => (error ? reject(error) : resolve()))
    })
    await new Promise<void>((resolve) => sender.end('app', record, () => resolve()))
    await assertFound('nodesender', 'node.app')
  })

  async function testSender(t: TestContext, name: string, get: () => Promise<Sender>): Promise<void> {
    const send = await need(t, get)
    if (send === undefined) return
    const sent = await send(24_224, `${name}.app`, `hello from ${name}sender`)
    assert.equal(sent.code, 0, sent.stderr)
    await assertFound(`${name}sender`, `${name}.app`)
  }
  test('an event of fluent-logger for Python', (t) => testSender(t, 'python', pythonSender))
  test('an event of fluent-logger for Go, with an ack', (t) => testSender(t, 'go', goSender))

  test('promtool has nothing to say of /metrics', async (t) => {
    const complaints = await need(t, async () => checkMetrics(await program.text('/metrics')))
    if (complaints !== undefined) assert.equal(complaints, '')
  })

  test('after 20,000 lines more it holds less than 200 MiB', async () => {
    const load = startLoad({ port: 24_224, mode: 'message', events: 20_000, rate: 4_000, window: 64 })
    assert.equal((await load.report).acked, 20_000)
    await program.untilDrained()
    const { now, peak } = program.memoryMiB()
    process.stdout.write(`# memory: ${now.toFixed(0)} MiB now, ${peak.toFixed(0)} MiB at most\n`)
    assert.ok(peak < MEMORY_LIMIT_MIB, `${peak} MiB`)
  })

  test('TERM ends it with exit code 0', async () => {
    const end = await program.stop()
    assert.equal(end.code, 0, end.stderr)
  })
})
