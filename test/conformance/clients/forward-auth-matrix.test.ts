/**
 * Fault F38: where a client has to prove something, nothing of one that does not is stored, whatever it sends. Judged
 * by the files of the buffer, not by the answers.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { array, bin8, bin16, entries, eventTime, header, map, record, str } from '../../protocols/forward/encoding.ts'
import { eventually, type ForwardConfig } from '../../protocols/forward/input-under-test.ts'
import { pem, TLS } from '../../protocols/listening/listener-under-test.ts'
import { Dialogue, type Helo, type PingOptions, ping } from './forward-handshake.ts'
import { ack, keepUntilEnd, startServer } from './forward-server.ts'

const MARK = 'sent-by-a-stranger'
const chunk = str('p8n9gmxTQVC8/nh2wlKKeQ==')
const EVENTS: readonly Buffer[] = [
  array(str('t'), eventTime(1_700_000_000, 0), record(MARK)),
  array(str('t'), bin8(entries(MARK)), map({ chunk })),
  array(str('t'), array(array(Buffer.of(1), record(MARK))), map({ chunk })),
  array(str('t'), bin8(gzipSync(entries(MARK))), map({ chunk, compressed: str('gzip') })),
  Buffer.from(`["t",1,{"log":"${MARK}"}]`),
]
const DATA = Buffer.concat(EVENTS.slice(0, 4))

const ALICE = { username: 'alice', password: 'pa55' }
const client = { host: undefined, network: undefined, shared_key: undefined, users: undefined }
const MUTUAL = { ...TLS, ca_path: pem('ca.pem'), client_cert_auth: true }

interface Guard {
  readonly config: Partial<ForwardConfig>
  /** What lets a client in. */
  readonly right: PingOptions
  readonly isMutual?: true
  readonly asksForUser?: true
}

const GUARDS: Record<string, Guard> = {
  'a key': { config: { shared_key: 'secret' }, right: {} },
  'a key and users': {
    config: { shared_key: 'secret', users: [ALICE] },
    right: { user: 'alice', password: 'pa55' },
    asksForUser: true,
  },
  'a key of each client': {
    config: {
      clients: [{ ...client, network: '127.0.0.0/8', shared_key: 'secret' }],
      allow_anonymous_source: false,
    },
    right: {},
  },
  'an empty key': { config: { shared_key: '' }, right: { key: '' } },
  certificates: { config: { tls: MUTUAL }, right: {}, isMutual: true },
  'certificates and a key': { config: { tls: MUTUAL, shared_key: 'secret' }, right: {}, isMutual: true },
}

/** A PING that somebody else was let in with. */
const OLD: Pick<Helo, 'nonce' | 'auth'> = { nonce: Buffer.alloc(16, 1), auth: Buffer.alloc(16, 2) }

/** What is sent after HELO came, by name. */
const ATTEMPTS: Record<string, (helo: Pick<Helo, 'nonce' | 'auth'>, right: PingOptions) => Uint8Array> = {
  'no PING': () => DATA,
  'JSON and no PING': () => EVENTS[4]!,
  'data before PING': (helo, right) => Buffer.concat([DATA, ping(helo, right)]),
  'a heartbeat before PING': (helo, right) => Buffer.concat([Buffer.of(0xc0), ping(helo, right), DATA]),
  'a wrong key': (helo, right) => Buffer.concat([ping(helo, { ...right, key: 'wrong' }), DATA]),
  'a salt that is a number': (helo, right) => {
    const good = ping(helo, { ...right, salt: Buffer.of(7) })
    return Buffer.concat([Buffer.from(good.toString('latin1').replace('\xa1\x07', '\x07'), 'latin1'), DATA])
  },
  'a digest of no length': (helo) => {
    const items = ['PING', 'c', 'salt', '', '', ''].map((item) => str(item))
    return Buffer.concat([array(...items), DATA, Buffer.from(helo.nonce)])
  },
  'a replayed PING': (_, right) => Buffer.concat([ping(OLD, right), DATA]),
  'a second PING after a wrong one': (helo, right) =>
    Buffer.concat([ping(helo, { ...right, key: 'wrong' }), ping(helo, right), DATA]),
  'a huge PING': () =>
    Buffer.concat([Buffer.of(0x96), str('PING'), header(0xdb, 4, 1e9), Buffer.alloc(20_000, 1), DATA]),
  'a huge PING that is whole': () => Buffer.concat([array(str('PING'), bin16(Buffer.alloc(60_000))), DATA]),
  'the server words': () => Buffer.concat([array(str('PONG'), Buffer.of(0xc3), str(''), str('h'), str('d')), DATA]),
  'a wrong user': (helo, right) => Buffer.concat([ping(helo, { ...right, user: 'eve', password: 'pa55' }), DATA]),
  'a wrong password': (helo, right) => Buffer.concat([ping(helo, { ...right, password: 'x' }), DATA]),
}
const OF_USERS = new Set(['a wrong user', 'a wrong password'])

