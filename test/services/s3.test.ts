/** The s3 output against a server that speaks S3: each event in one object once, through every fault. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3'
import { OutputError } from '../../outputs/output.ts'
import { output } from '../../outputs/s3/s3.ts'
import type { ConfigOf } from '../../server/core/fields.ts'
import { batchOf, makeBatch } from '../conformance/make-batch.ts'
import { outputContext, testOutput } from '../conformance/output.ts'
import { startLoad } from '../e2e/load-run.ts'
import { createSite } from '../e2e/program.ts'
import { createRandom } from '../random.ts'
import { startCuttingProxy } from './launchers/cutting-proxy.ts'
import { KEYS, REGION, type S3Server, startS3 } from './launchers/s3.ts'

const EVENTS = Number(process.env.LOGBOOM_TEST_EVENTS ?? 100_000)
const SEED = Number(process.env.LOGBOOM_TEST_SEED ?? randomInt(2 ** 31))
const never = new AbortController().signal

type S3Config = ConfigOf<typeof output.fields>

let server: S3Server
let buckets = 0
const folders: string[] = []
before(async () => {
  server = await startS3()
})
after(async () => {
  await server?.close()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

function freshFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-s3-'))
  folders.push(folder)
  return folder
}

async function freshBucket(): Promise<string> {
  const Bucket = `bucket-${Date.now()}-${buckets++}`
  await server.client.send(new CreateBucketCommand({ Bucket }))
  return Bucket
}

function configFor(bucket: string, over: Partial<S3Config> = {}): S3Config {
  return {
    bucket,
    key: undefined,
    window: 3_600_000,
    grace: 60_000,
    max_size: 256 * 2 ** 20,
    region: REGION,
    endpoint: server.endpoint,
    access_key_id: KEYS.accessKeyId,
    secret_access_key: KEYS.secretAccessKey,
    session_token: undefined,
    assume_role_arn: undefined,
    assume_role_external_id: undefined,
    sts_endpoint: undefined,
    path_style: true,
    create_bucket: false,
    compression: 'gzip',
    format: 'json',
    event_id: false,
    staging_limit: 2 ** 30,
    flush_at_close: true,
    request_timeout: 10_000,
    concurrency: 2,
    ...over,
  }
}

async function keysOf(Bucket: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { Contents = [] } of paginateListObjectsV2({ client: server.client }, { Bucket })) {
    keys.push(...Contents.map(({ Key }) => Key!))
  }
  return keys.sort()
}

async function bytesOf(Bucket: string, Key: string): Promise<Buffer> {
  const { Body } = await server.client.send(new GetObjectCommand({ Bucket, Key }))
  return Buffer.from(await Body!.transformToByteArray())
}

function textOf(key: string, bytes: Buffer): string {
  if (key.endsWith('.gz')) return gunzipSync(bytes).toString()
  return (key.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString()
}

async function linesOf(bucket: string): Promise<string[]> {
  const texts: string[] = []
  for (const key of await keysOf(bucket)) texts.push(textOf(key, await bytesOf(bucket, key)))
  return texts.join('').split('\n').slice(0, -1)
}

async function opened(config: S3Config, directory = freshFolder()) {
  return output.open(config, outputContext(directory))
}

async function writeAndClose(config: S3Config, batch = batchOf({ n: 1 }, { n: 2 })): Promise<void> {
  const writer = await opened(config)
  assert.deepEqual(await writer.write(batch, never), { rejected: [], pending: [] })
  await writer.close()
}

describe('conformance', () => {
  testOutput({
    name: 's3',
    // Within one run a batch that comes again is a replay; what a crash brings again is tested with staging.
    dedupes: false,
    async open(context) {
      const bucket = await freshBucket()
      const writer = await output.open(configFor(bucket), { ...context, directory: freshFolder() })
      const lines = async () => {
        await writer.close()
        return linesOf(bucket)
      }
      const sequenceOf = (document: { sequence?: unknown }) => Number(document.sequence)
      return {
        writer,
        read: async () => (await lines()).map((line) => JSON.parse(line)).sort((a, b) => sequenceOf(a) - sequenceOf(b)),
        readText: async () => (await lines()).join('\n'),
        close: async () => {},
      }
    },
  })
})

describe('the objects', () => {
  for (const [compression, ending, read] of [
    ['gzip', '.gz', ['zcat']],
    ['zstd', '.zst', ['zstd', '-dc']],
    ['none', '.log', ['cat']],
  ] as const) {
    test(`${compression}: ${read[0]} reads two pieces back to back`, async () => {
      const bucket = await freshBucket()
      const writer = await opened(configFor(bucket, { compression }))
      await writer.write(batchOf({ n: 1 }), never)
      await writer.write(makeBatch([{ position: 1, events: [{ record: { n: 2 } }] }]), never)
      await writer.close()
      assert.deepEqual(await keysOf(bucket), [`logs/2026-11-20/12_0${ending}`])
      const input = await bytesOf(bucket, `logs/2026-11-20/12_0${ending}`)
      const [program, ...args] = read
      const text = execFileSync(program, args, { input }).toString()
      assert.deepEqual(text.match(/"n":\d/g), ['"n":1', '"n":2'])
    })
  }

  test('a key that is taken stays as it is; ours gets the next index', async () => {
    const bucket = await freshBucket()
    const Key = 'logs/2026-11-20/12_0.gz'
    await server.client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'another' }))
    await writeAndClose(configFor(bucket))
    assert.deepEqual(await keysOf(bucket), [Key, 'logs/2026-11-20/12_1.gz'])
    assert.equal((await bytesOf(bucket, Key)).toString(), 'another')
  })

  test('a full part is stored at once, in pieces where it is large, and a late event gets the next index', async () => {
    const bucket = await freshBucket()
    const config = configFor(bucket, { compression: 'none', max_size: 20 * 2 ** 20, flush_at_close: false })
    const directory = freshFolder()
    const writer = await opened(config, directory)
    const large = { log: 'x'.repeat(3_000_000) }
    for (let position = 0; position < 8; position += 1) {
      await writer.write(makeBatch([{ position, events: [{ record: large }] }]), never)
    }
    await until(async () => (await keysOf(bucket)).length === 1)
    await writer.close()
    assert.equal((await linesOf(bucket)).length, 7, 'those that filled it')
    await (await opened({ ...config, flush_at_close: true }, directory)).close()
    assert.deepEqual(await keysOf(bucket), ['logs/2026-11-20/12_0.log', 'logs/2026-11-20/12_1.log'])
    assert.equal((await linesOf(bucket)).length, 8)
    assert.deepEqual(readdirSync(directory), ['manifest'], 'nothing is left on disk')
  })

  test('a large object through lost answers is stored once', async (t) => {
    const bucket = await freshBucket()
    const proxy = await startCuttingProxy(server.port, createRandom(SEED))
    t.after(() => proxy.close())
    const endpoint = `http://127.0.0.1:${proxy.port}`
    const small = { max_size: 20 * 2 ** 20, compression: 'none', flush_at_close: false } as const
    const writer = await opened(configFor(bucket, { endpoint, ...small }))
    proxy.lose(0.15)
    const records = Array.from({ length: 8 }, (_, n) => ({ n, log: 'x'.repeat(3_000_000) }))
    await writer.write(batchOf(...records), never)
    await until(async () => readdirSync(folders.at(-1)!).length === 1)
    await writer.close()
    const numbers = (await linesOf(bucket)).map((line) => (JSON.parse(line) as { n: number }).n)
    assert.deepEqual(numbers, [0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('a window that is over is stored without being asked for', async () => {
    const bucket = await freshBucket()
    const writer = await opened(configFor(bucket, { window: 1_000, grace: 1, flush_at_close: false }))
    await writer.write(batchOf({ n: 1 }), never)
    await until(async () => (await keysOf(bucket)).length === 1)
    await writer.close()
  })
})

describe('bucket and credentials', () => {
  test('the bucket is made where that is asked for', async () => {
    await writeAndClose(configFor('made-by-us', { create_bucket: true }))
    assert.equal((await linesOf('made-by-us')).length, 2)
  })

  const faults: readonly [string, Partial<S3Config>, RegExp][] = [
    ['a bucket that is not there', { bucket: 'not-there' }, /NoSuchBucket: .*bucket does not exist/],
    ['a wrong key id', { access_key_id: 'nobody' }, /InvalidAccessKeyId: .*does not exist in our records/],
    ['a wrong secret', { secret_access_key: 'wrong' }, /SignatureDoesNotMatch: .*signature/],
  ]
  for (const [title, over, words] of faults) {
    test(`${title} blocks the output, in the server's words and without the secret`, async () => {
      const config = configFor(over.bucket ?? (await freshBucket()), over)
      const writer = await opened(config)
      const failure = await writer.write(batchOf({ n: 1 }), never).catch((error: unknown) => error)
      await writer.close()
      assert.ok(failure instanceof OutputError, String(failure))
      assert.equal(failure.fault, 'blocked')
      assert.match(failure.message, words)
      assert.ok(!failure.message.includes(config.secret_access_key!))
    })
  }

  test('a server that is away does not keep events from being staged', async () => {
    const bucket = await freshBucket()
    const directory = freshFolder()
    const away = await opened(configFor(bucket, { endpoint: 'http://127.0.0.1:9', flush_at_close: false }), directory)
    assert.deepEqual(await away.write(batchOf({ n: 1 }), never), { rejected: [], pending: [] })
    await away.close()
    await (await opened(configFor(bucket), directory)).close()
    assert.equal((await linesOf(bucket)).length, 1)
  })

  test('staging that is full says so and takes nothing', async () => {
    const config = configFor('any', { endpoint: 'http://127.0.0.1:9', staging_limit: 2_000, compression: 'none' })
    const writer = await opened({ ...config, flush_at_close: false })
    await writer.write(batchOf({ log: 'x'.repeat(3_000) }), never)
    const failure = await writer.write(batchOf({ n: 2 }), never).catch((error: unknown) => error)
    await writer.close()
    assert.ok(failure instanceof OutputError && failure.fault === 'retry', String(failure))
    assert.match(failure.message, /wait to be stored \(staging_limit\): .*ECONNREFUSED/)
  })
})

const RUN = `${EVENTS} events through lost answers, a killed server and a killed program (seed ${SEED})`
test(`${RUN} are each in one object once`, async (t) => {
  const bucket = await freshBucket()
  const proxy = await startCuttingProxy(server.port, createRandom(SEED))
  t.after(() => proxy.close())
  const site = await createSite(t, { outputs: { archive: archiveFor(bucket, proxy.port) } })
  // The first run ends where the cursor does not know yet what is staged.
  let program = await site.start({ env: { LOGBOOM_FAILPOINTS: 's3.staging.after-manifest=kill@20' } })
  proxy.lose(0.3)
  const load = startLoad({
    port: site.forwardPort,
    events: EVENTS,
    connections: 2,
    batch: 50,
    window: 16,
    reconnect: 60_000,
  })
  assert.equal((await program.end()).signal, 'SIGKILL')
  program = await site.start()
  await until(async () => (await keysOf(bucket)).length > 2)
  await server.crash()
  await until(async () => (await program.output('archive')).delivered > EVENTS / 4)
  await program.kill()
  await server.start()
  program = await site.start()
  const report = await load.report
  assert.equal(report.acked, EVENTS)
  await program.untilDrained()
  const { dead, unaccounted } = await program.output('archive')
  assert.deepEqual({ dead, unaccounted }, { dead: 0, unaccounted: 0 })
  proxy.lose(0)
  await program.stop()
  const lines = await linesOf(bucket)
  const records = lines.map((line) => JSON.parse(line) as { log: string; sequence: number })
  const keys = await keysOf(bucket)
  process.stdout.write(`# ${keys.length} objects, ${proxy.cuts} answers lost, ${report.resent} chunks sent again\n`)
  assert.equal(new Set(records.map(({ sequence }) => sequence)).size, lines.length, 'no event is there twice')
  assert.equal(new Set(records.map(({ log }) => log)).size, EVENTS, 'every event is there')
  assert.ok(proxy.cuts > 0, 'no answer was lost')
})

function archiveFor(bucket: string, port: number) {
  const keys = { access_key_id: KEYS.accessKeyId, secret_access_key: KEYS.secretAccessKey }
  const where = { endpoint: `http://127.0.0.1:${port}`, region: REGION, path_style: true, ...keys }
  const small = { max_size: '16KiB', window: '1s', grace: '1s', batch: { events: 1_000 }, request_timeout: '5s' }
  return { type: 's3', match: '**', bucket, ...where, ...small, flush_at_close: true }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('it does not come about')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
