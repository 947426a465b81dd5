/** Statements 53 to 65: the handshake, TLS and the Unix socket. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { rename, stat } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { array, eventTime, map, record, str } from '../../protocols/forward/encoding.ts'
import { eventually, type ForwardConfig, startInput } from '../../protocols/forward/input-under-test.ts'
import { pem, TLS } from '../../protocols/listening/listener-under-test.ts'
import { Dialogue, ping, pongDigest } from './forward-handshake.ts'
import { ack, keepUntilEnd, type Server, scratch, startServer } from './forward-server.ts'

const tag = str('docker.web')
const chunk = str('p8n9gmxTQVC8/nh2wlKKeQ==')
const message = (log: string) => array(tag, eventTime(1_700_000_000, 42), record(log), map({ chunk }))
const KEY: Partial<ForwardConfig> = { shared_key: 'secret', self_hostname: 'server.local' }
const ALICE: Partial<ForwardConfig> = { ...KEY, users: [{ username: 'alice', password: 'pa55' }] }

function keep<S extends Socket>(socket: S): S {
  keepUntilEnd(() => void socket.destroy())
  socket.on('error', () => {})
  return socket
}

async function dial({ port }: Pick<Server, 'port'>): Promise<Dialogue> {
  const socket = keep(connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true }))
  const dialogue = new Dialogue(socket)
  await once(socket, 'connect')
  return dialogue
}

async function dialTls({ port }: Pick<Server, 'port'>, options: ConnectionOptions = {}): Promise<Dialogue> {
  const ca = readFileSync(pem('ca.pem'))
  const socket = keep(connectTls({ host: '127.0.0.1', port, ca, ...options }))
  const dialogue = new Dialogue(socket)
  await once(socket, 'secureConnect')
  return dialogue
}

async function storesOne(dialogue: Dialogue, server: Server): Promise<void> {
  dialogue.socket.write(message('x'))
  assert.deepEqual(await dialogue.next(), ack(chunk))
  assert.deepEqual(
    (await server.stored(1)).map(({ record }) => record.log),
    ['x'],
  )
}

test('53: HELO comes at once, in one write, nonce and auth as 16 bytes of bin, keepalive as a bool', async () => {
  for (const deny_keepalive of [false, true]) {
    const server = await startServer({ config: { ...KEY, deny_keepalive } })
    const first = await (await dial(server)).helo()
    const second = await (await dial(server)).helo()
    for (const { bytes, nonce, auth, keepalive } of [first, second]) {
      const rest = [str('nonce'), Buffer.of(0xc4, 16), nonce, str('auth'), Buffer.of(0xc4, 16), auth, str('keepalive')]
      const bool = Buffer.of(deny_keepalive ? 0xc2 : 0xc3)
      assert.deepEqual(bytes, Buffer.concat([Buffer.of(0x92), str('HELO'), Buffer.of(0x83), ...rest, bool]))
      assert.deepEqual([nonce.length, auth.length, keepalive], [16, 16, !deny_keepalive])
    }
    const all = new Set([first.nonce, first.auth, second.nonce, second.auth].map((bytes) => bytes.toString('hex')))
    assert.equal(all.size, 4, 'fresh each time')
  }
})

test('54: auth is given although no user is asked for, and a client that sends one comes in', async () => {
  const server = await startServer({ config: KEY })
  const dialogue = await dial(server)
  dialogue.socket.write(ping(await dialogue.helo(), { user: 'anybody', password: 'x' }))
  assert.equal((await dialogue.pong())?.isIn, true)
})

test('55: the salt of PING is raw bytes, as str of any bytes, as hex and as bin', async () => {
  const server = await startServer({ config: KEY })
  const raw = Buffer.alloc(16, 0xff)
  for (const options of [{ salt: raw }, {}, { salt: raw, saltAs: 'bin' }] as const) {
    const dialogue = await dial(server)
    dialogue.socket.write(ping(await dialogue.helo(), options))
    assert.equal((await dialogue.pong())?.isIn, true)
  }
})

const REFUSED = (reason: string) => array(str('PONG'), Buffer.of(0xc2), str(reason), str(''), str(''))

test('56: what is no PING is told so, and then the connection is closed', async () => {
  const server = await startServer({ config: KEY })
  const wrong = [array(str('PING'), str('a')), message('x'), map({ PING: str('a') }), Buffer.from('["PING"]')]
  for (const bytes of wrong) {
    const dialogue = await dial(server)
    await dialogue.helo()
    dialogue.socket.write(bytes)
    assert.deepEqual(await dialogue.next(), REFUSED('invalid ping message'))
    assert.equal(await dialogue.next(), undefined)
  }
  assert.equal(server.stats.rejected.unauthorized, wrong.length)
  assert.equal(server.buffer.status().next, 0)
})

test('57: a wrong key and a wrong user are told apart, and counted', async () => {
  const server = await startServer({ config: ALICE })
  const rows = [
    [{ key: 'other', user: 'alice', password: 'pa55' }, 'shared_key mismatch'],
    [{ user: 'alice', password: 'wrong' }, 'username/password mismatch'],
    [{ user: 'bob', password: 'pa55' }, 'username/password mismatch'],
    [{}, 'username/password mismatch'],
  ] as const
  for (const [options, reason] of rows) {
    const dialogue = await dial(server)
    dialogue.socket.write(ping(await dialogue.helo(), options))
    assert.deepEqual(await dialogue.next(), REFUSED(reason))
    assert.equal(await dialogue.next(), undefined)
  }
  const codes = server.stats.knocks.list.map(({ code }) => code).toSorted()
  assert.deepEqual(codes, ['LB-F004', 'LB-F009'])
  const texts = server.stats.knocks.list.map(({ text }) => text).join('\n')
  assert.doesNotMatch(texts, /secret|pa55|wrong/)
})

test('57: a source that is none of the clients is denied by its address', async () => {
  const client = { host: undefined, network: '10.0.0.0/8', shared_key: undefined, users: undefined }
  const server = await startServer({ config: { ...KEY, clients: [client], allow_anonymous_source: false } })
  const dialogue = await dial(server)
  dialogue.socket.write(ping(await dialogue.helo()))
  assert.deepEqual(await dialogue.next(), REFUSED("anonymous source host '127.0.0.1' denied"))
})

test('58: PONG is five items, all str but the bool, its digest 128 lower-case hex digits, in one write', async () => {
  const server = await startServer({ config: KEY })
  const dialogue = await dial(server)
  const helo = await dialogue.helo()
  const salt = Buffer.from('0123456789abcdef0123456789abcdef')
  dialogue.socket.write(ping(helo, { salt }))
  const { bytes, digest } = (await dialogue.pong())!
  assert.match(digest, /^[0-9a-f]{128}$/)
  assert.equal(digest, pongDigest(salt, 'server.local', helo.nonce, 'secret'))
  const expected = array(str('PONG'), Buffer.of(0xc3), str(''), str('server.local'), str(digest))
  assert.deepEqual(bytes, expected)
  assert.ok(bytes.length < 1024)
})

test('59: the name of the server is that of the configuration, and never that of the client', async () => {
  const server = await startServer({ config: KEY })
  for (const [hostname, expected] of [
    ['client.local', 'server.local'],
    ['server.local', 'logboom.server.local'],
  ] as const) {
    const dialogue = await dial(server)
    dialogue.socket.write(ping(await dialogue.helo(), { hostname }))
    assert.equal((await dialogue.pong())?.hostname, expected)
  }
})

test('60: a client that is silent, or stalls within PING, is disconnected in time and named', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const input = await startInput({ config: KEY })
  const [silent, stalled] = [await dial(input), await dial(input)]
  await silent.helo()
  stalled.socket.write(ping(await stalled.helo()).subarray(0, 40))
  await turns(() => input.stats.bytes === 40)
  t.mock.timers.tick(10_000)
  assert.equal(await silent.next(), undefined)
  assert.equal(await stalled.next(), undefined)
  assert.deepEqual(
    input.stats.knocks.list.map(({ code, count }) => [code, count]),
    [['LB-F012', 2]],
  )
  // The time that a closed connection is waited for stands still too.
  for (const { socket } of [silent, stalled]) socket.destroy()
})

/** As `eventually`, while timers stand still. */
async function turns(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}

