/** The kafka output against a real broker: nothing lost, and what comes twice has one id. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { output } from '../../outputs/kafka/kafka.ts'
import type { ConfigOf } from '../../server/core/fields.ts'
import { testOutput } from '../conformance/output.ts'
import { connectForward } from '../e2e/forward-client.ts'
import { startLoad } from '../e2e/load-run.ts'
import { createSite } from '../e2e/program.ts'
import { createRandom } from '../random.ts'
import { type CuttingProxy, startCuttingProxy } from './launchers/cutting-proxy.ts'
import { type KafkaServer, startKafka } from './launchers/kafka.ts'
import { freePort } from './launchers/server-process.ts'

const EVENTS = Number(process.env.LOGBOOM_TEST_EVENTS ?? 100_000)
const SEED = Number(process.env.LOGBOOM_TEST_SEED ?? randomInt(2 ** 31))

let server: KafkaServer
let runs = 0
before(async () => {
  server = await startKafka()
})
after(() => server?.close())

function configFor(topic: string): ConfigOf<typeof output.fields> {
  return {
    brokers: [server.broker],
    topic,
    default_topic: undefined,
    create_topics: true,
    key: 'event_id',
    key_field: undefined,
    compression: 'zstd',
    message_size_limit: 2_000_000,
    username: undefined,
    password: undefined,
    sasl_mechanism: 'PLAIN',
    tls: { enabled: false, ca_path: undefined, insecure: false },
    request_timeout: 10_000,
  }
}

interface Stored {
  readonly value: string
  readonly id: string
}

/** Everything in a topic: up to the offsets that its partitions have now. */
async function readTopic(topic: string, broker = server.broker): Promise<Stored[]> {
  const base = { bootstrapBrokers: [broker], clientId: 'test' }
  const admin = new Admin(base)
  const { topics } = await admin.metadata({ topics: [topic] })
  await admin.close()
  const count = topics.get(topic)!.partitionsCount
  const consumer = new Consumer({ ...base, groupId: `read-${runs++}`, deserializers: stringDeserializers })
  const offsets = (await consumer.listOffsets({ topics: [topic] })).get(topic)!
  const wanted = offsets.slice(0, count).reduce((sum, offset) => sum + Number(offset), 0)
  const found: Stored[] = []
  if (wanted > 0) {
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', sessionTimeout: 10_000 })
    for await (const message of stream) {
      found.push({ value: message.value, id: message.headers.get('event_id') ?? '' })
      if (found.length === wanted) break
    }
  }
  await consumer.close(true)
  return found
}

describe('conformance', () => {
  testOutput({
    name: 'kafka',
    dedupes: false,
    async open(context) {
      const topic = `conformance-${runs++}`
      const writer = await output.open(configFor(topic), context)
      const texts = async () => {
        const found = (await readTopic(topic)).map(({ value }) => value)
        return found.sort((a, b) => JSON.parse(a).sequence - JSON.parse(b).sequence)
      }
      return {
        writer,
        read: async () => (await texts()).map((text) => JSON.parse(text)),
        readText: async () => (await texts()).join('\n'),
        close: async () => {},
      }
    },
  })
})

test('the client loses nothing of 100 idempotent sends side by side', async () => {
  const options = { bootstrapBrokers: [server.broker], clientId: 'sends', idempotent: true, acks: -1, retries: 3 }
  const producer = new Producer({ ...options, serializers: stringSerializers, autocreateTopics: true })
  const send = (n: number) => producer.send({ messages: [{ topic: 'sends', key: `${n}`, value: `${n}` }] })
  await send(0)
  await Promise.all(Array.from({ length: 100 }, (_, n) => send(n + 1)))
  await producer.close()
  const values = new Set((await readTopic('sends')).map(({ value }) => value))
  assert.equal(values.size, 101)
})

test(`${EVENTS} events through lost answers and a killed broker arrive (seed ${SEED})`, async (t) => {
  const [port, proxyPort] = [await freePort(), await freePort()]
  const { broker, proxy } = await brokerBehindProxy(t, port, proxyPort)
  proxy.lose(0.02)
  const levels = {
    type: 'kafka',
    match: '**',
    brokers: `127.0.0.1:${proxyPort}`,
    topic: 'faults',
    request_timeout: '5s',
  }
  const own = { message_size_limit: '200KiB', batch: { events: 2_000 } }
  const site = await createSite(t, { outputs: { levels: { ...levels, ...own } } })
  const program = await site.start()
  const load = startLoad({ port: site.forwardPort, events: EVENTS, connections: 2, batch: 50, window: 16 })
  const poisoner = await connectForward(site.forwardPort)
  t.after(() => poisoner.destroy())
  await poisoner.send(['poison', [[1_795_180_000, { log: 'x'.repeat(300_000) }]], {}])
  assert.equal((await load.report).acked, EVENTS)
  await broker.crash()
  await broker.start()
  await program.untilDrained()
  proxy.lose(0)
  const { delivered, dead, unaccounted, retries } = await program.output('levels')
  const stored = await readTopic('faults', `127.0.0.1:${proxyPort}`)
  const byId = new Map(stored.map(({ id, value }) => [id, value]))
  for (const { id, value } of stored) assert.equal(byId.get(id), value, 'one id, one event')
  const lines = new Set([...byId.values()].map((value) => JSON.parse(value).log))
  process.stdout.write(
    `# ${stored.length - byId.size} doubles, ${proxy.cuts} answers lost, ${JSON.stringify(retries)}\n`,
  )
  assert.deepEqual([byId.size, lines.size], [EVENTS, EVENTS])
  assert.deepEqual({ delivered, dead, unaccounted }, { delivered: EVENTS, dead: 1, unaccounted: 0 })
  assert.ok(proxy.cuts > 0, 'answers were lost')
})

async function brokerBehindProxy(
  t: { after(fn: () => Promise<void>): void },
  port: number,
  proxyPort: number,
): Promise<{ broker: KafkaServer; proxy: CuttingProxy }> {
  const proxy = await startCuttingProxy(port, createRandom(SEED), proxyPort)
  // The client is led through the proxy wherever it asks.
  const broker = await startKafka({ 'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxyPort}` }, port)
  t.after(async () => {
    await proxy.close()
    await broker.close()
  })
  return { broker, proxy }
}
