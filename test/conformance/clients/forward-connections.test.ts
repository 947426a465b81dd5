/** Statements 35 to 52 and 70: JSON, acknowledgements, and how connections begin, wait and end. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import {
  array,
  bin8,
  bin16,
  entries,
  entry,
  eventTime,
  map,
  record,
  str,
  str16,
} from '../../protocols/forward/encoding.ts'
import {
  type Client,
  type Emitted,
  eventually,
  hold,
  type InputUnderTest,
  standstill,
  startInput,
} from '../../protocols/forward/input-under-test.ts'
import { ack, keepUntilEnd, scratch, startServer } from './forward-server.ts'

const tag = str('docker.web')
const time = eventTime(1_700_000_000, 42)
const FLUENTD = str('VEVkVa4TepnR+/hwFcOLw==\n')
const UUID = '0f8fad5b-d9cb-469f-a165-70867728950e'
const message = (log: string, chunk?: Uint8Array) => array(tag, time, record(log), ...(chunk ? [map({ chunk })] : []))

test('35: JSON is told by the first byte; values back to back, with newlines, and cut anywhere', async () => {
  const server = await startServer()
  const text = '["a",1,{"log":"1"}]["a",2,{"log":"2\\/\\u00fc"},{}]\n["a",[[3,{"log":"3"}]]]  \r\n["a",4,{"log":"4"}]'
  for (let cut = 1; cut < text.length; cut += 7) {
    const client = await server.connect()
    await client.write(Buffer.from(text.slice(0, cut)))
    await new Promise((resolve) => setImmediate(resolve))
    client.socket.end(text.slice(cut))
    await client.receiveAll()
  }
  const cuts = Math.ceil((text.length - 1) / 7)
  const events = await server.stored(4 * cuts)
  const logs = events.map(({ record }) => record.log).toSorted()
  assert.deepEqual(
    logs,
    ['1', '2/ü', '3', '4'].flatMap((log) => Array(cuts).fill(log)),
  )
})

test('36: the ack of a JSON message is JSON', async () => {
  const server = await startServer()
  const client = await server.connect()
  await client.write(Buffer.from('["a",1,{"log":"1"},{"chunk":"abc\\n="}]'))
  const expected = Buffer.from('{"ack":"abc\\n="}')
  assert.deepEqual(await client.receive(expected.length), expected)
})

test('37: the ack repeats the id byte for byte and in its type', async () => {
  const server = await startServer()
  const client = await server.connect()
  const ids = [
    FLUENTD,
    str('p8n9gmxTQVC8/nh2wlKKeQ=='),
    str(UUID),
    str16('x'),
    str('d'.repeat(32)),
    bin8(Buffer.of(255, 0)),
  ]
  for (const id of ids) await client.write(message('x', id))
  const expected = Buffer.concat(ids.map(ack))
  assert.deepEqual(await client.receive(expected.length), expected)
})

test('38: the ack is a one-key map in one write', async () => {
  const server = await startServer()
  const client = await server.connect()
  for (const id of [FLUENTD, str(UUID)]) {
    const before = client.reads.length
    await client.write(message('x', id))
    await client.receive(client.length + ack(id).length)
    assert.deepEqual(client.reads.slice(before), [ack(id)])
    assert.equal(client.reads.at(-1)![0], 0x81)
  }
})

test('39: no ack before the event is durable, and none when it cannot be stored', async () => {
  const gate = hold()
  const input = await startInput({ emit: () => gate.promise })
  const client = await input.connect()
  await client.write(message('x', FLUENTD))
  await eventually(() => input.emitted.length === 1)
  await standstill(() => client.length)
  assert.equal(client.length, 0)
  gate.resolve()
  assert.deepEqual(await client.receive(ack(FLUENTD).length), ack(FLUENTD))
  const failing = await startInput({ emit: () => Promise.reject(new Error('the disk is full')) })
  const other = await failing.connect()
  await other.write(message('x', FLUENTD))
  assert.equal((await other.receiveAll()).length, 0)
  assert.equal(other.error, undefined)
})

test('40: without a chunk there is no ack', async () => {
  const server = await startServer()
  const client = await server.connect()
  await client.write(Buffer.concat([message('a'), array(tag, bin8(entries('b')), map({ size: str('1') }))]))
  await server.stored(2)
  client.end()
  assert.equal((await client.receiveAll()).length, 0)
})

const THOUSAND = Buffer.concat(Array.from({ length: 1_000 }, () => message('x', FLUENTD)))

/** A client that asks for more acks, and reads none, than the kernel's buffers and ours hold, whatever they are. */
async function connectDeaf(input: InputUnderTest): Promise<Client> {
  const client = await input.connect()
  client.socket.pause()
  while (!input.warnings.some((fields) => 'code' in fields && fields.code === 'LB-F014')) {
    await client.write(THOUSAND)
    input.emitted.length = 0
  }
  return client
}