test('60: a client may send PING and events at once, as soon as it has HELO', async () => {
  const server = await startServer({ config: KEY })
  const dialogue = await dial(server)
  dialogue.socket.write(Buffer.concat([ping(await dialogue.helo()), message('x')]))
  const bytes = Buffer.concat([(await dialogue.next())!])
  assert.equal(bytes[6], 0xc3)
  await server.stored(1)
})

test('61: events before the handshake is over are refused and not stored', async () => {
  const server = await startServer({ config: KEY })
  const dialogue = await dial(server)
  dialogue.socket.write(Buffer.concat([message('early'), ping(await dialogue.helo()), message('late')]))
  assert.deepEqual(await dialogue.next(), REFUSED('invalid ping message'))
  assert.equal(await dialogue.next(), undefined)
  assert.equal(server.buffer.status().next, 0)
})

test('62: an empty key is a key, and the log says what it is worth', async () => {
  const server = await startServer({ config: { ...KEY, shared_key: '' } })
  const right = await dial(server)
  right.socket.write(ping(await right.helo(), { key: '' }))
  assert.equal((await right.pong())?.isIn, true)
  await storesOne(right, server)
  const wrong = await dial(server)
  wrong.socket.write(ping(await wrong.helo(), { key: 'secret' }))
  assert.equal((await wrong.pong())?.reason, 'shared_key mismatch')
  assert.ok(server.said.some(({ message }) => /shared_key is empty/.test(message)))
})

