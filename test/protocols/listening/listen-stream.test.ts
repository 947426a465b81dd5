import assert from 'node:assert/strict'
import { once } from 'node:events'
import { rename, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { createAllowList } from '../../../protocols/listening/allow-list.ts'
import { LogboomError } from '../../../server/core/errors.ts'
import { answer, dial, scratch, startListener } from './listener-under-test.ts'

const isError = (code: string) => (error: unknown) => error instanceof LogboomError && error.code === code

test('a socket is accepted and counted until it is closed', async () => {
  const { listener, port, stats } = await startListener()
  assert.deepEqual(listener.addresses, [`127.0.0.1:${port} tcp`])
  const client = dial({ port })
  assert.equal(await answer(client, 'hello'), 'hello')
  assert.equal(stats.connections, 1)
  client.destroy()
  while (stats.connections > 0) await new Promise((resolve) => setImmediate(resolve))
})

test('whose network is not allowed is turned away and named, and the others are not', async () => {
  const outside = await startListener({ allow: createAllowList(['10.0.0.0/8']) })
  assert.equal(await answer(dial({ port: outside.port }), 'hello'), '')
  assert.deepEqual(outside.knocks.all, [{ peer: '127.0.0.1', code: 'LB-D010', details: {} }])
  const inside = await startListener({ allow: createAllowList(['127.0.0.0/8']) })
  assert.equal(await answer(dial({ port: inside.port }), 'hello'), 'hello')
})

for (const [setting, options] of [
  ['connection_limit', { connectionLimit: 1 }],
  ['connection_limit_per_address', { connectionLimitPerAddress: 1 }],
] as const) {
  test(`${setting}: one more is turned away, and comes in when the first has left`, async () => {
    const { port, knocks, stats } = await startListener(options)
    const first = dial({ port })
    await answer(first, 'a')
    assert.equal(await answer(dial({ port }), 'b'), '')
    assert.deepEqual(knocks.all, [{ peer: '127.0.0.1', code: 'LB-D011', details: { limit: 1, setting } }])
    first.destroy()
    while (stats.connections > 0) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(await answer(dial({ port }), 'c'), 'c')
  })
}

test('a Unix socket has the permissions that were asked for, and its file is gone when it is closed', async () => {
  const socket = path.join(await scratch(), 'log.sock')
  const { listener, knocks } = await startListener({ listen: { path: socket }, unixMode: 0o600 })
  assert.deepEqual([listener.address, listener.addresses], [{ path: socket }, [`unix:${socket}`]])
  assert.equal((await stat(socket)).mode & 0o777, 0o600)
  assert.equal(await answer(dial({ path: socket }), 'hello'), 'hello')
  await Promise.all([listener.close(), dial({ path: socket }).destroy()])
  await assert.rejects(stat(socket))
  assert.equal(knocks.all.length, 0)
})

test('the file that a dead process left is replaced', async () => {
  const socket = path.join(await scratch(), 'log.sock')
  const dead = createServer().listen({ path: socket })
  await once(dead, 'listening')
  // As a kill leaves it: the descriptor is closed and the file is not removed.
  await rename(socket, `${socket}.kept`)
  await new Promise((resolve) => dead.close(resolve))
  await rename(`${socket}.kept`, socket)
  await startListener({ listen: { path: socket } })
  assert.equal(await answer(dial({ path: socket }), 'hello'), 'hello')
})

test('a Unix socket that answers, and a file that is none, are left alone with an error that says so', async () => {
  const directory = await scratch()
  const socket = path.join(directory, 'log.sock')
  await startListener({ listen: { path: socket } })
  await assert.rejects(startListener({ listen: { path: socket } }), isError('LB-S001'))
  assert.equal(await answer(dial({ path: socket }), 'hello'), 'hello')
  const file = path.join(directory, 'file')
  await writeFile(file, 'mine')
  await assert.rejects(startListener({ listen: { path: file } }), (error) => {
    return isError('LB-S002')(error) && /a file that is no socket/.test((error as Error).message)
  })
  assert.equal((await stat(file)).size, 4)
  await assert.rejects(startListener({ listen: { path: '/nowhere/log.sock' } }), isError('LB-S002'))
})

test('a port that is taken, and an address that is not of this machine', async () => {
  const { port } = await startListener()
  await assert.rejects(startListener({ listen: { host: '127.0.0.1', port } }), isError('LB-S001'))
  await assert.rejects(startListener({ listen: { host: '192.0.2.1', port: 0 } }), isError('LB-S002'))
})

test('closing ends the connections, and resolves when they are closed', async () => {
  const { listener, port, stats } = await startListener()
  const client = dial({ port })
  await answer(client, 'a')
  const closed = listener.close()
  await once(client, 'end')
  await closed
  assert.equal(stats.connections, 0)
})
