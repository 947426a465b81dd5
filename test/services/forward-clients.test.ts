/** The Forward clients that people use, each sending a message over a socket: it comes unharmed, and its ack goes. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { startServer } from '../conformance/clients/forward-server.ts'
import { createSite } from '../e2e/program.ts'
import type { ForwardConfig } from '../protocols/forward/input-under-test.ts'
import { need } from './launchers/availability.ts'
import { type DockerEngine, startDocker } from './launchers/docker.ts'
import {
  fluencySender,
  fluentLoggerJavaSender,
  fluentOrgSender,
  forwardGoSender,
  GO_MODES,
  goSender,
  nodeSender,
  pythonSender,
  type Sender,
} from './launchers/senders.ts'

const TAG = 'shop.web'
const MESSAGES = ['Grüße, "world" 😀 \\ end', 'x'.repeat(100_000)] as const
const LIMIT_MS = 60_000

/** Sends each message; nothing else may have come, nothing been refused, and nobody warned of. */
async function assertDelivered(send: Sender, config: Partial<ForwardConfig> = {}): Promise<void> {
  const server = await startServer({ config })
  for (const message of MESSAGES) {
    const { code, stderr } = await send(server.port, TAG, message)
    assert.equal(code, 0, stderr)
  }
  const events = await server.stored(MESSAGES.length)
  assert.deepEqual(
    events.map(({ tag, record }) => ({ tag, record })),
    MESSAGES.map((message) => ({ tag: TAG, record: { message } })),
  )
  for (const { time } of events) assert.ok(Math.abs(time[0] - Date.now() / 1_000) < 60, `its time is ${time}`)
  assert.deepEqual(
    Object.entries(server.stats.rejected).filter(([, count]) => count > 0),
    [],
  )
  assert.deepEqual(
    server.said.filter(({ level }) => level !== 'debug' && level !== 'info'),
    [],
  )
}

/** Which of them end well only when their ack has come. */
const CLIENTS: readonly (readonly [string, () => Promise<Sender>])[] = [
  ['fluent-logger for Go, with an ack', goSender],
  ['fluent-logger for Python', pythonSender],
  ['fluent-logger for Node, with an ack', nodeSender],
  ['@fluent-org/logger, with an ack', fluentOrgSender],
  ['fluent-logger for Java', fluentLoggerJavaSender],
  ['Fluency, with an ack', fluencySender],
]
for (const [name, get] of CLIENTS) {
  test(name, async (t) => {
    const send = await need(t, get)
    if (send !== undefined) await assertDelivered(send)
  })
}

describe('fluent-forward-go', () => {
  for (const mode of GO_MODES) {
    for (const isAcked of [false, true]) {
      test(`in ${mode} mode, ${isAcked ? 'with' : 'without'} an ack`, async (t) => {
        const sender = await need(t, forwardGoSender)
        if (sender !== undefined) await assertDelivered(sender({ mode, isAcked }))
      })
    }
    test(`in ${mode} mode, with a shared key and an ack`, async (t) => {
      const sender = await need(t, forwardGoSender)
      if (sender === undefined) return
      const config = { shared_key: 'secret', self_hostname: 'server.local' }
      await assertDelivered(sender({ mode, isAcked: true, sharedKey: 'secret' }), config)
    })
  }

  test('with a wrong key it is told so, and nothing gets in', async (t) => {
    const sender = await need(t, forwardGoSender)
    if (sender === undefined) return
    const server = await startServer({ config: { shared_key: 'secret' } })
    const { code } = await sender({ mode: 'Forward', isAcked: true, sharedKey: 'other' })(server.port, TAG, 'x')
    assert.notEqual(code, 0)
    assert.deepEqual([server.stats.rejected.unauthorized, server.buffer.status().next], [1, 0])
  })
})

describe("Docker's fluentd driver", () => {
  const LINE = 'x'.repeat(40_000)
  const COMMAND = ['sh', '-c', `head -c ${LINE.length} /dev/zero | tr '\\0' x; echo; printf 'Gr\\303\\274\\377\\r\\n'`]

  /** The documents of what the container prints, by the real program. */
  async function printed(t: TestContext, engine: DockerEngine, filters: readonly object[], count: number) {
    const site = await createSite(t, { filters })
    const program = await site.start()
    const logOptions = {
      'fluentd-address': `127.0.0.1:${site.forwardPort}`,
      'fluentd-request-ack': 'true',
      'fluentd-sub-second-precision': 'true',
      tag: 'docker.{{.Name}}',
    }
    const ran = await engine.runContainer({ command: COMMAND, name: 'lines', logDriver: 'fluentd', logOptions })
    assert.equal(ran.code, 0, ran.stderr)
    const lines = () => program.stdout.split('\n').filter((line) => line.startsWith('{'))
    await program.until(`printing ${count} events`, () => lines().length >= count, LIMIT_MS)
    await program.untilDrained()
    assert.equal(await program.metric('logboom_input_rejected_total'), 0)
    return lines().map((line) => JSON.parse(line) as Readonly<Record<string, string>>)
  }

  test('a line of 40,000 bytes: whole where it is joined, else its parts with all their fields', async (t) => {
    const engine = await need(t, startDocker)
    if (engine === undefined) return
    t.after(() => engine.close())
    const joined = await printed(t, engine, [{ match: '**', join: 'docker' }], 2)
    const own = ['container_id', 'container_name', 'log', 'source']
    for (const document of joined) {
      assert.deepEqual(Object.keys(document).sort(), [...own, '@timestamp', 'sequence', 'tag'].sort())
      assert.deepEqual([document.container_name, document.tag], ['/lines', 'docker.lines'])
    }
    assert.deepEqual(
      joined.map(({ log }) => log),
      [LINE, 'Grü\ufffd\r'],
    )
    const parts = (await printed(t, engine, [], 4)).slice(0, 3)
    assert.equal(parts.map(({ log }) => log).join(''), LINE)
    for (const [index, part] of parts.entries()) {
      const { partial_message, partial_ordinal, partial_last, partial_id, source } = part
      assert.deepEqual([partial_message, partial_ordinal, source], ['true', `${index + 1}`, 'stdout'])
      assert.deepEqual([partial_last, partial_id], [`${index === 2}`, parts[0]!.partial_id])
      assert.deepEqual([part.container_id!.length, part['@timestamp']], [64, parts[0]!['@timestamp']])
    }
  })
})