test('41: acks that nobody reads stop no events and fill no memory', async () => {
  const input = await startInput()
  const client = await connectDeaf(input)
  const before = input.stats.events
  for (let i = 0; i < 20; i += 1) await client.write(THOUSAND)
  await eventually(() => input.stats.events >= before + 20_000)
  assert.deepEqual([client.error, client.ended, input.stats.connections], [undefined, false, 1])
  // One that reads again is given acks again.
  client.socket.resume()
  await standstill(() => client.length)
  const unread = client.length
  await client.write(message('y', FLUENTD))
  assert.deepEqual((await client.receive(unread + ack(FLUENTD).length)).subarray(unread), ack(FLUENTD))
})

test('41: who reads no acks and ends is let go, with what waited for it', async () => {
  const input = await startInput()
  const client = await connectDeaf(input)
  client.end()
  await eventually(() => input.stats.connections === 0)
})

test('42, 43: an ack is sent as soon as its event is durable, whatever else is waited for', async () => {
  const held = hold()
  const emit = ({ tag }: Emitted) => (tag === 'slow' ? held.promise : Promise.resolve())
  const input = await startInput({ emit })
  const [slow, quick] = [await input.connect(), await input.connect()]
  await slow.write(array(str('slow'), time, record('x'), map({ chunk: FLUENTD })))
  await eventually(() => input.emitted.length === 1)
  await quick.write(message('x', FLUENTD))
  assert.deepEqual(await quick.receive(ack(FLUENTD).length), ack(FLUENTD))
  assert.equal(slow.length, 0)
  held.resolve()
  await slow.receive(ack(FLUENTD).length)
})

test('44: pipelined messages are each acknowledged, in order', async () => {
  const server = await startServer()
  const client = await server.connect()
  const ids = Array.from({ length: 200 }, (_, i) => str(`id-${i}`))
  const messages = ids.map((chunk, i) =>
    i % 2 === 0 ? message('x', chunk) : array(tag, bin16(entries('a', 'b')), map({ chunk })),
  )
  await client.write(Buffer.concat(messages))
  const expected = Buffer.concat(ids.map(ack))
  assert.deepEqual(await client.receive(expected.length), expected)
})

test('45: a chunk that is sent again is acknowledged again and stored once, also after a restart', async () => {
  const folder = scratch()
  const bytes = array(tag, bin16(entries('a', 'b')), map({ chunk: FLUENTD }))
  const first = await startServer({ folder })
  for (const client of [await first.connect(), await first.connect()]) {
    await client.write(bytes)
    assert.deepEqual(await client.receive(ack(FLUENTD).length), ack(FLUENTD))
  }
  assert.equal(first.buffer.status().next, 2)
  await first.close()
  const second = await startServer({ folder })
  const client = await second.connect()
  await client.write(bytes)
  assert.deepEqual(await client.receive(ack(FLUENTD).length), ack(FLUENTD))
  assert.deepEqual([second.buffer.status().next, second.buffer.status().duplicates], [2, 1])
  // The same id with another payload is another event: fluent-bit's ids are of the content.
  await client.write(array(tag, bin16(entries('c')), map({ chunk: FLUENTD })))
  await client.receive(2 * ack(FLUENTD).length)
  assert.equal(second.buffer.status().next, 3)
})

