import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { checkTls } from '../../../protocols/listening/tls.ts'
import { LogboomError } from '../../../server/core/errors.ts'
import { answer, dial, keep, pem, scratch, startListener, TLS } from './listener-under-test.ts'

const ca = await readFile(pem('ca.pem'))
const MUTUAL = { ...TLS, ca_path: pem('ca.pem'), client_cert_auth: true }

function dialTls(port: number, options: ConnectionOptions = {}): TLSSocket {
  const socket = keep(connectTls({ host: '127.0.0.1', port, ca, ...options }))
  return socket.on('error', () => {})
}

async function certificate(name: string): Promise<ConnectionOptions> {
  return { cert: await readFile(pem(`${name}.pem`)), key: await readFile(pem(`${name}.key`)) }
}

test('TLS 1.2 and 1.3 are taken, with and without a server name, without ALPN', async () => {
  const { port, listener } = await startListener({ tls: TLS })
  assert.deepEqual(listener.addresses, [`127.0.0.1:${port} tls`])
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const servername of ['', 'server.local']) {
      const socket = dialTls(port, { maxVersion, servername })
      assert.equal(await answer(socket, 'hello'), 'hello')
      assert.deepEqual([socket.getProtocol(), socket.alpnProtocol], [maxVersion, false])
      assert.equal(socket.authorized, true)
    }
  }
})

test('a client that ends its side still gets what is to come', async () => {
  const { port } = await startListener({ tls: TLS })
  const socket = dialTls(port)
  socket.end('all of it')
  const [bytes] = await once(socket, 'data')
  assert.equal(String(bytes), 'all of it')
})

test('a private key may have a passphrase', async () => {
  const tls = { ...TLS, private_key_path: pem('encrypted.key'), private_key_passphrase: 'pa55' }
  const { port } = await startListener({ tls })
  assert.equal(await answer(dialTls(port), 'hello'), 'hello')
})

const PLAIN: [string, string, string][] = [
  ['HTTP', 'GET / HTTP/1.1\r\n\r\n', 'it spoke plain HTTP to the TLS port'],
  ['Forward', '\x92\xa3tag\x90', 'it spoke something else than TLS to the TLS port'],
]
for (const [what, bytes, reason] of PLAIN) {
  test(`plain ${what} is turned away with the reason`, async () => {
    const { port, knocks, stats } = await startListener({ tls: TLS })
    await answer(dial({ port }), bytes)
    await knocks.until((all) => all.length === 1)
    assert.deepEqual(knocks.all, [{ peer: '127.0.0.1', code: 'LB-D012', details: { reason } }])
    while (stats.connections > 0) await new Promise((resolve) => setImmediate(resolve))
  })
}

test('who connects and leaves without a word is no news', async () => {
  const { port, knocks, stats } = await startListener({ tls: TLS })
  const socket = dial({ port })
  await once(socket, 'connect')
  while (stats.connections === 0) await new Promise((resolve) => setImmediate(resolve))
  socket.end()
  while (stats.connections > 0) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(knocks.all.length, 0)
})

test('client_cert_auth: a certificate of the authority comes in, none and a foreign one do not', async () => {
  const { port, knocks } = await startListener({ tls: MUTUAL })
  assert.equal(await answer(dialTls(port, await certificate('client')), 'hello'), 'hello')
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    assert.equal(await answer(dialTls(port, { maxVersion }), 'hello'), '')
    assert.equal(await answer(dialTls(port, { ...(await certificate('foreign-client')), maxVersion }), 'hello'), '')
  }
  const all = await knocks.until((knocks) => knocks.length === 4)
  assert.deepEqual(new Set(all.map(({ peer, code }) => `${peer} ${code}`)), new Set(['127.0.0.1 LB-D012']))
  const reasons = all.map(({ details }) => String(details.reason))
  assert.equal(reasons.filter((reason) => reason === 'it showed no client certificate').length, 2)
  assert.equal(reasons.filter((reason) => /^its client certificate is not taken/.test(reason)).length, 2)
})

test('an unfinished handshake has a place in the limit, and closing does not wait for it', async () => {
  const { port, knocks, stats, listener } = await startListener({ tls: TLS, connectionLimit: 1 })
  const silent = dial({ port })
  await once(silent, 'connect')
  while (stats.connections === 0) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(await answer(dialTls(port), 'hello'), '')
  assert.equal(knocks.all[0]?.code, 'LB-D011')
  await listener.close()
})

test('certificates that change are shown to the next client; until they fit, the old ones are', async () => {
  const directory = await scratch()
  const [cert, key] = [path.join(directory, 'cert.pem'), path.join(directory, 'key.pem')]
  await Promise.all([copyFile(TLS.cert_path, cert), copyFile(TLS.private_key_path, key)])
  const { port, said } = await startListener({ tls: { ...TLS, cert_path: cert, private_key_path: key } })
  const serial = async () => {
    const socket = dialTls(port)
    await answer(socket, 'hello')
    return socket.getPeerCertificate().serialNumber
  }
  const before = await serial()
  await writeFile(cert, await readFile(pem('renewed.pem')))
  await said.until((all) => all.some((message) => /stay in use/.test(message)))
  assert.equal(await serial(), before)
  await writeFile(key, await readFile(pem('renewed.key')))
  await said.until((all) => all.some((message) => /were read again/.test(message)))
  assert.notEqual(await serial(), before)
})

test('files that cannot be read or do not fit are an error that names the key', async () => {
  const broken = [
    { ...TLS, cert_path: '/nowhere/cert.pem' },
    { ...TLS, private_key_path: pem('client.key') },
    { ...TLS, private_key_path: pem('encrypted.key') },
  ]
  for (const tls of broken) {
    await assert.rejects(startListener({ tls }), (error) => {
      assert.ok(error instanceof LogboomError)
      assert.deepEqual([error.code, error.details.key], ['LB-S010', 'inputs.in.tls'])
      return true
    })
  }
})

test('client_cert_auth needs ca_path', () => {
  assert.deepEqual(checkTls({ ...TLS, client_cert_auth: true })[0]?.key, ['tls', 'client_cert_auth'])
  assert.deepEqual([checkTls(MUTUAL), checkTls(TLS), checkTls(undefined)], [[], [], []])
})
