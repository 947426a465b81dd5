/** Where the agent's credentials come from, told by the key that its requests are signed with. Row C5. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { connectForward } from '../e2e/forward-client.ts'
import { type CredentialSources, startCredentialSources } from '../services/launchers/aws-credentials.ts'
import { createStream, type KinesisServer, readStream, startKinesis } from '../services/launchers/kinesis.ts'
import { createAgent, STATIC_KEYS, TAG } from './grid-to-kinesis/agent.ts'
import { reportRow } from './rows.ts'

const ROLE = 'arn:aws:iam::123456789012:role/grid-agent'

let kinesis: KinesisServer
let sources: CredentialSources
before(async () => {
  kinesis = await startKinesis()
  sources = await startCredentialSources()
})
after(async () => {
  await kinesis?.close()
  await sources?.close()
})

type Environment = Readonly<Record<string, string>>

/** What every agent of this file has: no keys, no files of an account, and the metadata service that there is. */
const bare = (): Environment => ({
  AWS_ACCESS_KEY_ID: '',
  AWS_SECRET_ACCESS_KEY: '',
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_EC2_METADATA_SERVICE_ENDPOINT: sources.url,
})

const WAYS: readonly (readonly [name: string, key: string, environment: (folder: string) => Environment])[] = [
  ['instance metadata', 'ASIAINSTANCE', () => ({})],
  [
    'container credentials',
    'ASIACONTAINER',
    () => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${sources.url}/container` }),
  ],
  ['a role taken on with instance metadata', 'ASIAROLE1', () => ({ ASSUME_ROLE_ARN: ROLE, STS_ENDPOINT: sources.url })],
  [
    'a role taken on with keys',
    'ASIAROLE2',
    () => ({ ...STATIC_KEYS, ASSUME_ROLE_ARN: ROLE, STS_ENDPOINT: sources.url }),
  ],
  ['a web identity', 'ASIAROLE3', webIdentity],
]

function webIdentity(folder: string): Environment {
  const file = path.join(folder, 'identity')
  writeFileSync(file, 'a.web.identity')
  return { AWS_ROLE_ARN: ROLE, AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ENDPOINT_URL_STS: sources.url }
}

for (const [index, [name, key, environment]] of WAYS.entries()) {
  test(`C5: ${name}`, async (t) => {
    const stream = `access-${index}`
    await createStream(kinesis.client, stream, 1)
    const agent = await createAgent(t, { STREAM: stream, KINESIS_ENDPOINT: kinesis.endpoint, ...bare() })
    const program = await agent.start(environment(agent.folder))
    const client = await connectForward(agent.forwardPort)
    t.after(() => client.destroy())
    await client.sendEvent(TAG, { log: name })
    await program.untilDrained()
    assert.equal((await readStream(kinesis.client, stream)).length, 1)
    assert.ok(kinesis.proxy.accessKeys.has(key), `${key} is not among ${[...kinesis.proxy.accessKeys]}`)
  })
}

test('C5: what was asked for at STS, and a custom endpoint', () => {
  const asked = sources.roles.map(({ action, role, webIdentity, signedWith }) => [
    action,
    role,
    webIdentity,
    signedWith,
  ])
  assert.deepEqual(asked, [
    ['AssumeRole', ROLE, undefined, 'ASIAINSTANCE'],
    ['AssumeRole', ROLE, undefined, STATIC_KEYS.AWS_ACCESS_KEY_ID],
    ['AssumeRoleWithWebIdentity', ROLE, 'a.web.identity', ''],
  ])
  assert.deepEqual([...kinesis.proxy.accessKeys].sort(), WAYS.map(([, key]) => key).sort())
  reportRow('C5', `${WAYS.length} ways to credentials, each told by its own key at ${kinesis.endpoint}`)
})
