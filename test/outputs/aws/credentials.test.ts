/** Which credentials the outputs of AWS sign with: a role that was taken on, a web identity, and new keys for old. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { output as kinesis } from '../../../outputs/kinesis/kinesis.ts'
import { ALL_ACCEPTED, type Writer } from '../../../outputs/output.ts'
import { output as s3 } from '../../../outputs/s3/s3.ts'
import { batchOf } from '../../conformance/make-batch.ts'
import { outputContext } from '../../conformance/output.ts'
import { type CredentialSources, startCredentialSources } from '../../services/launchers/aws-credentials.ts'

const ROLE = 'arn:aws:iam::123456789012:role/writer'
const never = new AbortController().signal

/** A destination that takes everything and remembers by which keys it was signed. */
async function startDestination(t: TestContext): Promise<{ url: string; keys: string[] }> {
  const keys: string[] = []
  const server = http.createServer((request, response) => {
    keys.push(/Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '')
    const isPut = String(request.headers['x-amz-target']).endsWith('.PutRecords')
    const answer = isPut ? '{"FailedRecordCount":0,"Records":[{"ShardId":"s"}]}' : '<ListBucketResult/>'
    request.resume().on('end', () => response.writeHead(200, { etag: '"1"' }).end(answer))
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, keys }
}

interface Access {
  readonly keys?: boolean
  readonly role?: boolean
}

/** What both outputs are told of AWS. */
function awsConfig(endpoint: string, sources: CredentialSources, { keys, role }: Access) {
  return {
    region: 'eu-west-1',
    endpoint,
    access_key_id: keys === true ? 'AKIAOWN' : undefined,
    secret_access_key: keys === true ? 'secret' : undefined,
    session_token: undefined,
    assume_role_arn: role === true ? ROLE : undefined,
    assume_role_external_id: role === true ? 'grid' : undefined,
    sts_endpoint: role === true ? sources.url : undefined,
  }
}

type Open = (aws: ReturnType<typeof awsConfig>, directory: string) => Promise<Writer>

const openKinesis: Open = (aws) => {
  const key = { partition_key: 'uuid', partition_key_field: undefined, shape: 'document' } as const
  const limits = { record_size_limit: 2 ** 20, request_size_limit: 2 ** 20, request_timeout: 5_000, concurrency: 2 }
  return kinesis.open({ ...aws, ...key, ...limits, stream: 'logs', newline: false, aggregate: false }, outputContext())
}

const openS3: Open = (aws, directory) => {
  const object = { bucket: 'logs', key: undefined, compression: 'gzip', format: 'json' } as const
  const times = { window: 3_600_000, grace: 60_000, request_timeout: 5_000, flush_at_close: true, concurrency: 1 }
  const limits = { max_size: 2 ** 20, staging_limit: 2 ** 20, path_style: true, create_bucket: false, event_id: false }
  return s3.open({ ...aws, ...object, ...times, ...limits }, outputContext(directory))
}

async function bench(t: TestContext) {
  const sources = await startCredentialSources()
  const directory = mkdtempSync(path.join(tmpdir(), 'logboom-aws-'))
  t.after(async () => {
    await sources.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return { sources, directory, destination: await startDestination(t) }
}

for (const [name, open] of [
  ['kinesis', openKinesis],
  ['s3', openS3],
] as const) {
  test(`${name}: signs with the role that was taken on, and never with the keys that took it on`, async (t) => {
    const { sources, directory, destination } = await bench(t)
    const writer = await open(awsConfig(destination.url, sources, { keys: true, role: true }), directory)
    assert.deepEqual(await writer.write(batchOf({ n: 1 }), never), ALL_ACCEPTED)
    await writer.close()
    assert.deepEqual([...new Set(destination.keys)], ['ASIAROLE1'])
    const request = { action: 'AssumeRole', role: ROLE, externalId: 'grid', webIdentity: undefined }
    assert.deepEqual(sources.roles, [{ ...request, signedWith: 'AKIAOWN' }])
  })

  test(`${name}: a web identity from the environment`, async (t) => {
    const { sources, directory, destination } = await bench(t)
    const token = path.join(directory, 'token')
    writeFileSync(token, 'a.web.identity')
    setEnvironment(t, {
      AWS_ROLE_ARN: ROLE,
      AWS_WEB_IDENTITY_TOKEN_FILE: token,
      AWS_ENDPOINT_URL_STS: sources.url,
      AWS_ACCESS_KEY_ID: '',
      AWS_SECRET_ACCESS_KEY: '',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    })
    const writer = await open(awsConfig(destination.url, sources, {}), directory)
    assert.deepEqual(await writer.write(batchOf({ n: 1 }), never), ALL_ACCEPTED)
    await writer.close()
    assert.deepEqual([...new Set(destination.keys)], ['ASIAROLE1'])
    assert.equal(sources.roles[0]!.webIdentity, 'a.web.identity')
  })
}

test('keys that end soon are replaced without a restart', async (t) => {
  const { sources, directory, destination } = await bench(t)
  sources.lifetimeSeconds = 60
  const writer = await openKinesis(awsConfig(destination.url, sources, { keys: true, role: true }), directory)
  t.after(() => writer.close())
  for (let n = 0; n < 2; n += 1) assert.deepEqual(await writer.write(batchOf({ n }), never), ALL_ACCEPTED)
  const distinct = new Set(destination.keys)
  assert.equal(distinct.size, 2, [...distinct].join(' '))
})

function setEnvironment(t: TestContext, values: Readonly<Record<string, string>>): void {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, values)
  t.after(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
}
