import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { protocol } from '../../../protocols/forward/forward.ts'
import { LogboomError } from '../../../server/core/errors.ts'
import { array, bin8, bin32, entries, entry, eventTime, header, map, nil, record, str, str32 } from './encoding.ts'
import { type Emitted, eventually, FORWARD_DEFAULTS, hold, standstill, startInput } from './input-under-test.ts'

const tag = str('docker.web')
const time = eventTime(1_700_000_000, 42)
const message = (log: string, option?: Uint8Array) => array(tag, time, record(log), ...(option ? [option] : []))
const ack = (chunk: Uint8Array) => Buffer.concat([Buffer.from('81a361636b', 'hex'), chunk])

const CHUNKS: Record<string, Uint8Array> = {
  'of fluentd, with its newline': str('VEVkVa4TepnR+/hwFcOLw==\n'),
  'of Docker': str('p8n9gmxTQVC8/nh2wlKKeQ=='),
  'a UUID in str8': Buffer.concat([Buffer.of(0xd9, 36), Buffer.from('0f8fad5b-d9cb-469f-a165-70867728950e')]),
  'in a wider header than needed': str32('short'),
  binary: bin8(Buffer.of(0xff, 0x00, 0x0a)),
  'a number': Buffer.of(0x05),
}

for (const [name, chunk] of Object.entries(CHUNKS)) {
  test(`the ack repeats the chunk id byte for byte: ${name}`, async () => {
    const input = await startInput()
    const client = await input.connect()
    const { emitted } = input
    await client.write(array(tag, bin8(entries('a', 'b')), map({ chunk })))
    assert.deepEqual(await client.receive(ack(chunk).length), ack(chunk))
    assert.equal(emitted[0]!.count, 2)
  })
}

test('each mode is stored as it came and acknowledged', async () => {
  const input = await startInput()
  const client = await input.connect()
  const { emitted, stats } = input
  const packed = entries('a', 'b')
  const option = (id: string, more = {}) => map({ chunk: str(id), ...more })
  const sent: [Uint8Array, Uint8Array, number][] = [
    [array(tag, time, record('x'), option('0')), array(time, record('x')), 1],
    [array(tag, array(entry('a'), entry('b')), option('1')), packed, 2],
    [array(tag, bin8(packed), option('2')), packed, 2],
    [array(tag, str(packed), option('3', { compressed: str('text') })), packed, 2],
    [array(tag, bin8(gzipSync(packed)), option('4', { compressed: str('gzip') })), packed, 2],
    [array(tag, bin8(Buffer.concat([gzipSync(entry('a')), gzipSync(entry('b'))])), option('5')), packed, 2],
    [array(tag, bin8(zstdCompressSync(packed)), option('6', { compressed: str('zstd') })), packed, 2],
    [array(tag, bin8(Buffer.concat([zstdCompressSync(entry('a')), zstdCompressSync(entry('b'))]))), packed, 2],
  ]
  await client.write(Buffer.concat(sent.map(([bytes]) => bytes)))
  const acks = Buffer.concat([...'0123456'].map((id) => ack(str(id))))
  assert.deepEqual(await client.receive(acks.length), acks)
  await eventually(() => emitted.length === sent.length)
  for (const [index, [, expected, count]] of sent.entries()) {
    const { packed, count: found, tag, chunkId, peer } = emitted[index]!
    assert.deepEqual([packed.toString('hex'), found], [Buffer.from(expected).toString('hex'), count])
    assert.deepEqual([tag, peer, chunkId], ['docker.web', '127.0.0.1', index < 7 ? String(index) : undefined])
  }
  await eventually(() => stats.events === 15)
})