test('46: data with FIN right behind it is stored and acknowledged', async () => {
  const server = await startServer()
  const client = await server.connect()
  client.socket.end(array(tag, bin16(entries('a', 'b')), map({ chunk: FLUENTD })))
  assert.deepEqual(await client.receiveAll(), ack(FLUENTD))
  assert.equal((await server.stored(2)).length, 2)
})

test('47: a message that is cut by the end is discarded quietly', async () => {
  const server = await startServer()
  const client = await server.connect()
  client.socket.end(Buffer.concat([message('whole'), message('cut').subarray(0, -3)]))
  await client.receiveAll()
  assert.deepEqual(
    (await server.stored(1)).map(({ record }) => record.log),
    ['whole'],
  )
  assert.equal(server.stats.rejected.truncated, 1)
  assert.deepEqual(
    server.said.filter(({ level }) => level !== 'debug'),
    [],
  )
})

test('48: connecting and closing without a word says nothing above debug', async () => {
  const server = await startServer()
  for (let i = 0; i < 10; i += 1) {
    const client = await server.connect()
    if (i % 2 === 0) client.end()
    else client.socket.resetAndDestroy()
  }
  await eventually(() => server.stats.connections === 0)
  assert.deepEqual(
    server.said.filter(({ level }) => level !== 'debug'),
    [],
  )
})

test('49, 50: a connection stays open after a message, and while it is idle', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  const server = await startInput()
  const client = await server.connect()
  await client.write(message('x', FLUENTD))
  await client.receive(ack(FLUENTD).length)
  t.mock.timers.tick(6 * 3_600_000)
  await client.write(message('y', FLUENTD))
  await client.receive(2 * ack(FLUENTD).length)
  assert.deepEqual([client.ended, client.error, server.stats.connections], [false, undefined, 1])
})

test('51: closing resets nothing, so that the last ack arrives', async () => {
  const server = await startServer({ config: { deny_keepalive: true } })
  const client = await server.connect()
  // What comes behind the message is not read: a close with unread bytes would be a reset.
  await client.write(Buffer.concat([message('x', FLUENTD), message('y'), Buffer.alloc(100_000, 0xc0)]))
  assert.deepEqual(await client.receiveAll(), ack(FLUENTD))
  assert.equal(client.error, undefined)
  assert.deepEqual(
    (await server.stored(1)).map(({ record }) => record.log),
    ['x'],
  )
})

test('52: any datagram on the port of the TCP listener is answered with one byte 00', async () => {
  const server = await startServer()
  const socket = createSocket('udp4')
  keepUntilEnd(() => void socket.close())
  for (const bytes of [Buffer.of(0), Buffer.alloc(0), Buffer.alloc(128, 1)]) {
    socket.send(bytes, server.port, '127.0.0.1')
    const [answer, from] = await once(socket, 'message')
    assert.deepEqual([answer, from.port, from.address], [Buffer.of(0), server.port, '127.0.0.1'])
  }
})

test('allow: who is of no network gets in neither by TCP nor by UDP, and is named', async () => {
  const server = await startServer({ config: { allow: ['10.0.0.0/8'] } })
  const client = await server.connect()
  client.socket.write(message('x', FLUENTD))
  assert.equal((await client.receiveAll()).length, 0)
  assert.deepEqual(
    server.stats.knocks.list.map(({ peer, code }) => [peer, code]),
    [['127.0.0.1', 'LB-D010']],
  )
  const socket = createSocket('udp4')
  keepUntilEnd(() => void socket.close())
  let answers = 0
  socket.on('message', () => (answers += 1))
  socket.send(Buffer.of(0), server.port, '127.0.0.1')
  const allowed = await startServer({ config: { allow: ['127.0.0.0/8'] } })
  socket.send(Buffer.of(0), allowed.port, '127.0.0.1')
  await eventually(() => answers > 0)
  assert.equal(answers, 1)
  assert.equal(server.buffer.status().next, 0)
})

