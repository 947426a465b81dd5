import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { readShared } from '../../../protocols/forward/shared-read.ts'

async function acceptOne(onRead: (bytes: Buffer) => void) {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [Socket]
  const socket = readShared(accepted, onRead)
  server.close()
  return { client, accepted, socket }
}

test('this Node lets a socket be read into shared memory', async () => {
  const reads: ArrayBufferLike[] = []
  const { client, accepted, socket } = await acceptOne((bytes) => reads.push(bytes.buffer))
  client.write('one')
  while (reads.length < 1) await new Promise((resolve) => setImmediate(resolve))
  client.write('two')
  while (reads.length < 2) await new Promise((resolve) => setImmediate(resolve))
  assert.notEqual(socket, accepted)
  assert.equal(reads[0], reads[1])
  client.end()
  await once(socket, 'end')
  socket.destroy()
})

test('it can be written to, paused, resumed, and knows its peer', async () => {
  let text = ''
  const { client, socket } = await acceptOne((bytes) => {
    text += bytes.toString()
    socket.pause()
  })
  assert.equal(socket.remotePort, client.localPort)
  socket.write('hello')
  assert.equal(String((await once(client, 'data'))[0]), 'hello')
  client.write('first')
  while (text === '') await new Promise((resolve) => setImmediate(resolve))
  client.end('second')
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(text, 'first')
  socket.resume()
  while (text === 'first') await new Promise((resolve) => setImmediate(resolve))
  socket.resume()
  await once(socket, 'end')
  assert.equal(text, 'firstsecond')
  socket.destroy()
})
