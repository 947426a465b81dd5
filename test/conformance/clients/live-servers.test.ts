/** Servers of other makers behind the forward output: whether they take what it sends, and let it in. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { FluentServer } from '@fluent-org/logger'
import { output } from '../../../outputs/forward/forward.ts'
import { OutputError } from '../../../outputs/output.ts'
import { configFor, serverAt, TLS_OFF } from '../../outputs/forward/forward-config.ts'
import { makeBatch } from '../make-batch.ts'
import { outputContext } from '../output.ts'

const never = new AbortController().signal
const pem = (name: string) => path.join(import.meta.dirname, '../../golden/tls', name)
const EVENTS = 1_000
const BATCH = makeBatch([
  { tag: 'a', events: Array.from({ length: EVENTS }, (_, n) => ({ record: { n, log: 'hé"llo' } })) },
  { tag: 'b', events: [{ record: { n: EVENTS } }] },
])
const SECURITY = {
  serverHostname: 'fluent-org',
  sharedKey: 'k3y',
  authorize: true,
  userDict: { alice: 'pa55' } as Record<string, string>,
}

type ServerOptions = ConstructorParameters<typeof FluentServer>[0]

/** `@fluent-org/logger` as a server: handshake, acks, gzip. */
async function startServer(t: TestContext, options: ServerOptions) {
  const server = new FluentServer({ ...options, listenOptions: { host: '127.0.0.1', port: 0 } })
  const entries: [string, unknown][] = []
  server.on('entry', (tag: string, _time: unknown, record: unknown) => void entries.push([tag, record]))
  await server.listen()
  t.after(() => server.close())
  return { entries, port: server.port! }
}

function assertAll(entries: readonly [string, unknown][]): void {
  const expected = Array.from({ length: EVENTS }, (_, n) => ['a', { n, log: 'hé"llo' }])
  assert.deepEqual(entries, [...expected, ['b', { n: EVENTS }]])
}

for (const compress of ['text', 'gzip'] as const) {
  test(`@fluent-org/logger takes what is sent as ${compress}, behind a key and a user`, async (t) => {
    const { entries, port } = await startServer(t, { security: SECURITY })
    const servers = [serverAt(port, { username: 'alice', password: 'pa55' })]
    const writer = await output.open(configFor(servers, { compress, shared_key: 'k3y' }), outputContext())
    t.after(() => writer.close())
    assert.deepEqual(await writer.write(BATCH, never), { rejected: [], pending: [] })
    assertAll(entries)
  })
}

test('@fluent-org/logger over TLS', async (t) => {
  const tlsOptions = { cert: readFileSync(pem('server.pem')), key: readFileSync(pem('server.key')) }
  const { entries, port } = await startServer(t, { tlsOptions })
  const tls = { ...TLS_OFF, enabled: true, ca_path: pem('ca.pem') }
  const servers = [serverAt(port, { host: 'localhost' })]
  const writer = await output.open(configFor(servers, { tls }), outputContext())
  t.after(() => writer.close())
  assert.deepEqual(await writer.write(BATCH, never), { rejected: [], pending: [] })
  assertAll(entries)
})

test('@fluent-org/logger refuses another key, and the output is blocked', async (t) => {
  const { entries, port } = await startServer(t, { security: SECURITY })
  const writer = await output.open(configFor([serverAt(port)], { shared_key: 'other' }), outputContext())
  t.after(() => writer.close())
  await assert.rejects(writer.write(BATCH, never), (error) => error instanceof OutputError && error.fault === 'blocked')
  assert.deepEqual(entries, [])
})
