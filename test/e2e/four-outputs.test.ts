/**
 * Four real servers behind one buffer, one of which is stopped (SIGSTOP) under load: it takes bytes and answers
 * nothing. The others do not notice, memory stays flat, and in the end each event is in all four.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { CreateBucketCommand, GetObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3'
import { MongoClient } from 'mongodb'
import { need } from '../services/launchers/availability.ts'
import { startSearch } from '../services/launchers/elasticsearch.ts'
import { createStream, KEYS as KINESIS_KEYS, readStream, startKinesis } from '../services/launchers/kinesis.ts'
import { startMongo } from '../services/launchers/mongodb.ts'
import { REGION, KEYS as S3_KEYS, type S3Server, startS3 } from '../services/launchers/s3.ts'
import { startLoad } from './load-run.ts'
import { createSite, type Program } from './program.ts'
import { countDocuments } from './search-client.ts'

const HANG_MS = Number(process.env.LOGBOOM_TEST_HANG_MS ?? (process.env.CI === 'true' ? 20_000 : 60_000))
/** Events per second: what the slowest of the four, an emulator, takes beside the others. */
const RATE = 1_000
const BEFORE_AND_AFTER_S = 10
const LAG_MAX_S = 5
const MEMORY_GROWTH_MAX_MIB = 64
const OTHERS = ['store', 'archive', 'stream'] as const

async function startServers(t: TestContext) {
  const closing = <S extends { close(): Promise<void> }>(server: S) => {
    t.after(() => server.close())
    return server
  }
  const search = closing(await startSearch('elasticsearch8'))
  const mongo = closing(await startMongo())
  const s3 = closing(await startS3())
  const kinesis = closing(await startKinesis())
  await s3.client.send(new CreateBucketCommand({ Bucket: 'four' }))
  await createStream(kinesis.client, 'four', 4)
  return { search, mongo, s3, kinesis }
}
type Servers = Awaited<ReturnType<typeof startServers>>

function outputsFor({ search, mongo, s3, kinesis }: Servers) {
  const archive = { bucket: 'four', key: '{index}', region: REGION, endpoint: s3.endpoint, path_style: true }
  const stream = { stream: 'four', region: 'eu-west-1', endpoint: kinesis.endpoint, partition_key: 'uuid' }
  const keysOf = ({ accessKeyId, secretAccessKey }: typeof S3_KEYS) => {
    return { access_key_id: accessKeyId, secret_access_key: secretAccessKey }
  }
  return {
    search: { type: 'elasticsearch', match: '**', url: search.url, index: 'four', request_timeout: '3s' },
    store: { type: 'mongodb', match: '**', url: `${mongo.url}/logboom`, collection: 'four' },
    archive: {
      type: 's3',
      match: '**',
      ...archive,
      ...keysOf(S3_KEYS),
      window: '5s',
      grace: '1s',
      flush_at_close: true,
    },
    stream: { type: 'kinesis', match: '**', ...stream, ...keysOf(KINESIS_KEYS) },
  }
}

/** The worst of what is seen once a second while one hangs. */
async function watch(program: Program, ms: number) {
  const before = program.memoryMiB().now
  const worst = { lagS: 0, growthMiB: 0, unaccounted: 0 }
  for (const until = performance.now() + ms; performance.now() < until; await sleep(1_000)) {
    for (const { name, oldestAgeS = 0, unaccounted } of (await program.status()).outputs) {
      worst.unaccounted = Math.max(worst.unaccounted, unaccounted)
      if (OTHERS.some((other) => other === name)) worst.lagS = Math.max(worst.lagS, oldestAgeS)
    }
    worst.growthMiB = Math.max(worst.growthMiB, program.memoryMiB().now - before)
  }
  return worst
}

async function linesOf({ client }: S3Server): Promise<string[]> {
  const lines: string[] = []
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: 'four' })) {
    for (const { Key } of Contents) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: 'four', Key }))
      lines.push(
        ...gunzipSync(await Body!.transformToByteArray())
          .toString()
          .split('\n')
          .filter(Boolean),
      )
    }
  }
  return lines
}

async function countedIn({ search, mongo, s3, kinesis }: Servers) {
  const client = new MongoClient(mongo.url)
  const stored = await client.db('logboom').collection('four').countDocuments()
  await client.close()
  const records = (await readStream(kinesis.client, 'four')).map(({ data }) => JSON.parse(data).event_id as string)
  const lines = await linesOf(s3)
  return {
    search: await countDocuments(search.url, 'four'),
    store: stored,
    archive: [lines.length, new Set(lines).size],
    stream: [records.length, new Set(records).size],
  }
}

test(`one of four real outputs hangs for ${HANG_MS / 1_000} s under load`, async (t) => {
  const servers = await need(t, () => startServers(t))
  if (servers === undefined) return
  const site = await createSite(t, { outputs: outputsFor(servers) })
  const program = await site.start()
  const events = RATE * (HANG_MS / 1_000 + 2 * BEFORE_AND_AFTER_S)
  const load = startLoad({ port: site.forwardPort, events, connections: 2, batch: 50, window: 16, rate: RATE })
  await watch(program, BEFORE_AND_AFTER_S * 1_000)
  t.after(() => servers.search.thaw())
  servers.search.freeze()
  const worst = await watch(program, HANG_MS)
  const { lagEvents, retries, state } = await program.output('search')
  servers.search.thaw()
  process.stdout.write(`# while one hung: ${JSON.stringify({ ...worst, lagEvents, retries })}\n`)
  assert.ok(lagEvents > 0 && (retries.timeout ?? 0) > 0 && state === 'retrying', 'the one that hangs was noticed')
  assert.ok(worst.lagS < LAG_MAX_S, `an output that works lags ${worst.lagS} s`)
  assert.ok(worst.growthMiB < MEMORY_GROWTH_MAX_MIB, `memory grew by ${worst.growthMiB} MiB`)
  assert.equal(worst.unaccounted, 0, 'the ledger')
  assert.equal((await load.report).acked, events)
  await program.untilDrained()
  for (const { delivered, dead, unaccounted } of (await program.status()).outputs)
    assert.deepEqual({ delivered, dead, unaccounted }, { delivered: events, dead: 0, unaccounted: 0 })
  assert.equal((await program.stop()).code, 0)
  const expected = { search: events, store: events, archive: [events, events], stream: [events, events] }
  assert.deepEqual(await countedIn(servers), expected)
})
