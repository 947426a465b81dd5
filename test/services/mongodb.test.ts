/** The mongodb output against a server that speaks its protocol: each event one document, through every fault. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { MongoClient } from 'mongodb'
import { output } from '../../outputs/mongodb/mongodb.ts'
import type { OutputContext } from '../../outputs/output.ts'
import type { ConfigOf } from '../../server/core/fields.ts'
import { batchOf } from '../conformance/make-batch.ts'
import { outputContext, testOutput } from '../conformance/output.ts'
import { connectForward } from '../e2e/forward-client.ts'
import { startLoad } from '../e2e/load-run.ts'
import { createSite } from '../e2e/program.ts'
import { createRandom } from '../random.ts'
import { startCuttingProxy } from './launchers/cutting-proxy.ts'
import { type MongoServer, startMongo } from './launchers/mongodb.ts'

const EVENTS = Number(process.env.LOGBOOM_TEST_EVENTS ?? 100_000)
const SEED = Number(process.env.LOGBOOM_TEST_SEED ?? randomInt(2 ** 31))
const never = new AbortController().signal

let server: MongoServer
let client: MongoClient
let runs = 0
before(async () => {
  server = await startMongo()
  client = new MongoClient(server.url)
})
after(async () => {
  await client?.close()
  await server?.close()
})

function configFor(collection: string, over: Partial<ConfigOf<typeof output.fields>> = {}) {
  return {
    url: `${server.url}/logboom`,
    database: undefined,
    collection,
    username: undefined,
    password: undefined,
    auth_source: undefined,
    capped: undefined,
    ttl: undefined,
    shape: 'document',
    tls: { ca_path: undefined, insecure: false },
    request_timeout: 10_000,
    concurrency: 2,
    ...over,
  } as const
}

const documentsOf = (collection: string) => client.db('logboom').collection(collection)

/** As JSON has them, with the Date under the name that other outputs give it. */
async function readBack(collection: string): Promise<Record<string, unknown>[]> {
  const found = await documentsOf(collection)
    .find({}, { sort: { sequence: 1 }, projection: { _id: 0 } })
    .toArray()
  return found.map(({ time, ...rest }) => JSON.parse(JSON.stringify({ ...rest, '@timestamp': time })))
}

describe('conformance', () => {
  testOutput({
    name: 'mongodb',
    dedupes: true,
    refuses: ['own_timestamp'],
    precision: 'milliseconds',
    async open(context) {
      const collection = `conformance_${runs++}`
      const writer = await output.open(configFor(collection), context)
      return { writer, read: () => readBack(collection), close: async () => {} }
    },
  })
})

describe('the collection', () => {
  test('is made capped where that is asked for', async () => {
    const writer = await output.open(configFor('capped', { capped: 1_048_576 }), outputContext())
    await writer.write(batchOf({ n: 1 }), never)
    await writer.close()
    const [found] = await client.db('logboom').listCollections({ name: 'capped' }).toArray()
    assert.equal((found as { options?: { capped?: boolean } }).options?.capped, true)
  })

  test('that cannot expire documents takes them all the same, and the log says so', async () => {
    const said: string[] = []
    const log = { ...outputContext().log, warn: (_fields: object, text: string) => void said.push(text) }
    const context: OutputContext = { ...outputContext(), log }
    const writer = await output.open(configFor('ttl', { ttl: 3_600_000 }), context)
    await writer.write(batchOf({ n: 1 }), never)
    await writer.close()
    assert.equal(await documentsOf('ttl').countDocuments(), 1)
    // FerretDB knows no TTL indexes; a mongod makes one.
    if (server.isFerret) assert.match(said.join('\n'), /will expire/)
    else assert.equal(await documentsOf('ttl').indexExists('logboom_ttl'), true)
  })
})

test(`${EVENTS} events through lost answers and a killed server are as many documents (seed ${SEED})`, async (t) => {
  const random = createRandom(SEED)
  const proxy = await startCuttingProxy(server.port, random)
  t.after(() => proxy.close())
  const url = `mongodb://127.0.0.1:${proxy.port}/logboom`
  const own = { url, collection: 'faults', request_timeout: '5s', batch: { events: 1_000 } }
  const store = { type: 'mongodb', match: '**', ...own }
  const site = await createSite(t, { outputs: { store } })
  const program = await site.start()
  proxy.lose(0.05)
  const load = startLoad({ port: site.forwardPort, events: EVENTS, connections: 2, batch: 50, window: 16 })
  const poisoner = await connectForward(site.forwardPort)
  t.after(() => poisoner.destroy())
  const poison = [1, 2, 3].map((n) => [1_795_180_000, { n, 'a\0b': 'no key of BSON' }])
  await poisoner.send(['poison', poison, {}])
  await server.crash()
  await server.start()
  const report = await load.report
  assert.equal(report.acked, EVENTS)
  await program.untilDrained()
  const { delivered, dead, unaccounted, retries } = await program.output('store')
  assert.equal(await documentsOf('faults').countDocuments(), EVENTS)
  assert.deepEqual({ delivered, dead, unaccounted }, { delivered: EVENTS, dead: 3, unaccounted: 0 })
  assert.ok(proxy.cuts > 0, 'no answer was lost')
  process.stdout.write(`# ${proxy.cuts} answers lost, tried again: ${JSON.stringify(retries)}\n`)
})
