/** The output before our own forward input, and before servers that fail in every way the protocol allows. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import type { EventBuffer } from '../../../buffer/buffer.ts'
import { createByteSink, emptySink } from '../../../outputs/encoding/byte-sink.ts'
import { createDocumentCursor, enterStream, readEventTime, writeDocument } from '../../../outputs/encoding/document.ts'
import { output } from '../../../outputs/forward/forward.ts'
import { OutputError, type Writer } from '../../../outputs/output.ts'
import { LIMITS, NO_SIGNAL, quickFileSystem, readerOf } from '../../buffer/harness.ts'
import { startServer } from '../../conformance/clients/forward-server.ts'
import { batchOf, idsOf, makeBatch } from '../../conformance/make-batch.ts'
import { outputContext, testOutput } from '../../conformance/output.ts'
import { configFor, type ForwardConfig, type ServerConfig, serverAt, TLS_OFF } from './forward-config.ts'

const KEY = { shared_key: 'secret', self_hostname: 'receiver' }

async function openWriter(
  t: Pick<TestContext, 'after'>,
  servers: readonly ServerConfig[],
  over: Partial<ForwardConfig> = {},
): Promise<Writer> {
  const writer = await output.open(configFor(servers, over), outputContext())
  t.after(() => writer.close())
  return writer
}

/** What the receiver has stored, as documents with the sequence of the first hop, which is told from the ids. */
async function documentsIn(buffer: EventBuffer): Promise<string[]> {
  const { next } = buffer.status()
  const reader = await readerOf(buffer, 'out', { files: quickFileSystem })
  const cursor = createDocumentCursor({ seed: 1, step: 2 })
  const sink = createByteSink(1024)
  const documents: { readonly position: number; readonly text: string }[] = []
  while (documents.length < next) {
    for (const stream of (await reader.read(LIMITS, NO_SIGNAL)).streams) {
      let at = enterStream(cursor, stream)
      for (let event = 0; event < stream.count; event += 1) {
        emptySink(sink)
        const position = Number(stream.idBase.replace(/^A*(?=\d)/, '')) + stream.idIndex + event
        at = writeDocument(cursor, readEventTime(cursor, at), position, sink)
        documents.push({ position, text: Buffer.from(sink.bytes.subarray(0, sink.at)).toString() })
      }
    }
  }
  await reader.close()
  return documents.sort((a, b) => a.position - b.position).map(({ text }) => text)
}

for (const compress of ['text', 'gzip', 'zstd'] as const) {
  testOutput({
    name: `forward, ${compress}`,
    dedupes: true,
    refuses: ['receive_time'],
    async open(context) {
      const server = await startServer({ config: KEY })
      const config = configFor([serverAt(server.port)], { compress, shared_key: 'secret' })
      return {
        writer: await output.open(config, context),
        read: async () => (await documentsIn(server.buffer)).map((text) => JSON.parse(text)),
        readText: async () => (await documentsIn(server.buffer)).join(''),
        close: server.close,
      }
    },
  })
}

const THREE = batchOf({ n: 0 }, { n: 1 }, { n: 2 })
const TWO_TAGS = makeBatch([
  { tag: 'a', events: [{ record: { n: 0 } }, { record: { n: 1 } }] },
  { tag: 'b', events: [{ record: { n: 2 } }] },
])
const ACCEPTED = { rejected: [], pending: [] }
const recordsOf = async (server: Awaited<ReturnType<typeof startServer>>, count: number) =>
  (await server.stored(count)).map(({ record }) => record.n)

test('behind a key the receiver keeps the event ids; without one they are the same at each receiver', async (t) => {
  const ids = async (config: object, shared_key: string | undefined) => {
    const server = await startServer({ config })
    const writer = await openWriter(t, [serverAt(server.port)], { shared_key })
    assert.deepEqual(await writer.write(TWO_TAGS, NO_SIGNAL), ACCEPTED)
    return (await server.stored(3)).map(({ id }) => id)
  }
  assert.deepEqual(await ids(KEY, 'secret'), idsOf(TWO_TAGS))
  const first = await ids({}, undefined)
  assert.equal(new Set(first).size, 3)
  assert.notDeepEqual(first, idsOf(TWO_TAGS))
  assert.deepEqual(await ids({}, undefined), first)
})

