/** Clients from npm against the running input, with all that they can be asked for: key, user, TLS, acks. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { test } from 'node:test'
import { FluentClient } from '@fluent-org/logger'
import { eventually, type ForwardConfig } from '../../protocols/forward/input-under-test.ts'
import { pem, TLS } from '../../protocols/listening/listener-under-test.ts'
import { keepUntilEnd, scratch, startServer } from './forward-server.ts'

const GUARDED: Partial<ForwardConfig> = {
  ...{ shared_key: 'secret', self_hostname: 'server.local' },
  users: [{ username: 'alice', password: 'pa55' }],
}
const RIGHT = { clientHostname: 'client.local', sharedKey: 'secret', username: 'alice', password: 'pa55' }
const ca = readFileSync(pem('ca.pem'))

interface OrgOptions {
  readonly socket: object
  readonly security?: typeof RIGHT
  readonly eventMode?: 'Message' | 'Forward' | 'PackedForward' | 'CompressedPackedForward'
}

/** `@fluent-org/logger`, whose own limit for acks is 500 ms. */
function orgClient({ socket, security, eventMode = 'PackedForward' }: OrgOptions): FluentClient {
  const more = { ack: { ackTimeout: 10_000 }, eventMode, ...(security && { security }) }
  const client = new FluentClient('app', { ...more, socket: { host: '127.0.0.1', ...socket } })
  keepUntilEnd(async () => void (await client.shutdown().catch(() => {})))
  return client
}

for (const eventMode of ['Message', 'Forward', 'PackedForward', 'CompressedPackedForward'] as const) {
  test(`53 to 63: @fluent-org/logger, ${eventMode}, with key and user and acks`, async () => {
    const server = await startServer({ config: GUARDED })
    const client = orgClient({ socket: { port: server.port }, security: RIGHT, eventMode })
    await Promise.all(['a', 'b'].map((log) => client.emit('web', { log, at: new Date(1_700_000_000_000) })))
    const events = await server.stored(2)
    assert.deepEqual(
      events.map(({ tag, record }) => [tag, record.log]),
      [
        ['app.web', 'a'],
        ['app.web', 'b'],
      ],
    )
    assert.match(String(events[0]!.record.at), /^2023-11-14T22:13:20/)
  })
}

test('57: @fluent-org/logger with a wrong key gets nothing in', async () => {
  const server = await startServer({ config: GUARDED })
  const client = orgClient({ socket: { port: server.port }, security: { ...RIGHT, sharedKey: 'other' } })
  client.emit('web', { log: 'x' }).catch(() => {})
  await eventually(() => server.stats.rejected.unauthorized > 0)
  assert.equal(server.buffer.status().next, 0)
})

test('64: @fluent-org/logger over TLS, with the handshake behind it', async () => {
  const server = await startServer({ config: { ...GUARDED, tls: TLS } })
  const client = orgClient({ socket: { port: server.port, tls: { ca } }, security: RIGHT })
  await client.emit('web', { log: 'x' })
  assert.equal((await server.stored(1)).length, 1)
})

test('65: @fluent-org/logger through a Unix socket', async () => {
  const file = path.join(scratch(), 'forward.sock')
  const server = await startServer({ config: { listen: { path: file } } })
  await orgClient({ socket: { path: file } }).emit('web', { log: 'x' })
  assert.equal((await server.stored(1)).length, 1)
})

/** The part of the npm package `fluent-logger` that is used here; it brings no types for it. */
interface FluentSender {
  emit(label: string, record: object, done: (error?: Error) => void): void
  end(label: string | null, record: object | null, done: () => void): void
  on(event: 'error', listener: (error: Error) => void): void
}
const { createFluentSender } = createRequire(import.meta.url)('fluent-logger') as {
  createFluentSender(tag: string, options: object): FluentSender
}

for (const isTls of [false, true]) {
  test(`53 to 64: fluent-logger with key and user and acks${isTls ? ' over TLS' : ''}`, async () => {
    const server = await startServer({ config: isTls ? { ...GUARDED, tls: TLS } : GUARDED })
    const secure = isTls ? { tls: true, tlsOptions: { ca } } : {}
    const options = {
      host: '127.0.0.1',
      port: server.port,
      timeout: 3,
      requireAckResponse: true,
      ackResponseTimeout: 10_000,
    }
    const sender = createFluentSender('app', { ...options, ...secure, security: RIGHT, internalLogger: SILENT })
    sender.on('error', () => {})
    keepUntilEnd(() => new Promise<void>((resolve) => sender.end(null, null, resolve)))
    await new Promise<void>((resolve, reject) => {
      sender.emit('web', { log: 'x' }, (error) => (error === undefined ? resolve() : reject(error)))
    })
    const [event] = await server.stored(1)
    assert.deepEqual([event!.tag, event!.record], ['app.web', { log: 'x' }])
  })
}

const SILENT = { info: () => {}, error: () => {} }

test('17: fluent-logger with milliseconds and time_unit: ms', async () => {
  const server = await startServer({ config: { time_unit: 'ms' } })
  const options = { host: '127.0.0.1', port: server.port, timeout: 3, requireAckResponse: true, milliseconds: true }
  const sender = createFluentSender('app', options)
  keepUntilEnd(() => new Promise<void>((resolve) => sender.end(null, null, resolve)))
  const before = Date.now()
  await new Promise<void>((resolve) => sender.emit('web', { log: 'x' }, () => resolve()))
  const { time } = (await server.stored(1))[0]!
  const ms = time[0] * 1000 + time[1] / 1e6
  assert.ok(ms >= before && ms <= Date.now(), `${ms}`)
})
