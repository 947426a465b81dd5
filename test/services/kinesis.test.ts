/** The kinesis output against an API that throttles, fails record by record and loses answers: nothing is lost. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { output } from '../../outputs/kinesis/kinesis.ts'
import type { ConfigOf } from '../../server/core/fields.ts'
import { makeBatch } from '../conformance/make-batch.ts'
import { outputContext, testOutput } from '../conformance/output.ts'
import { connectForward } from '../e2e/forward-client.ts'
import { startLoad } from '../e2e/load-run.ts'
import { createSite } from '../e2e/program.ts'
import { reportFault } from '../faults/report.ts'
import { createRandom } from '../random.ts'
import { need } from './launchers/availability.ts'
import { createStream, KEYS, type KinesisServer, readStream, startKinesis } from './launchers/kinesis.ts'
import { kinesisDeaggregator } from './launchers/kinesis-deaggregator.ts'

const EVENTS = Number(process.env.LOGBOOM_TEST_EVENTS ?? 100_000)
const SEED = Number(process.env.LOGBOOM_TEST_SEED ?? randomInt(2 ** 31))

let server: KinesisServer
let runs = 0
before(async () => {
  server = await startKinesis()
})
after(() => server?.close())

function configFor(stream: string): ConfigOf<typeof output.fields> {
  return {
    stream,
    region: 'eu-west-1',
    endpoint: server.endpoint,
    access_key_id: KEYS.accessKeyId,
    secret_access_key: KEYS.secretAccessKey,
    session_token: undefined,
    assume_role_arn: undefined,
    assume_role_external_id: undefined,
    sts_endpoint: undefined,
    partition_key: 'uuid',
    partition_key_field: undefined,
    shape: 'document',
    newline: false,
    aggregate: false,
    record_size_limit: 2 ** 20 * 2,
    request_size_limit: 2 ** 20 * 5,
    request_timeout: 10_000,
    concurrency: 2,
  }
}

describe('conformance', () => {
  testOutput({
    name: 'kinesis',
    dedupes: false,
    async open(context) {
      const stream = `conformance-${runs++}`
      await createStream(server.client, stream, 1)
      const writer = await output.open(configFor(stream), context)
      const texts = async () => {
        const found = (await readStream(server.client, stream)).map(({ data }) =>
          data.replace(/,"event_id":"[^"]*"\}$/, '}'),
        )
        return found.sort((a, b) => sequenceOf(a) - sequenceOf(b))
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

test("aggregated records are taken apart by AWS' own decoder, and all events are in them", async (t) => {
  const deaggregate = await need(t, kinesisDeaggregator)
  if (deaggregate === undefined) return
  await createStream(server.client, 'aggregated', 2)
  const writer = await output.open({ ...configFor('aggregated'), aggregate: true }, outputContext())
  t.after(() => writer.close())
  const events = Array.from({ length: 2_000 }, (_, n) => ({ record: { n, log: 'x'.repeat(n % 300) } }))
  const written = await writer.write(makeBatch([{ events }]), new AbortController().signal)
  assert.deepEqual(written, { rejected: [], pending: [] })
  const records = await readStream(server.client, 'aggregated')
  assert.ok(records.length > 1 && records.length < events.length / 50, `${records.length} records`)
  const numbers = records.flatMap(({ bytes }) => deaggregate(bytes)).map((text) => JSON.parse(text).n as number)
  assert.deepEqual(
    numbers.sort((a, b) => a - b),
    events.map(({ record }) => record.n),
  )
})

const sequenceOf = (text: string) => JSON.parse(text).sequence as number

test(`${EVENTS} events through throttling, lost answers and a killed API arrive (seed ${SEED})`, async (t) => {
  await createStream(server.client, 'faults', 4)
  const { endpoint, proxy } = server
  Object.assign(proxy.faults, {
    random: createRandom(SEED),
    recordsPerSecond: 2_000,
    recordFails: 0.01,
    requestFails: 0.02,
  })
  proxy.faults.answerLost = 0.03
  const keys = { access_key_id: KEYS.accessKeyId, secret_access_key: KEYS.secretAccessKey }
  const stream = { type: 'kinesis', match: '**', stream: 'faults', region: 'eu-west-1', endpoint, ...keys }
  const site = await createSite(t, { outputs: { stream: { ...stream, record_size_limit: '64KiB' } } })
  const program = await site.start()
  const load = startLoad({ port: site.forwardPort, events: EVENTS, connections: 2, batch: 50, window: 16 })
  const poisoner = await connectForward(site.forwardPort)
  t.after(() => poisoner.destroy())
  await poisoner.send(['poison', [[1_795_180_000, { log: 'x'.repeat(70_000) }]], {}])
  assert.equal((await load.report).acked, EVENTS)
  await server.crash()
  await server.start()
  await program.untilDrained()
  const { delivered, dead, unaccounted, retries } = await program.output('stream')
  const seen = new Map<string, string>()
  let doubles = 0
  for (const { data } of await readStream(server.client, 'faults')) {
    const { event_id: id, log } = JSON.parse(data) as { event_id: string; log: string }
    if (seen.has(id)) doubles += 1
    assert.equal(seen.get(id) ?? log, log, 'one id, one event')
    seen.set(id, log)
  }
  const lines = new Set(seen.values())
  process.stdout.write(
    `# ${doubles} doubles of ${proxy.counts.lost} lost answers; ${JSON.stringify({ ...proxy.counts, retries })}\n`,
  )
  assert.equal(seen.size, EVENTS, 'ids')
  assert.equal(lines.size, EVENTS, 'lines')
  assert.deepEqual({ delivered, dead, unaccounted }, { delivered: EVENTS, dead: 1, unaccounted: 0 })
  // A killed API may have stored a request whose answer nobody saw.
  assert.ok(doubles <= (proxy.counts.lost + 8) * 500, 'only whole requests without an answer are sent twice')
  assert.ok(proxy.counts.throttled > 0 && proxy.counts.failed > 0 && proxy.counts.lost > 0, 'every fault happened')
  assert.ok(proxy.counts.largestRequest <= 500)
  const { throttled, failed, lost } = proxy.counts
  const note = `${doubles} records sent again, since their answer was lost`
  reportFault({ fault: 'F23', tried: throttled + failed + lost, acked: EVENTS, lost: 0, doubled: 0, note })
})
