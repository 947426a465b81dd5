/** The buffer in Kafka while brokers and processes die and come: nothing lost, and one document for each event. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connectForward, pack } from '../e2e/forward-client.ts'
import { startLoad } from '../e2e/load-run.ts'
import { createFleet, untilStored } from './kafka-fleet.ts'
import { type KafkaServer, startKafka } from './launchers/kafka.ts'

const EVENTS = Number(process.env.LOGBOOM_TEST_EVENTS ?? 60_000)
const RECONNECT_MS = 120_000

let server: KafkaServer
before(async () => {
  server = await startKafka({ 'num.partitions': '4' })
})
after(() => server?.close())

test('a broker that is killed and comes back costs nothing, and readiness says that it is away', async (t) => {
  const fleet = await createFleet(t, server.broker, 'broker-killed')
  const receiver = await fleet.receiver()
  const receiving = await receiver.start()
  const processing = await (await fleet.processor()).start()
  const of = { port: receiver.forwardPort, events: EVENTS, connections: 2, batch: 100, window: 8, rate: EVENTS / 10 }
  const load = startLoad({ ...of, reconnect: RECONNECT_MS })
  await receiving.until('taking', () => fleet.sink.stats.uniqueIds > EVENTS / 20, 60_000)
  await server.crash()
  await receiving.until('not ready', async () => !(await receiving.isReady()), 30_000)
  await processing.until('not ready', async () => !(await processing.isReady()), 30_000)
  const why = await (await fetch(`${receiver.adminUrl}/readyz?verbose`)).text()
  assert.match(why, /kafka does not answer/)
  await server.start()
  await processing.untilReady()
  assert.equal((await load.report).acked, EVENTS)
  await untilStored(fleet.sink, EVENTS, processing)
  assert.deepEqual([fleet.sink.stats.uniqueIds, fleet.sink.stats.duplicateIds], [EVENTS, 0])
  assert.equal((await processing.output('search')).unaccounted, 0)
})

test('a processor that is killed has committed nothing that it did not deliver', async (t) => {
  const fleet = await createFleet(t, server.broker, 'processor-killed')
  const receiver = await fleet.receiver()
  await receiver.start()
  const processor = await fleet.processor()
  const first = await processor.start()
  const load = startLoad({ port: receiver.forwardPort, events: EVENTS, connections: 2, batch: 100 })
  await first.until('delivering', () => fleet.sink.stats.uniqueIds > EVENTS / 10, 60_000)
  await first.kill()
  assert.equal((await load.report).acked, EVENTS)
  const second = await processor.start()
  await untilStored(fleet.sink, EVENTS, second)
  await second.untilDrained()
  assert.deepEqual([fleet.sink.stats.uniqueIds, fleet.sink.stats.duplicateIds], [EVENTS, 0])
  process.stdout.write(`# ${fleet.sink.stats.conflicts} came again after the kill, under the same ids\n`)
})

test('processors come and go while events flow', async (t) => {
  const fleet = await createFleet(t, server.broker, 'rebalanced')
  const receiver = await fleet.receiver()
  await receiver.start()
  const first = await (await fleet.processor()).start()
  const load = startLoad({ port: receiver.forwardPort, connections: 2, batch: 20, rate: 1_000, events: 0 })
  await first.until('delivering', () => fleet.sink.stats.uniqueIds > 0, 60_000)
  const second = await (await fleet.processor()).start()
  const third = await (await fleet.processor()).start()
  const delivers = async () => (await third.output('search')).delivered > 0
  await third.until('delivering', delivers, 60_000)
  await first.stop()
  await second.kill()
  load.stop()
  const { acked } = await load.report
  await untilStored(fleet.sink, acked, third)
  await third.untilDrained()
  assert.deepEqual([fleet.sink.stats.uniqueIds, fleet.sink.stats.duplicateIds], [acked, 0])
  process.stdout.write(`# ${fleet.sink.stats.conflicts} came again, under the same ids\n`)
})

test('a chunk that is sent again to another receiver is the same document', async (t) => {
  const fleet = await createFleet(t, server.broker, 'two-receivers')
  const sites = [await fleet.receiver(), await fleet.receiver()]
  const record = { log: 'GET /?id=00-000000001' }
  const message = pack(['app.info', [[1_795_180_000, record]], { chunk: 'the same chunk' }])
  for (const site of sites) {
    await site.start()
    const client = await connectForward(site.forwardPort)
    t.after(() => client.destroy())
    await client.write(message)
    assert.equal(await client.nextAck(), 'the same chunk')
  }
  const processing = await (await fleet.processor()).start()
  await processing.until('told twice', () => fleet.sink.stats.conflicts === 1, 60_000)
  assert.deepEqual([fleet.sink.stats.documents, fleet.sink.stats.duplicateIds], [1, 0])
})