test('the wrong protocol on the port is recognised, and named', async () => {
  const server = await startServer()
  const hello = Buffer.from('16030100c8010000c40303', 'hex')
  for (const bytes of [hello, Buffer.from('GET /metrics HTTP/1.1\r\n\r\n')]) {
    const client = await server.connect()
    await client.write(bytes)
    await client.receiveAll()
  }
  assert.deepEqual(
    server.stats.knocks.list.map(({ code }) => code),
    ['LB-D002', 'LB-D001'],
  )
  assert.match(server.stats.knocks.list[0]!.text, /spoke TLS to the plain port/)
  assert.match(server.stats.knocks.list[1]!.text, /spoke HTTP on the forward port/)
})

test('66: add_tag_prefix joins with a dot, tag_prefix does not, and tag replaces', async () => {
  const rows = [
    [{ add_tag_prefix: 'edge' }, 'edge.docker.web'],
    [{ tag_prefix: 'edge-' }, 'edge-docker.web'],
    [{ add_tag_prefix: 'a', tag_prefix: 'b' }, 'a.bdocker.web'],
    [{ tag: 'all', add_tag_prefix: 'edge' }, 'edge.all'],
  ] as const
  for (const [config, expected] of rows) {
    const server = await startServer({ config })
    const client = await server.connect()
    await client.write(Buffer.concat([message('x'), array(tag, bin8(entries('y')), map({ chunk: FLUENTD }))]))
    await client.receive(ack(FLUENTD).length)
    assert.deepEqual(
      (await server.stored(2)).map(({ tag }) => tag),
      [expected, expected],
    )
  }
})

test('source_address_key and source_hostname_key are in every record, in place of what a client says', async () => {
  const config = { source_address_key: 'from', source_hostname_key: 'host' }
  const server = await startServer({ config })
  const client = await server.connect()
  const forged = array(tag, time, map({ from: str('10.9.9.9'), log: str('a') }))
  await client.write(Buffer.concat([forged, array(tag, array(entry('b'), entry('c')), map({ chunk: FLUENTD }))]))
  await client.receive(ack(FLUENTD).length)
  const records = (await server.stored(3)).map(({ record }) => record)
  for (const { from, host } of records) assert.deepEqual([from, typeof host], ['127.0.0.1', 'string'])
  assert.deepEqual(Object.keys(records[1]!), ['source', 'log', 'from', 'host'])
})

test('deny_keepalive: closed after the first message, and not by a heartbeat', async () => {
  const server = await startServer({ config: { deny_keepalive: true } })
  const client = await server.connect()
  await client.write(Buffer.of(0xc0))
  await standstill(() => server.stats.bytes)
  assert.equal(client.ended, false)
  await client.write(array(tag, bin16(entries('a')), map({ chunk: FLUENTD })))
  assert.deepEqual(await client.receiveAll(), ack(FLUENTD))
})

test('70: under back-pressure the sender waits; nothing is dropped, and the same connection goes on', async () => {
  const gate = hold()
  const input = await startInput({ emit: () => gate.promise })
  const socket = connect({ host: '127.0.0.1', port: input.port })
  keepUntilEnd(() => void socket.destroy())
  await once(socket, 'connect')
  const large = array(tag, time, map({ log: str16('x'.repeat(60_000)) }))
  const count = 1_500
  for (let i = 0; i < count; i += 1) socket.write(large)
  await standstill(() => input.stats.bytes)
  assert.ok(input.stats.bytes < (count * large.length) / 2, `${input.stats.bytes} bytes were read`)
  assert.ok(socket.writableLength > 0)
  gate.resolve()
  await eventually(() => input.stats.events === count)
  assert.equal(socket.destroyed, false)
})