test('63: a heartbeat may shake hands and close, and is no news', async () => {
  const server = await startServer({ config: KEY })
  for (let i = 0; i < 3; i += 1) {
    const dialogue = await dial(server)
    dialogue.socket.write(ping(await dialogue.helo()))
    assert.equal((await dialogue.pong())?.isIn, true)
    dialogue.socket.end()
    await dialogue.over()
  }
  const silent = await dial(server)
  await silent.helo()
  silent.socket.end()
  await silent.over()
  await eventually(() => server.stats.connections === 0)
  assert.deepEqual(
    server.said.filter(({ level }) => level !== 'debug'),
    [],
  )
})

test('64: TLS 1.2 alone, no server name and no ALPN; with and without the handshake', async () => {
  for (const config of [{ tls: TLS }, { ...KEY, tls: TLS }]) {
    const server = await startServer({ config })
    const dialogue = await dialTls(server, { maxVersion: 'TLSv1.2', servername: '' })
    if ('shared_key' in config) {
      dialogue.socket.write(ping(await dialogue.helo()))
      assert.equal((await dialogue.pong())?.isIn, true)
    }
    await storesOne(dialogue, server)
  }
})

test('64: with TLS a message with FIN right behind it is stored and acknowledged', async () => {
  const server = await startServer({ config: { tls: TLS } })
  const dialogue = await dialTls(server)
  dialogue.socket.end(message('x'))
  assert.deepEqual(await dialogue.next(), ack(chunk))
  await server.stored(1)
})

test('65: a Unix socket speaks the same, with acks; a stale file is replaced, a live one is not', async () => {
  const file = path.join(scratch(), 'forward.sock')
  const server = await startServer({ config: { listen: { path: file } } })
  const dialogue = new Dialogue(keep(connect({ path: file })))
  await storesOne(dialogue, server)
  await assert.rejects(startServer({ config: { listen: { path: file } } }), /is taken by another process/)
  await server.close()
  await assert.rejects(stat(file), 'the file is gone')
  // A listener that never took its file away, as after a kill.
  const dead = createServer().listen({ path: file })
  await once(dead, 'listening')
  await rename(file, `${file}.kept`)
  await new Promise((resolve) => dead.close(resolve))
  await rename(`${file}.kept`, file)
  const next = await startServer({ config: { listen: { path: file }, ...KEY } })
  const guarded = new Dialogue(keep(connect({ path: file })))
  guarded.socket.write(ping(await guarded.helo()))
  assert.equal((await guarded.pong())?.isIn, true)
  await storesOne(guarded, next)
})

interface Capture {
  readonly connections: readonly {
    readonly messages: readonly { readonly tag: string; readonly record: object; readonly option: { chunk?: string } }[]
  }[]
}

/** What Docker's driver sent through which transport, as it was captured, and what its engine meant by it. */
const CAPTURES: [string, string, 'tcp' | 'unix' | 'tls'][] = [
  ['14', 'fluent-06-labels-env', 'tcp'],
  ['1', 'fluent-13-json-lines', 'tcp'],
  ['65', 'fluent-22-unix', 'unix'],
  ['64', 'fluent-23-tls-ack', 'tls'],
]
for (const [number, name, way] of CAPTURES) {
  test(`${number}: what Docker sent by ${way}: ${name}`, async () => {
    const golden = new URL('../../golden/docker-fluentd/', import.meta.url)
    const bytes = readFileSync(new URL(`${name}.conn1.bin`, golden))
    const { connections } = JSON.parse(readFileSync(new URL(`${name}.json`, golden), 'utf8')) as Capture
    const { messages } = connections[0]!
    const file = path.join(scratch(), 'forward.sock')
    const config = way === 'unix' ? { listen: { path: file } } : way === 'tls' ? { tls: TLS } : {}
    const server = await startServer({ config })
    const dialogue = way === 'unix' ? new Dialogue(keep(connect({ path: file }))) : await dialBy(way, server)
    dialogue.socket.write(bytes)
    const events = await server.stored(messages.length)
    const recordOf = ({ tag, record }: { tag: string; record: object }) => ({ tag, record: { ...record } })
    assert.deepEqual(events.map(recordOf), messages.map(recordOf))
    const acks = messages.flatMap(({ option }) => (option.chunk === undefined ? [] : [ack(str(option.chunk))]))
    const expected = Buffer.concat(acks)
    let answer = Buffer.alloc(0)
    while (answer.length < expected.length) answer = Buffer.concat([answer, (await dialogue.next())!])
    assert.deepEqual(answer, expected)
  })
}

const dialBy = (way: 'tcp' | 'tls', server: Server) => (way === 'tls' ? dialTls(server) : dial(server))
