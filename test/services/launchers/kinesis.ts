/**
 * A Kinesis API on 127.0.0.1: kinesalite (npm), with a proxy in front for what it never does: limits of shards,
 * records that fail alone, answers that are lost. Or the endpoint that the environment names, without the faults.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import {
  type _Record,
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { installOnce, runFolder } from './availability.ts'
import { type KinesisProxy, startKinesisProxy } from './kinesis-proxy.ts'
import { answers, freePort, ServerProcess } from './server-process.ts'

const VERSION = '3.3.3'
const START_LIMIT_MS = 30_000
const START = `
const [port, path] = process.argv.slice(2)
require('kinesalite')({ path, ssl: false, createStreamMs: 5, shardLimit: 1000 }).listen(Number(port), '127.0.0.1')
`

export interface KinesisServer {
  readonly endpoint: string
  readonly proxy: KinesisProxy
  readonly client: KinesisClient
  crash(): Promise<void>
  /** After `crash`, on the same port, with the data that was there. */
  start(): Promise<void>
  close(): Promise<void>
}

export const KEYS = { accessKeyId: 'test', secretAccessKey: 'test-secret' }

export function installKinesis(): Promise<string> {
  return installOnce(`kinesalite-${VERSION}`, (into) => {
    writeFileSync(path.join(into, 'package.json'), '{"private":true}')
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', `kinesalite@${VERSION}`], {
      cwd: into,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    writeFileSync(path.join(into, 'start.cjs'), START)
  })
}

export async function startKinesis(): Promise<KinesisServer> {
  const home = await installKinesis()
  const folder = runFolder('kinesis')
  const port = await freePort()
  const data = path.join(folder, 'data')
  mkdirSync(data)
  const launch = async () => {
    const args = [path.join(home, 'start.cjs'), String(port), data]
    const server = new ServerProcess({ command: process.execPath, args, logFile: path.join(folder, 'server.log') })
    await server.waitUntil(async () => !server.hasEnded && (await answersAtAll(port)), START_LIMIT_MS)
    return server
  }
  let server = await launch()
  const proxy = await startKinesisProxy(port)
  const endpoint = `http://127.0.0.1:${proxy.port}`
  const client = new KinesisClient({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'eu-west-1',
    credentials: KEYS,
    requestHandler: new NodeHttpHandler(),
  })
  return {
    endpoint,
    proxy,
    client,
    crash: () => server.crash(),
    start: async () => {
      server = await launch()
    },
    close: async () => {
      client.destroy()
      await proxy.close()
      await server.crash()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** It answers 403 to whom it does not know, which is an answer. */
async function answersAtAll(port: number): Promise<boolean> {
  if (await answers(`http://127.0.0.1:${port}/`)) return true
  return fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  )
}

/** Makes a stream and waits until it is active. */
export async function createStream(client: KinesisClient, StreamName: string, ShardCount: number): Promise<void> {
  await client.send(new CreateStreamCommand({ StreamName, ShardCount }))
  for (;;) {
    const { StreamDescriptionSummary: found } = await client.send(new DescribeStreamSummaryCommand({ StreamName }))
    if (found?.StreamStatus === 'ACTIVE') return
  }
}

export interface StoredRecord {
  readonly data: string
  readonly bytes: Buffer
  readonly key: string
}

function storedRecord({ Data, PartitionKey }: _Record): StoredRecord {
  const bytes = Buffer.from(Data!)
  return { data: bytes.toString(), bytes, key: PartitionKey! }
}

/** Every record of a stream, shard by shard. */
export async function readStream(client: KinesisClient, StreamName: string): Promise<StoredRecord[]> {
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName }))
  const records: StoredRecord[] = []
  for (const { ShardId } of Shards) {
    const place = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const
    let { ShardIterator: iterator } = await client.send(new GetShardIteratorCommand(place))
    for (;;) {
      const { Records = [], NextShardIterator } = await client.send(new GetRecordsCommand({ ShardIterator: iterator }))
      records.push(...Records.map(storedRecord))
      iterator = NextShardIterator
      if (Records.length === 0 || iterator === undefined) break
    }
  }
  return records
}
