/** The GELF clients that people use, each sending a message to the input over a socket: it comes unharmed. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type Event, type RunOptions, startGelf } from '../protocols/gelf/gelf-under-test.ts'
import { need } from './launchers/availability.ts'
import { type DockerEngine, startDocker } from './launchers/docker.ts'
import {
  type GelfSender,
  gelfProSender,
  goGelfSender,
  graypySender,
  logstashGelfSender,
  type Transport,
} from './launchers/gelf-senders.ts'

const MESSAGE = 'Grüße, "world" 😀 \\ end'
/** More than one datagram, whatever the compression makes of it. */
const LONG = Array.from({ length: 6_000 }, (_, i) => ((i * 7_919) % 65_521).toString(36)).join(' ')

/** Sends a message, and gives the event that it became; nothing else may have come, and nothing been refused. */
async function delivered(send: (port: number) => Promise<unknown>, options: RunOptions = {}): Promise<Event> {
  const input = await startGelf(options)
  await send(input.port)
  const [event] = await input.received(1)
  assert.deepEqual(
    Object.entries(input.stats.rejected).filter(([, count]) => count > 0),
    [],
  )
  assert.equal(input.events.length, 1)
  assert.ok(Math.abs(event!.seconds - Date.now() / 1_000) < 60, `its time is ${event!.seconds}`)
  return event!
}

async function sent(t: TestContext, get: () => Promise<GelfSender>, transport: Transport, message: string) {
  const send = await need(t, get)
  if (send === undefined) return undefined
  const options: RunOptions = transport === 'http' ? { transport: 'http' } : {}
  const event = await delivered(async (port) => {
    const { code, stderr } = await send(port, transport, message)
    assert.equal(code, 0, stderr)
  }, options)
  return event.record
}

describe('graypy', () => {
  for (const transport of ['udp', 'tcp', 'http'] as const) {
    test(`over ${transport}`, async (t) => {
      const record = await sent(t, graypySender, transport, MESSAGE)
      if (record === undefined) return
      const { short_message, level, facility, client, big } = record
      assert.deepEqual(
        { short_message, level, facility, client, big },
        { short_message: MESSAGE, level: 4, facility: 'shop', client: 'graypy', big: 9_007_199_254_740_993n },
      )
    })
  }

  test('in chunks', async (t) => {
    const record = await sent(t, graypySender, 'udp', LONG)
    if (record !== undefined) assert.equal(record.short_message, LONG)
  })
})

describe('go-gelf', () => {
  for (const transport of ['udp', 'tcp'] as const) {
    test(`over ${transport}`, async (t) => {
      const record = await sent(t, goGelfSender, transport, MESSAGE)
      if (record === undefined) return
      const { short_message, host, level, client, big } = record
      const expected = { short_message: MESSAGE, host: 'go-host', level: 6, client: 'go-gelf' }
      assert.deepEqual({ short_message, host, level, client, big }, { ...expected, big: 9_007_199_254_740_993n })
    })
  }

  test('in chunks', async (t) => {
    const record = await sent(t, goGelfSender, 'udp', LONG)
    if (record !== undefined) assert.equal(record.short_message, LONG)
  })
})

describe('logstash-gelf', () => {
  // Characters beyond U+FFFF it breaks itself: of U+1F600 it makes `\\uD83D\\uF600`.
  const message = MESSAGE.replace('😀', '✓')
  for (const transport of ['udp', 'tcp'] as const) {
    test(`over ${transport}`, async (t) => {
      const record = await sent(t, logstashGelfSender, transport, message)
      if (record === undefined) return
      const { short_message, full_message, host, level, client } = record
      const expected = { short_message: message, full_message: message, host: 'java-host', level: 6 }
      assert.deepEqual({ short_message, full_message, host, level, client }, { ...expected, client: 'logstash-gelf' })
    })
  }
})

describe('gelf-pro', () => {
  for (const [size, message] of [
    ['short', MESSAGE],
    ['long', LONG],
  ] as const) {
    for (const transport of ['udp', 'tcp'] as const) {
      test(`a ${size} message over ${transport}`, async (t) => {
        const record = await sent(t, gelfProSender, transport, message)
        if (record === undefined) return
        const { short_message, level, client, deep_a } = record
        assert.deepEqual([short_message, level, client, deep_a], [message, 6, 'gelf-pro', 1])
      })
    }
  }
})

describe("Docker's gelf driver", () => {
  async function lines(engine: DockerEngine, options: Readonly<Record<string, string>>, scheme: string) {
    const input = await startGelf()
    const logOptions = { 'gelf-address': `${scheme}://127.0.0.1:${input.port}`, tag: 'shop', ...options }
    const random = 'head -c 9000 /dev/urandom | base64 -w 0; echo'
    const command = ['sh', '-c', `echo one; echo two >&2; ${random}`]
    const ran = await engine.runContainer({ command, logDriver: 'gelf', logOptions })
    assert.equal(ran.code, 0, ran.stderr)
    const events = await input.received(3)
    const texts = events.map(({ record }) => record.short_message as string)
    assert.deepEqual([...texts].sort(), [...new Set(['one', 'two', ran.stdout.split('\n')[1]!])].sort())
    const { level, tag, container_id } = events.find(({ record }) => record.short_message === 'two')!.record
    assert.deepEqual([level, tag, (container_id as string).length], [3, 'shop', 64])
  }

  test('over UDP with each compression, and over TCP', async (t) => {
    const engine = await need(t, startDocker)
    if (engine === undefined) return
    t.after(() => engine.close())
    for (const type of ['gzip', 'zlib', 'none']) await lines(engine, { 'gelf-compression-type': type }, 'udp')
    await lines(engine, {}, 'tcp')
  })
})
