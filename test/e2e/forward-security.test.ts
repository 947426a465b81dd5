/** The real program with TLS, a key and a Unix socket: sent again after a kill, certificates renewed by HUP. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFileSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { Dialogue, ping } from '../conformance/clients/forward-handshake.ts'
import { array, bin16, entries, map, str } from '../protocols/forward/encoding.ts'
import { pem } from '../protocols/listening/listener-under-test.ts'
import { createSite } from './program.ts'

const chunk = str('p8n9gmxTQVC8/nh2wlKKeQ==')
const ACK = Buffer.concat([Buffer.from('81a361636b', 'hex'), chunk])
const MESSAGE = array(str('docker.web'), bin16(entries('a', 'b')), map({ chunk }))

async function sendOne(socket: Socket): Promise<void> {
  const dialogue = new Dialogue(socket)
  dialogue.socket.write(ping(await dialogue.helo()))
  assert.equal((await dialogue.pong())?.isIn, true)
  dialogue.socket.write(MESSAGE)
  assert.deepEqual(await dialogue.next(), ACK)
  socket.destroy()
}

test('a chunk that was acknowledged is not stored again, by another socket, after kill -9', async (t) => {
  const site = await createSite(t, { forward: { shared_key: 'secret' } })
  const first = await site.start()
  await sendOne(connect({ host: '127.0.0.1', port: site.forwardPort }))
  await first.kill()
  const second = await site.start()
  await sendOne(connect({ host: '127.0.0.1', port: site.forwardPort }))
  const { buffer } = await second.status()
  assert.deepEqual([buffer.next, buffer.duplicates], [2, 1])
})

test('a Unix socket is there again after kill -9', async (t) => {
  const site = await createSite(t, {})
  const file = path.join(site.folder, 'forward.sock')
  site.configure({ forward: { listen: `unix:${file}`, shared_key: 'secret' } })
  const first = await site.start()
  await sendOne(connect({ path: file }))
  await first.kill()
  await site.start()
  await sendOne(connect({ path: file }))
})

test('HUP reads the certificates again, and no connection is closed by it', async (t) => {
  const site = await createSite(t, {})
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(site.folder, name)) as [string, string]
  copyFileSync(pem('server.pem'), cert)
  copyFileSync(pem('server.key'), key)
  // Relative names start at the folder of the configuration.
  site.configure({ forward: { tls: { cert_path: 'cert.pem', private_key_path: 'key.pem' }, shared_key: 'secret' } })
  const program = await site.start()
  const dial = async () => {
    const socket = connectTls({ host: '127.0.0.1', port: site.forwardPort, ca: readFileSync(pem('ca.pem')) })
    await once(socket, 'secureConnect')
    return socket
  }
  const before = await dial()
  const old = before.getPeerCertificate().serialNumber
  const dialogue = new Dialogue(before)
  dialogue.socket.write(ping(await dialogue.helo()))
  assert.equal((await dialogue.pong())?.isIn, true)
  copyFileSync(pem('renewed.pem'), cert)
  copyFileSync(pem('renewed.key'), key)
  process.kill(program.pid, 'SIGHUP')
  await program.until('reloaded', () => /reloaded/.test(program.stderr), 30_000)
  const after = await dial()
  assert.notEqual(after.getPeerCertificate().serialNumber, old)
  after.destroy()
  dialogue.socket.write(MESSAGE)
  assert.deepEqual(await dialogue.next(), ACK)
  before.destroy()
})

test('validate names what does not go together', async (t) => {
  const site = await createSite(t, { forward: { users: [{ username: 'alice', password: 'hunter2' }] } })
  const { code, stderr, stdout } = await site.run(['validate', '-c', site.configFile])
  assert.equal(code, 78)
  assert.match(stderr + stdout, /LB-C014 {2}`inputs.forward.users` needs `shared_key`/)
  assert.doesNotMatch(stderr + stdout, /hunter2/)
})