test('where one of the servers has no key, the ids are the same at both all the same', async (t) => {
  const [keyed, open] = [await startServer({ config: KEY }), await startServer()]
  const ids: string[][] = []
  for (const first of [keyed, open]) {
    const servers = [serverAt(keyed.port, { shared_key: 'secret' }), serverAt(open.port)]
    const order = first === keyed ? servers : servers.toReversed()
    const writer = await openWriter(t, [order[0]!, { ...order[1]!, standby: true }])
    assert.deepEqual(await writer.write(TWO_TAGS, NO_SIGNAL), ACCEPTED)
    ids.push((await first.stored(3)).map(({ id }) => id))
  }
  assert.deepEqual(ids[0], ids[1])
})

test('a user signs in', async (t) => {
  const users = [{ username: 'alice', password: 'pa55' }]
  const server = await startServer({ config: { ...KEY, users } })
  const writer = await openWriter(t, [serverAt(server.port, users[0])], { shared_key: 'secret' })
  assert.deepEqual(await writer.write(THREE, NO_SIGNAL), ACCEPTED)
  assert.deepEqual(await recordsOf(server, 3), [0, 1, 2])
})

test('over TLS, with a certificate of its own, compressed', async (t) => {
  const file = (name: string) => path.join(import.meta.dirname, '../../golden/tls', name)
  const serverTls = { cert_path: file('server.pem'), private_key_path: file('server.key'), ca_path: file('ca.pem') }
  const config = { ...KEY, tls: { ...serverTls, client_cert_auth: true, private_key_passphrase: undefined } }
  const server = await startServer({ config })
  const own = { cert_path: file('client.pem'), private_key_path: file('client.key'), ca_path: file('ca.pem') }
  const tls = { ...TLS_OFF, ...own, enabled: true }
  const over = { shared_key: 'secret', compress: 'zstd', tls } as const
  const writer = await openWriter(t, [serverAt(server.port, { host: 'localhost' })], over)
  const batch = batchOf(...Array.from({ length: 200 }, (_, n) => ({ n })))
  assert.deepEqual(await writer.write(batch, NO_SIGNAL), ACCEPTED)
  assert.equal((await server.stored(200)).length, 200)
})

test('certificates that are renewed are used for the next connection; those that are gone stay', async (t) => {
  const file = (name: string) => path.join(import.meta.dirname, '../../golden/tls', name)
  const serverTls = { cert_path: file('server.pem'), private_key_path: file('server.key'), ca_path: undefined }
  const config = { ...KEY, tls: { ...serverTls, client_cert_auth: false, private_key_passphrase: undefined } }
  const server = await startServer({ config })
  const folder = await mkdtemp(path.join(tmpdir(), 'logboom-tls-'))
  t.after(() => rm(folder, { recursive: true }))
  const ca = path.join(folder, 'ca.pem')
  await copyFile(file('foreign-client.pem'), ca)
  const tls = { ...TLS_OFF, ca_path: ca, enabled: true }
  const over = { shared_key: 'secret', tls, keepalive: false } as const
  const writer = await openWriter(t, [serverAt(server.port, { host: 'localhost' })], over)
  await assert.rejects(writer.write(THREE, NO_SIGNAL), fails('blocked', /certificate/))
  await copyFile(file('ca.pem'), ca)
  assert.deepEqual(await writer.write(THREE, NO_SIGNAL), ACCEPTED)
  await rm(ca)
  assert.deepEqual(await writer.write(batchOf({ n: 3 }), NO_SIGNAL), ACCEPTED)
  assert.deepEqual(await recordsOf(server, 4), [0, 1, 2, 3])
})

const fails = (fault: string, words: RegExp) => (error: unknown) =>
  error instanceof OutputError && error.fault === fault && words.test(error.message)

test('what only an operator can mend blocks: another key, another user, no key, TLS where there is none', async (t) => {
  const server = await startServer({ config: { ...KEY, users: [{ username: 'alice', password: 'pa55' }] } })
  const attempt = async (over: Partial<ForwardConfig>, words: RegExp, own: Partial<ServerConfig> = {}) => {
    const writer = await openWriter(t, [serverAt(server.port, own)], over)
    await assert.rejects(writer.write(THREE, NO_SIGNAL), fails('blocked', words))
  }
  await attempt({ shared_key: 'another' }, /shared_key mismatch/)
  await attempt({ shared_key: 'secret' }, /username\/password mismatch/, { username: 'bob', password: 'x' })
  await attempt({}, /`shared_key`/)
  await attempt({ tls: { ...TLS_OFF, enabled: true } }, /wrong version number/)
})