test('single events of one read become one stream per tag, in order', async () => {
  const input = await startInput()
  const client = await input.connect()
  const { emitted } = input
  const one = (name: string, log: string) => array(str(name), time, record(log))
  await client.write(Buffer.concat([one('a', '1'), one('b', '2'), one('a', '3'), nil, one('a', '4')]))
  await eventually(() => emitted.length === 2)
  const entryOf = (log: string) => array(time, record(log))
  assert.deepEqual(
    emitted.map(({ tag, packed, count }) => [tag, packed, count]),
    [
      ['a', Buffer.concat(['1', '3', '4'].map(entryOf)), 3],
      ['b', entryOf('2'), 1],
    ],
  )
  assert.deepEqual(client.received.length, 0)
})

test('no ack before emit has resolved, and acks in the order of the messages', async () => {
  const held = ['a', 'b', 'c'].map(() => hold())
  const emit = (stream: Emitted) => held['abc'.indexOf(stream.chunkId!)]!.promise
  const input = await startInput({ emit })
  const client = await input.connect()
  const { emitted, stats } = input
  for (const id of 'abc') await client.write(message('x', map({ chunk: str(id) })))
  await eventually(() => emitted.length === 3)
  held[1]!.resolve()
  held[2]!.resolve()
  await eventually(() => stats.events === 2)
  assert.equal(client.received.length, 0)
  held[0]!.resolve()
  const acks = Buffer.concat(['a', 'b', 'c'].map((id) => ack(str(id))))
  assert.deepEqual(await client.receive(acks.length), acks)
})

test('when emit rejects, the connection is closed without this ack and those behind it', async () => {
  const held = ['a', 'b', 'c'].map(() => hold())
  const emit = (stream: Emitted) => held['abc'.indexOf(stream.chunkId!)]!.promise
  const input = await startInput({ emit })
  const client = await input.connect()
  const { emitted, stats, warnings } = input
  for (const id of 'abc') await client.write(message('x', map({ chunk: str(id) })))
  await eventually(() => emitted.length === 3)
  held[1]!.reject(new LogboomError('LB-B004', {}))
  held[2]!.resolve()
  held[0]!.resolve()
  assert.deepEqual(await client.receiveAll(), ack(str('a')))
  assert.equal(client.error, undefined)
  assert.equal(stats.rejected.buffer, 1)
  assert.equal(warnings.length, 1)
})

test('data followed at once by FIN is stored and acknowledged, then the connection ends', async () => {
  const input = await startInput({ emit: () => new Promise((resolve) => setImmediate(resolve)) })
  const client = await input.connect()
  const { emitted, stats } = input
  client.socket.end(array(tag, bin8(entries('a')), map({ chunk: str('id') })))
  assert.deepEqual(await client.receiveAll(), ack(str('id')))
  assert.equal(emitted.length, 1)
  await eventually(() => stats.connections === 0)
  assert.equal(stats.rejected.truncated, 0)
})

test('a message that is cut by FIN is discarded quietly and counted', async () => {
  const input = await startInput()
  const client = await input.connect()
  const { emitted, stats, warnings } = input
  client.socket.end(Buffer.concat([message('whole'), message('cut').subarray(0, 20)]))
  assert.equal((await client.receiveAll()).length, 0)
  assert.deepEqual([emitted.length, stats.rejected.truncated, warnings.length], [1, 1, 0])
})

test('connecting and closing without a word is no news', async () => {
  const input = await startInput()
  const client = await input.connect()
  const { stats, warnings } = input
  client.end()
  await client.receiveAll()
  await eventually(() => stats.connections === 0)
  assert.equal(warnings.length, 0)
  assert.deepEqual(new Set(Object.values(stats.rejected)), new Set([0]))
})

test('while nothing becomes durable, reading stops; then it goes on with the same connection', async () => {
  const gate = hold()
  const input = await startInput({ emit: () => gate.promise })
  const client = await input.connect()
  const { stats, emitted } = input
  const block = array(tag, bin32(Buffer.concat(Array(4_000).fill(entry('x'.repeat(100))))))
  const blocks = Math.ceil((64 * 1024 * 1024) / block.length)
  let written = 0
  for (let i = 0; i < blocks; i += 1) void client.write(block).then(() => (written += 1))
  await standstill(() => stats.bytes)
  assert.ok(stats.bytes < 24 * 1024 * 1024, `${stats.bytes} bytes were read`)
  assert.equal(stats.events, 0)
  gate.resolve()
  await eventually(() => stats.events === blocks * 4_000)
  assert.equal(written, blocks)
  assert.equal(emitted.length, blocks)
})