function keep<S extends Socket>(socket: S): S {
  keepUntilEnd(() => void socket.destroy())
  return socket.on('error', () => {})
}

type Way = 'plain' | 'TLS' | 'TLS with a foreign certificate' | 'TLS with a certificate'

function dial(port: number, way: Way): Socket {
  if (way === 'plain') return keep(connect({ host: '127.0.0.1', port, allowHalfOpen: true }))
  const name = way === 'TLS' ? undefined : way === 'TLS with a certificate' ? 'client' : 'foreign-client'
  const own = name && { cert: readFileSync(pem(`${name}.pem`)), key: readFileSync(pem(`${name}.key`)) }
  return keep(connectTls({ host: '127.0.0.1', port, ca: readFileSync(pem('ca.pem')), ...own }))
}

/** Sends the attempt as soon as HELO comes, or at once where none will; resolves when the server has closed. */
async function attempt(port: number, way: Way, bytesOf: (helo: Pick<Helo, 'nonce' | 'auth'>) => Uint8Array) {
  const dialogue = new Dialogue(dial(port, way))
  const asksForKey = way === 'plain' || way === 'TLS with a certificate'
  const helo = asksForKey ? await dialogue.helo() : OLD
  // In pieces, so that what is refused at the first is still followed by the others.
  const bytes = bytesOf(helo)
  for (let at = 0; at < bytes.length; at += 700) dialogue.socket.write(bytes.subarray(at, at + 700))
  dialogue.socket.end()
  await dialogue.over()
  return Buffer.concat(dialogue.reads)
}

/** Everything that lies in the folder of a buffer. */
function contentsOf(folder: string): Buffer {
  const files = globSync('**/*', { cwd: folder, withFileTypes: true }).filter((entry) => entry.isFile())
  return Buffer.concat(files.map(({ parentPath, name }) => readFileSync(`${parentPath}/${name}`)))
}

for (const [guardName, { config, right, isMutual, asksForUser }] of Object.entries(GUARDS)) {
  test(`F38: zero bytes are stored of who does not pass: ${guardName}`, async () => {
    const server = await startServer({ config })
    const before = contentsOf(server.folder).length
    const asksForKey = config.shared_key !== undefined || config.clients !== undefined
    const ways: Way[] = isMutual ? ['plain', 'TLS', 'TLS with a foreign certificate'] : ['plain']
    if (isMutual && asksForKey) ways.push('TLS with a certificate')
    let tries = 0
    for (const way of ways) {
      for (const [name, bytesOf] of Object.entries(ATTEMPTS)) {
        if (OF_USERS.has(name) && !asksForUser) continue
        if (isMutual && way === 'plain') await plainAtTls(server.port, bytesOf(OLD, right))
        else {
          const answer = await attempt(server.port, way, (helo) => bytesOf(helo, right))
          assert.ok(!answer.includes(ack(chunk)), `${way}, ${name}: an ack`)
          assert.ok(!answer.includes(Buffer.from('a4504f4e47c3', 'hex')), `${way}, ${name}: a PONG that says yes`)
        }
        tries += 1
        assert.equal(server.buffer.status().next, 0, `${way}, ${name}`)
      }
    }
    await eventually(() => server.stats.connections === 0)
    const { unauthorized, tls, wrong_protocol } = server.stats.rejected
    assert.equal(unauthorized + tls + wrong_protocol, tries, 'each of them was counted')
    const contents = contentsOf(server.folder)
    assert.deepEqual([contents.length - before, contents.includes(MARK), server.stats.events], [0, false, 0])
    await letsIn(server, { right, asksForKey, way: isMutual ? 'TLS with a certificate' : 'plain' })
  })
}

async function plainAtTls(port: number, bytes: Uint8Array): Promise<void> {
  const dialogue = new Dialogue(dial(port, 'plain'))
  await once(dialogue.socket, 'connect')
  dialogue.socket.write(bytes)
  await dialogue.over()
}

interface Honest {
  readonly right: PingOptions
  readonly asksForKey: boolean
  readonly way: Way
}

/** So that the zeros above are not those of a server that takes nothing. */
async function letsIn(server: Awaited<ReturnType<typeof startServer>>, { right, asksForKey, way }: Honest) {
  const dialogue = new Dialogue(dial(server.port, way))
  if (asksForKey) {
    dialogue.socket.write(ping(await dialogue.helo(), right))
    assert.equal((await dialogue.pong())?.isIn, true)
  }
  dialogue.socket.write(EVENTS[1]!)
  assert.deepEqual(await dialogue.next(), ack(chunk))
  // A second PING is refused, and nothing behind it is taken.
  if (!asksForKey) return
  dialogue.socket.write(Buffer.concat([ping(OLD, right), DATA]))
  assert.equal(await dialogue.next(), undefined)
  assert.equal(server.buffer.status().next, 1)
}
