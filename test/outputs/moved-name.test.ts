/** A destination that moves to another address behind its name is found there, without a restart. */
import assert from 'node:assert/strict'
import dns from 'node:dns'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { unpackMultiple } from 'msgpackr'
import { awsClientConfig } from '../../outputs/aws/client.ts'
import { output as elasticsearch } from '../../outputs/elasticsearch/elasticsearch.ts'
import { output as forward } from '../../outputs/forward/forward.ts'
import { output as kinesis } from '../../outputs/kinesis/kinesis.ts'
import { ALL_ACCEPTED, OutputError, type WriteResult, type Writer } from '../../outputs/output.ts'
import { createObjectStore } from '../../outputs/s3/object-store.ts'
import { batchOf } from '../conformance/make-batch.ts'
import { outputContext } from '../conformance/output.ts'
import { pack } from '../e2e/forward-client.ts'
import { configFor, serverAt } from './forward/forward-config.ts'

const NAME = 'destination.test'
const never = new AbortController().signal
const ACCESS = { access_key_id: 'id', secret_access_key: 'key', session_token: undefined }
const ROLE = { assume_role_arn: undefined, assume_role_external_id: undefined, sts_endpoint: undefined }

/** All of 127.0.0.0/8 is this machine. */
async function listen(host: string, port: number, answer: string): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(answer)
    })
  })
  server.listen(port, host)
  await once(server, 'listening')
  return server
}

async function end(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}

/** The name is that of `at.address`, which may change; other names are as they are. */
function fakeLookup(t: TestContext, at: { address: string }): void {
  const { lookup } = dns
  const fake = (name: string, options: dns.LookupOptions, done: (...answer: unknown[]) => void) => {
    if (name !== NAME) return (lookup as (...all: unknown[]) => void)(name, options, done)
    const { address } = at
    process.nextTick(() => (options.all === true ? done(null, [{ address, family: 4 }]) : done(null, address, 4)))
  }
  t.mock.method(dns, 'lookup', fake as never)
}

async function followsTheName(t: TestContext, answer: string, open: (url: string) => Promise<Writer>): Promise<void> {
  const at = { address: '127.0.0.1' }
  fakeLookup(t, at)
  const first = await listen('127.0.0.1', 0, answer)
  const { port } = first.address() as AddressInfo
  const writer = await open(`http://${NAME}:${port}`)
  t.after(() => writer.close())
  const write = () => writer.write(batchOf({ n: 1 }), never)
  assert.deepEqual(await write(), ALL_ACCEPTED)
  await end(first)
  await assert.rejects(write(), OutputError)
  const second = await listen('127.0.0.2', port, answer)
  t.after(() => end(second))
  at.address = '127.0.0.2'
  assert.deepEqual(await write(), ALL_ACCEPTED)
}

test('s3', async (t) => {
  await followsTheName(t, '<ListBucketResult/>', async (endpoint) => {
    const { S3Client } = await import('@aws-sdk/client-s3')
    const aws = { ...ACCESS, ...ROLE, region: 'eu-west-1', endpoint }
    const config = await awsClientConfig(aws, { requestTimeoutMs: 5_000, connections: 1 })
    const client = new S3Client({ ...config, forcePathStyle: true })
    const { log } = outputContext()
    const store = await createObjectStore({ client, bucket: 'logs', createBucket: false, log })
    // A write of the output ends on disk: what it asks the bucket first goes the same way as all that it stores.
    const write = () => store.prepare(never).then(() => ALL_ACCEPTED)
    return { write, close: async () => store.close() }
  })
})

/** Acknowledges each message of Forward that comes whole in one read. */
async function listenForward(host: string, port: number): Promise<{ port: number; end(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      for (const message of unpackMultiple(bytes)) socket.write(pack({ ack: message.at(-1).chunk }))
    })
  })
  server.listen(port, host)
  await once(server, 'listening')
  const end = async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  }
  return { port: (server.address() as AddressInfo).port, end }
}

test('forward', async (t) => {
  const at = { address: '127.0.0.1' }
  fakeLookup(t, at)
  const first = await listenForward(at.address, 0)
  const beats = { heartbeat_type: 'transport', heartbeat_interval: 20, recover_wait: 20 } as const
  const config = configFor([serverAt(first.port, { host: NAME })], beats)
  const writer = await forward.open(config, outputContext())
  t.after(() => writer.close())
  const write = () => writer.write(batchOf({ n: 1 }), never)
  assert.deepEqual(await write(), ALL_ACCEPTED)
  await first.end()
  await assert.rejects(write(), OutputError)
  at.address = '127.0.0.2'
  const second = await listenForward(at.address, first.port)
  t.after(() => second.end())
  while (!(await write().then(isAccepted, () => false))) await sleep(20)
})

const isAccepted = ({ pending, rejected }: WriteResult) => pending.length + rejected.length === 0

test('elasticsearch', async (t) => {
  await followsTheName(t, '{"errors":false,"items":[{"create":{"status":201}}]}', (url) => {
    const tls = { ca_path: undefined, insecure: false }
    const access = { username: undefined, password: undefined, api_key: undefined }
    const shape = { shape: 'document', tag_key: undefined } as const
    const rest = { ...shape, index: 'logs', data_stream: false, request_timeout: 5_000, concurrency: 2 }
    return elasticsearch.open({ url: [url], tls, ...access, ...rest }, outputContext())
  })
})

test('kinesis', async (t) => {
  await followsTheName(t, '{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1","ShardId":"s"}]}', (endpoint) => {
    const key = { partition_key: 'uuid', partition_key_field: undefined, shape: 'document' } as const
    const limits = { record_size_limit: 2 ** 20, request_size_limit: 2 ** 20, request_timeout: 5_000, concurrency: 2 }
    const rest = { newline: false, aggregate: false, stream: 'logs', region: 'eu-west-1', endpoint }
    return kinesis.open({ ...ACCESS, ...ROLE, ...key, ...limits, ...rest }, outputContext())
  })
})