test('a client that does not read its acks is not read for ever', async () => {
  const input = await startInput()
  const client = await input.connect()
  const { stats } = input
  client.socket.pause()
  const ask = message('x', map({ chunk: str(Buffer.alloc(900, 'c')) }))
  const many = Buffer.concat(Array(1_000).fill(ask))
  for (let i = 0; i < 30; i += 1) void client.write(many)
  await standstill(() => stats.bytes)
  assert.ok(stats.bytes < 30 * many.length, 'everything was read')
  client.socket.resume()
  const expected = 30_000 * ack(str(Buffer.alloc(900))).length
  assert.equal((await client.receive(expected)).length, expected)
})

test('close: reads no more, waits for what was emitted, acknowledges it, ends', async () => {
  const gate = hold()
  const input = await startInput({ emit: () => gate.promise })
  const client = await input.connect()
  await client.write(message('x', map({ chunk: str('id') })))
  await eventually(() => input.emitted.length === 1)
  let closed = false
  const closing = input.listener.close().then(() => (closed = true))
  await client.write(message('y', map({ chunk: str('late') })))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(closed, false)
  gate.resolve()
  assert.deepEqual(await client.receiveAll(), ack(str('id')))
  client.end()
  await closing
  assert.equal(input.emitted.length, 1)
})

test('any datagram is answered with one zero byte from the same address', async () => {
  const input = await startInput()
  const socket = createSocket('udp4')
  for (const datagram of [Buffer.of(0), Buffer.alloc(0), Buffer.alloc(200, 1)]) {
    socket.send(datagram, input.port, '127.0.0.1')
    const [answer, from] = (await once(socket, 'message')) as [Buffer, { port: number; address: string }]
    assert.deepEqual([...answer], [0])
    assert.deepEqual([from.address, from.port], ['127.0.0.1', input.port])
  }
  socket.close()
})

test('a port that is taken is an error that says so', async () => {
  const input = await startInput()
  const config = { ...FORWARD_DEFAULTS, listen: { host: '127.0.0.1', port: input.port } }
  const context = { name: 'docker', emit: async () => {}, stats: input.stats } as never
  await assert.rejects(protocol.listen(config, context), (error) => {
    assert.ok(error instanceof LogboomError)
    assert.equal(error.code, 'LB-S001')
    assert.deepEqual([error.details.address, error.details.key], [`127.0.0.1:${input.port}`, 'inputs.docker.listen'])
    return true
  })
  const elsewhere = { ...config, listen: { host: '192.0.2.1', port: 0 } }
  await assert.rejects(protocol.listen(elsewhere, context), (error) => (error as LogboomError).code === 'LB-S002')
})

test('connections over the limit are turned away and counted, the others stay', async () => {
  const input = await startInput({ connectionLimit: 1 })
  const first = await input.connect()
  await eventually(() => input.stats.connections === 1)
  const second = await input.connect()
  await second.receiveAll()
  assert.equal(input.stats.rejected.too_many_connections, 1)
  assert.equal(input.warnings.length, 1)
  await first.write(message('x', map({ chunk: str('id') })))
  assert.deepEqual(await first.receive(1), ack(str('id')))
})

test('a frame of entries that arrives byte by byte over a socket', async () => {
  const input = await startInput()
  const client = await input.connect()
  const { emitted } = input
  const bytes = array(tag, Buffer.concat([header(0xdc, 2, 2), entry('a'), entry('b')]), map({ chunk: str('id') }))
  for (const byte of bytes) await client.write(Uint8Array.of(byte))
  assert.deepEqual(await client.receive(1), ack(str('id')))
  assert.deepEqual(emitted[0]!.packed, entries('a', 'b'))
})
