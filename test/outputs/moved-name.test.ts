/** A destination that moves to another address behind its name is found there, without a restart. */
import assert from 'node:assert/strict'
import dns from 'node:dns'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { output as elasticsearch } from '../../outputs/elasticsearch/elasticsearch.ts'
import { output as kinesis } from '../../outputs/kinesis/kinesis.ts'
import { ALL_ACCEPTED, OutputError, type Writer } from '../../outputs/output.ts'
import { batchOf } from '../conformance/make-batch.ts'
import { outputContext } from '../conformance/output.ts'

const NAME = 'destination.test'
const never = new AbortController().signal

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
    const access = { access_key_id: 'id', secret_access_key: 'key', session_token: undefined }
    const role = { assume_role_arn: undefined, assume_role_external_id: undefined, sts_endpoint: undefined }
    const key = { partition_key: 'uuid', partition_key_field: undefined, shape: 'document' } as const
    const limits = { record_size_limit: 2 ** 20, request_size_limit: 2 ** 20, request_timeout: 5_000, concurrency: 2 }
    const rest = { newline: false, aggregate: false, stream: 'logs', region: 'eu-west-1', endpoint }
    return kinesis.open({ ...access, ...role, ...key, ...limits, ...rest }, outputContext())
  })
})