/** A server in the hands of a test: `answer` is told what each connection sends. */
async function scripted(
  t: Pick<TestContext, 'after'>,
  answer: (socket: Socket, read: Buffer) => void,
  connected: (socket: Socket) => void = () => {},
): Promise<{ port: number; sockets: Socket[]; server: Server }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (read) => answer(socket, read))
    connected(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as { port: number }).port, sockets, server }
}

const CHUNK = /\xa5chunk\xb8(.{24})/g
const acksOf = (read: Buffer) =>
  [...read.toString('latin1').matchAll(CHUNK)].map(([, chunk]) => Buffer.from(`\x81\xa3ack\xb8${chunk}`, 'latin1'))

test('a server that takes bytes and keeps silent is lost after hard_timeout, and the standby takes over', async (t) => {
  const silent = await scripted(t, () => {})
  const standby = await startServer()
  const servers = [serverAt(silent.port), serverAt(standby.port, { standby: true })]
  const writer = await openWriter(t, servers, { hard_timeout: 100 })
  const words: (string | undefined)[] = []
  writer.watchParts!((news) => words.push(news))
  assert.deepEqual(await writer.write(THREE, NO_SIGNAL), ACCEPTED)
  assert.deepEqual(words, [undefined, `server 127.0.0.1:${silent.port} is lost: it gave no sign in time`])
  assert.deepEqual(await writer.write(batchOf({ n: 3 }), NO_SIGNAL), ACCEPTED)
  assert.equal(silent.sockets.length, 1, 'what is lost is not tried again')
  assert.deepEqual(await recordsOf(standby, 4), [0, 1, 2, 3])
})

test('a server that shows no HELO is lost after hard_timeout', async (t) => {
  const silent = await scripted(t, () => {})
  const standby = await startServer({ config: KEY })
  const servers = [serverAt(silent.port), serverAt(standby.port, { standby: true })]
  const writer = await openWriter(t, servers, { hard_timeout: 100, shared_key: 'secret' })
  assert.deepEqual(await writer.write(THREE, NO_SIGNAL), ACCEPTED)
  assert.deepEqual(await recordsOf(standby, 3), [0, 1, 2])
})

test('only what was not acknowledged goes to the next server', async (t) => {
  const half = await scripted(t, (socket, read) =>
    half.sockets.length === 1 ? socket.end(acksOf(read)[0]!) : socket.end(),
  )
  const standby = await startServer()
  const servers = [serverAt(half.port), serverAt(standby.port, { standby: true })]
  const writer = await openWriter(t, servers)
  assert.deepEqual(await writer.write(TWO_TAGS, NO_SIGNAL), ACCEPTED)
  assert.deepEqual(await recordsOf(standby, 1), [2])
})

test('where no other server is left, what was not acknowledged is pending', async (t) => {
  const half = await scripted(t, (socket, read) => socket.end(acksOf(read)[1] ?? ''))
  const writer = await openWriter(t, [serverAt(half.port)])
  const result = await writer.write(TWO_TAGS, NO_SIGNAL)
  assert.deepEqual(result, { rejected: [], pending: [0, 1], pendingReason: 'unavailable' })
})

test('an ack that is lost costs no double: the receiver knows the message again', async (t) => {
  const server = await startServer()
  const writer = await openWriter(t, [serverAt(server.port)])
  const abandoned = new AbortController()
  const first = writer.write(THREE, abandoned.signal)
  await server.stored(3)
  abandoned.abort()
  await first.catch(() => {})
  assert.deepEqual(await writer.write(THREE, NO_SIGNAL), ACCEPTED)
  assert.equal(server.buffer.status().next, 3)
})

test('messages that are the same to the byte are each acknowledged', async (t) => {
  const server = await scripted(t, (socket, read) => socket.write(Buffer.concat(acksOf(read))))
  const writer = await openWriter(t, [serverAt(server.port)])
  const same = { position: 7, events: [{ record: { n: 1 } }] }
  assert.deepEqual(await writer.write(makeBatch([same, same]), NO_SIGNAL), ACCEPTED)
})

test('a connection that was closed while it was idle is no fault of the server', async (t) => {
  const server = await scripted(t, (socket, read) => socket.write(Buffer.concat(acksOf(read))))
  const writer = await openWriter(t, [serverAt(server.port)])
  await writer.write(THREE, NO_SIGNAL)
  server.sockets[0]!.resetAndDestroy()
  await once(server.sockets[0]!, 'close')
  assert.deepEqual(await writer.write(THREE, NO_SIGNAL), ACCEPTED)
  assert.equal(server.sockets.length, 2)
})

test('a server that closes after each message is no fault of it either', async (t) => {
  for (const keepalive of [true, false]) {
    const server = await startServer({ config: { ...KEY, deny_keepalive: true } })
    const servers = [serverAt(server.port), serverAt(1, { standby: true })]
    const writer = await openWriter(t, servers, { keepalive, shared_key: 'secret' })
    assert.deepEqual(await writer.write(TWO_TAGS, NO_SIGNAL), ACCEPTED)
    assert.deepEqual(await recordsOf(server, 3), [0, 1, 2])
  }
})

test('an unknown ack ends the connection, and nothing counts as accepted', async (t) => {
  const ack = Buffer.from(`\x81\xa3ack\xa3xyz`, 'latin1')
  const server = await scripted(t, (socket) => socket.write(ack))
  const writer = await openWriter(t, [serverAt(server.port)])
  await assert.rejects(writer.write(THREE, NO_SIGNAL), fails('retry', /not sent/))
})

test('without acks events are accepted once they are sent, whoever listens', async (t) => {
  const reads: Buffer[] = []
  const server = await scripted(t, (_, read) => void reads.push(read))
  const writer = await openWriter(t, [serverAt(server.port)], { require_ack_response: false, keepalive: false })
  assert.deepEqual(await writer.write(THREE, NO_SIGNAL), ACCEPTED)
  await once(server.sockets[0]!, 'end')
  assert.deepEqual(acksOf(Buffer.concat(reads)), [])
})

test('heartbeats bring a lost server back, a silent one only once it answers', async (t) => {
  let isStopped = true
  let asked = 0
  const primary = await scripted(t, (socket, read) => {
    asked += read.includes('logboom.heartbeat') ? 1 : 0
    if (!isStopped) socket.write(Buffer.concat(acksOf(read)))
  })
  const standby = await startServer()
  const servers = [serverAt(primary.port), serverAt(standby.port, { standby: true })]
  const times = { hard_timeout: 60, recover_wait: 60 }
  const writer = await openWriter(t, servers, { ...times, heartbeat_type: 'transport', phi_failure_detector: false })
  await writer.write(THREE, NO_SIGNAL)
  while (asked < 3) await new Promise((resolve) => setTimeout(resolve, 5))
  await writer.write(batchOf({ n: 3 }), NO_SIGNAL)
  assert.deepEqual(await recordsOf(standby, 4), [0, 1, 2, 3])
  isStopped = false
  const takes = () => primary.sockets.some((socket) => socket.bytesRead > 100)
  for (let n = 4; !takes(); n += 1) {
    await writer.write(makeBatch([{ position: n, events: [{ record: { n } }] }]), NO_SIGNAL)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
})

test('a datagram is a heartbeat where it is answered: who does not answer is lost, who does is not', async (t) => {
  const [answering, mute] = [await startServer(), await scripted(t, () => {})]
  const servers = [serverAt(answering.port, { name: 'answering' }), serverAt(mute.port, { name: 'mute' })]
  const over = { heartbeat_type: 'udp', hard_timeout: 300, phi_failure_detector: false } as const
  const warned = Promise.withResolvers<string>()
  const context = outputContext()
  const log = { ...context.log, warn: (_: object, message: string) => warned.resolve(message) }
  const writer = await output.open(configFor(servers, over), { ...context, log })
  t.after(() => writer.close())
  assert.equal(await warned.promise, 'server mute is lost: its heartbeats do not come')
})

test('faults of a configuration: nobody to send to, half a certificate, a user without a key', () => {
  const faultsOf = (servers: readonly ServerConfig[], over: Partial<ForwardConfig> = {}) =>
    output.check!(configFor(servers, over)).map(({ key }) => key.join('.'))
  assert.deepEqual(faultsOf([serverAt(1)]), [])
  assert.deepEqual(faultsOf([]), ['servers'])
  assert.deepEqual(faultsOf([serverAt(1, { weight: 0 })]), ['servers'])
  assert.deepEqual(faultsOf([serverAt(1)], { tls: { ...TLS_OFF, cert_path: '/c.pem' } }), ['tls.cert_path'])
  const user = { username: 'alice', password: 'pa55' }
  assert.deepEqual(faultsOf([serverAt(1), serverAt(2, user)]), ['servers.1.username'])
  assert.deepEqual(faultsOf([serverAt(1, user)], { shared_key: 'k3y' }), [])
})

test('certificates that cannot be read are said when it is opened', async () => {
  const tls = { ...TLS_OFF, enabled: true, ca_path: '/nowhere/ca.pem' }
  await assert.rejects(output.open(configFor([serverAt(1)], { tls }), outputContext()), { code: 'LB-O004' })
})
