/** Statements 1 to 34: what clients of the Forward protocol send, from the socket to the document. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import {
  array,
  arrayHeader,
  bin8,
  bin16,
  bin32,
  entries,
  entry,
  eventTime,
  float64,
  header,
  int32,
  map,
  nil,
  record,
  str,
  str16,
  str32,
  uint32,
} from '../../protocols/forward/encoding.ts'
import { ack, type ServerOptions, type StoredEvent, startServer } from './forward-server.ts'

const MIB = 1024 * 1024
const tag = str('docker.web')
const time = eventTime(1_700_000_000, 42)
const chunk = str('p8n9gmxTQVC8/nh2wlKKeQ==')
const option = map({ chunk })
const STDOUT = { source: 'stdout' }

interface Outcome {
  readonly events: readonly StoredEvent[]
  readonly answer: Buffer
  readonly server: Awaited<ReturnType<typeof startServer>>
}

/** Sends the bytes on one connection, ends it, and waits for so many events and for the end of the other side. */
async function send(
  bytes: Uint8Array | readonly Uint8Array[],
  count: number,
  options?: ServerOptions,
): Promise<Outcome> {
  const server = await startServer(options)
  const client = await server.connect()
  for (const piece of bytes instanceof Uint8Array ? [bytes] : bytes) await client.write(piece)
  client.end()
  const answer = await client.receiveAll()
  assert.equal(client.error, undefined)
  return { events: await server.stored(count), answer, server }
}

const logs = (events: readonly StoredEvent[]) => events.map(({ record }) => record.log)
const one = (value: Uint8Array) => array(tag, time, map({ value }))
const ones = async (...values: Uint8Array[]) =>
  (await send(Buffer.concat(values.map(one)), values.length)).events.map(({ record }) => record.value)

test('1: the mode is told by the type of element 1 alone, with or without an option', async () => {
  const packed = entries('a')
  const bodies = [[time, record('a')], [array(entry('a'))], [bin8(packed)], [str(packed)]]
  const options = [[], [map({})], [map({ size: uint32(1) })]]
  const messages = bodies.flatMap((body) => options.map((option) => array(tag, ...body, ...option)))
  // Of five elements: the last two are nobody's.
  messages.push(array(tag, array(entry('a')), map({}), nil, nil))
  const { events } = await send(Buffer.concat(messages), messages.length)
  assert.deepEqual(new Set(logs(events)), new Set(['a']))
  assert.deepEqual(new Set(events.map(({ tag }) => tag)), new Set(['docker.web']))
})

test('2: an option of nil is no option, in every mode', async () => {
  const { events, answer } = await send(
    Buffer.concat([
      array(tag, time, record('a'), nil),
      array(tag, array(entry('b')), nil),
      array(tag, bin8(entries('c')), nil),
    ]),
    3,
  )
  assert.deepEqual([logs(events), answer.length], [['a', 'b', 'c'], 0])
})

test('3: option keys that are not known are ignored', async () => {
  const more = { eventEntryDataSize: uint32(7), region: str('eu'), deep: map({ a: array(nil) }), chunk }
  const { events, answer } = await send(array(tag, bin8(entries('a')), map(more)), 1)
  assert.deepEqual([logs(events), answer], [['a'], ack(chunk)])
})

test('4: entries in every header of strings and binaries, their bytes kept', async () => {
  const packed = entries('a', 'b')
  const small = array(time, map({}))
  const forms = [str(small), Buffer.concat([Buffer.of(0xd9, packed.length), packed]), str16(packed), str32(packed)]
  const all = [...forms, bin8(packed), bin16(packed), bin32(packed)]
  const { events } = await send(Buffer.concat(all.map((body) => array(tag, body))), 13)
  assert.deepEqual(logs(events).slice(1), Array.from({ length: 6 }, () => ['a', 'b']).flat())
})

test('5: size is never believed', async () => {
  const sizes = [uint32(1), uint32(4_000_000_000), str('many'), nil, float64(0.5)]
  const { events } = await send(
    Buffer.concat(sizes.map((size) => array(tag, bin8(entries('a', 'b')), map({ size })))),
    10,
  )
  assert.equal(events.length, 10)
})

const members = (compress: (bytes: Uint8Array) => Uint8Array) =>
  Buffer.concat(['a', 'b', 'c'].map((x) => compress(entry(x))))

test('6: gzip of several members is unpacked whole', async () => {
  const body = bin16(members(gzipSync))
  const { events } = await send(array(tag, body, map({ compressed: str('gzip'), chunk })), 3)
  assert.deepEqual(logs(events), ['a', 'b', 'c'])
})

test('7: zstd, also of several frames', async () => {
  const body = bin16(members(zstdCompressSync))
  const { events } = await send(array(tag, body, map({ compressed: str('zstd'), chunk })), 3)
  assert.deepEqual(logs(events), ['a', 'b', 'c'])
})

test('8: compressed "text" is not compressed', async () => {
  const { events } = await send(array(tag, bin8(entries('a')), map({ compressed: str('text') })), 1)
  assert.deepEqual(logs(events), ['a'])
})

test('9: gzip and zstd are told by their first bytes where the option is missing or wrong', async () => {
  const bodies = [gzipSync(entry('a')), zstdCompressSync(entry('b'))]
  const wrong = map({ compressed: str('text') })
  const messages = bodies.flatMap((body) => [array(tag, bin8(body)), array(tag, bin8(body), wrong)])
  const { events } = await send(Buffer.concat(messages), 4)
  assert.deepEqual(logs(events), ['a', 'a', 'b', 'b'])
})

test('10: a bomb closes its connection without an ack, and the others go on', async () => {
  const server = await startServer({ config: { decompression_size_limit: MIB } })
  const [bad, good] = [await server.connect(), await server.connect()]
  const bomb = gzipSync(array(time, map({ log: str32(Buffer.alloc(8 * MIB)) })))
  await bad.write(array(tag, bin32(bomb), option))
  assert.equal((await bad.receiveAll()).length, 0)
  assert.equal(server.stats.rejected.bomb, 1)
  await good.write(array(tag, bin8(entries('a')), option))
  assert.deepEqual(await good.receive(ack(chunk).length), ack(chunk))
  assert.equal((await server.stored(1)).length, 1)
})

test('11: one frame of 64 MiB is received within the limit, and acknowledged once all of it is stored', async () => {
  const server = await startServer()
  const client = await server.connect()
  const big = entry('x'.repeat(1_000))
  const count = Math.floor((64 * MIB) / big.length)
  const body = Buffer.alloc(count * big.length)
  for (let i = 0; i < count; i += 1) big.copy(body, i * big.length)
  const message = array(tag, bin32(body), option)
  for (let at = 0; at < message.length; at += 16_384) await client.write(message.subarray(at, at + 16_384))
  assert.deepEqual(await client.receive(ack(chunk).length), ack(chunk))
  assert.equal(server.buffer.status().next, count)
})

test('12: cut at every byte a message is the same, and many in one read are too', async () => {
  const message = Buffer.concat([array(tag, array(entry('a'), entry('b')), option), array(tag, bin8(entries('c')))])
  const server = await startServer()
  const cuts = Array.from({ length: message.length - 1 }, (_, index) => index + 1)
  // Chunk ids are remembered, so each connection has its own tag.
  const renamed = (at: number) =>
    Buffer.from(message.toString('latin1').replaceAll('docker.web', `cut.${String(at).padStart(6, '0')}`), 'latin1')
  for (const at of cuts) {
    const client = await server.connect()
    client.socket.setNoDelay(true)
    await client.write(renamed(at).subarray(0, at))
    await new Promise((resolve) => setImmediate(resolve))
    await client.write(renamed(at).subarray(at))
    assert.deepEqual(await client.receive(ack(chunk).length), ack(chunk), `cut at ${at}`)
    client.socket.destroy()
  }
  const events = await server.stored(3 * cuts.length)
  const byTag = Map.groupBy(events, ({ tag }) => tag)
  assert.equal(byTag.size, cuts.length)
  for (const [name, group] of byTag) assert.deepEqual(logs(group), ['a', 'b', 'c'], name)
  const many = await send(Buffer.concat(Array.from({ length: 500 }, (_, i) => array(tag, time, record(`${i}`)))), 500)
  assert.deepEqual(
    logs(many.events),
    Array.from({ length: 500 }, (_, i) => `${i}`),
  )
})

test('13: EventTime as fixext8 and ext8, nanoseconds exact, seconds unsigned', async () => {
  const ext8 = Buffer.concat([Buffer.of(0xc7, 8, 0), eventTime(1_700_000_000, 123_456_789).subarray(2)])
  const times = [eventTime(1_700_000_000, 999_999_999), ext8, eventTime(0xf0000000, 1)]
  const { events } = await send(Buffer.concat(times.map((at) => array(tag, at, record('x')))), 3)
  assert.deepEqual(
    events.map(({ time }) => time),
    [
      [1_700_000_000, 999_999_999],
      [1_700_000_000, 123_456_789],
      [0xf0000000, 1],
    ],
  )
})

test('14: every integer is seconds, the signed 32 bits of Docker too', async () => {
  const wide = (first: number, width: number, value: number) => header(first, width, value)
  const u64 = (first: number) => Buffer.concat([Buffer.of(first, 0, 0, 0, 0), uint32(1_700_000_000).subarray(1)])
  const times = [Buffer.of(5), wide(0xcc, 1, 200), wide(0xcd, 2, 60_000), uint32(1_700_000_000), u64(0xcf)]
  times.push(wide(0xd0, 1, 100), wide(0xd1, 2, 30_000), int32(1_700_000_000), u64(0xd3))
  const { events } = await send(Buffer.concat(times.map((at) => array(tag, at, record('x')))), times.length)
  const seconds = [5, 200, 60_000, 1_700_000_000, 1_700_000_000, 100, 30_000, 1_700_000_000, 1_700_000_000]
  assert.deepEqual(
    events.map(({ time }) => time),
    seconds.map((s) => [s, 0]),
  )
})

test('15: time 0 is the time of receipt', async () => {
  const before = Math.floor(Date.now() / 1000)
  const { events } = await send(
    Buffer.concat([array(tag, Buffer.of(0), record('x')), array(tag, eventTime(0, 0), record('y'))]),
    2,
  )
  const after = Math.ceil(Date.now() / 1000)
  for (const { time } of events) assert.ok(time[0] >= before && time[0] <= after, `${time}`)
})

test('16: a float is seconds and their fraction', async () => {
  const times = [float64(1_700_000_000.5), Buffer.concat([Buffer.of(0xca), Buffer.from('4b000000', 'hex')])]
  const { events } = await send(Buffer.concat(times.map((at) => array(tag, at, record('x')))), 2)
  assert.deepEqual(
    events.map(({ time }) => time),
    [
      [1_700_000_000, 500_000_000],
      [8_388_608, 0],
    ],
  )
})

const MS = Buffer.concat([Buffer.of(0xcf), Buffer.from((1_700_000_000_123).toString(16).padStart(16, '0'), 'hex')])

test('17: milliseconds are taken as such by option only, and are never a year far away', async () => {
  const message = array(tag, MS, record('x'))
  const asked = await send(message, 1, { config: { time_unit: 'ms' } })
  assert.deepEqual(asked.events[0]!.time, [1_700_000_000, 123_000_000])
  const other = await send(message, 1)
  assert.ok(Math.abs(other.events[0]!.time[0] - Date.now() / 1000) < 60, 'the time of receipt')
  assert.ok(
    other.server.said.some(({ message }) => /time_unit: ms/.test(message)),
    'and the operator is told',
  )
  assert.ok(!asked.server.said.some(({ level }) => level === 'warn'))
})

test('18: metadata is accepted and is no part of the record', async () => {
  const withMeta = array(array(time, map({ level: str('info') })), record('a'))
  const { events } = await send(Buffer.concat([array(tag, array(withMeta)), array(tag, bin8(withMeta))]), 2)
  for (const { record, time } of events)
    assert.deepEqual([record, time], [{ ...STDOUT, log: 'a' }, [1_700_000_000, 42]])
})

test('19: group markers are no events', async () => {
  const marker = (seconds: number) => array(array(eventTime(seconds, 0), map({ resource: str('r') })), map({}))
  const packed = Buffer.concat([marker(0xffffffff), entry('a'), marker(0xfffffffe)])
  const { events, answer, server } = await send(array(tag, bin8(packed), option), 1)
  assert.deepEqual([logs(events), answer, server.stats.rejected.bad_event], [['a'], ack(chunk), 0])
})

test('20: metrics, traces, blobs and profiles are no logs: acknowledged, counted, and said', async () => {
  const signals = [1, 2, 3, 4].map((signal) => map({ chunk, fluent_signal: Buffer.of(signal) }))
  const { answer, server } = await send(
    Buffer.concat(signals.map((option) => array(tag, bin8(entries('a')), option))),
    0,
  )
  assert.deepEqual(answer, Buffer.concat(signals.map(() => ack(chunk))))
  assert.equal(server.stats.rejected.unsupported, 4)
  assert.equal(server.buffer.status().next, 0)
  assert.ok(server.said.some(({ level, message }) => level === 'warn' && /metrics or traces/.test(message)))
})

test('21: a record that is an array does not break the connection', async () => {
  const metrics = array(tag, array(array(time, array(map({ m: nil })))), map({ chunk, fluent_signal: Buffer.of(1) }))
  const bare = array(tag, array(array(time, array(map({ m: nil })))))
  const { events, answer } = await send(Buffer.concat([metrics, bare, array(tag, time, record('x'))]), 1)
  assert.deepEqual([logs(events), answer], [['x'], ack(chunk)])
})

test('22: nil at the top is ignored', async () => {
  const { events, server } = await send(Buffer.concat([nil, nil, array(tag, time, record('x')), nil]), 1)
  assert.deepEqual([logs(events), server.said.filter(({ level }) => level === 'warn')], [['x'], []])
})

test('23: another value at the top is warned of, and the connection kept', async () => {
  const { events, server } = await send(
    Buffer.concat([map({ a: nil }), Buffer.of(7), str('x'), array(tag, time, record('x'))]),
    1,
  )
  assert.deepEqual([logs(events), server.stats.rejected.unsupported], [['x'], 3])
  assert.equal(server.said.filter(({ level }) => level === 'warn').length, 1)
})

test('24: bad entries are left out and counted; the rest is kept, and the ack is sent', async () => {
  const bad = [array(nil, record('x')), array(time, str('no map')), array(str('t'), record('x')), Buffer.of(1)]
  const packed = Buffer.concat([entry('a'), ...bad, entry('b')])
  const modes = [array(tag, bin16(packed), option), array(tag, array(entry('c'), ...bad), map({ chunk: str('2') }))]
  const { events, answer, server } = await send(Buffer.concat(modes), 3)
  assert.deepEqual(logs(events), ['a', 'b', 'c'])
  assert.deepEqual([answer, server.stats.rejected.bad_event], [Buffer.concat([ack(chunk), ack(str('2'))]), 8])
})

test('25: a tag that is nil or no string is counted, acknowledged, and nothing crashes', async () => {
  const tags = [nil, Buffer.of(5), map({}), str('')]
  const { events, server, answer } = await send(
    Buffer.concat([...tags.map((bad) => array(bad, time, record('x'), option)), array(tag, time, record('y'))]),
    1,
  )
  assert.deepEqual([logs(events), server.stats.rejected.bad_tag], [['y'], 4])
  assert.equal(answer.length, 4 * ack(chunk).length)
})

test('26: tags and keys may be binaries', async () => {
  const own = Buffer.concat([Buffer.of(0x81), bin8(Buffer.from('log')), bin8(Buffer.from('x'))])
  const { events } = await send(array(bin8(Buffer.from('docker.web')), time, own), 1)
  assert.deepEqual([events[0]!.tag, logs(events)], ['docker.web', ['x']])
})

test('27: invalid UTF-8 closes nothing and cuts nothing; in JSON it is U+FFFD', async () => {
  const line = Buffer.concat([Buffer.from('h'), Buffer.of(0xff), Buffer.from('i')])
  assert.deepEqual(await ones(str(line), str32(Buffer.concat([line, Buffer.from('x'.repeat(100))]))), [
    'h\ufffdi',
    `h\ufffdi${'x'.repeat(100)}`,
  ])
})

test('28: binaries that are UTF-8 are text', async () => {
  assert.deepEqual(await ones(bin8(Buffer.from('Grüße')), bin16(Buffer.from('x'))), ['Grüße', 'x'])
})

test('29: msgpack timestamps in values are accepted', async () => {
  const ext32 = Buffer.concat([Buffer.of(0xd6, 0xff), uint32(1_700_000_000).subarray(1)])
  const ext96 = Buffer.concat([Buffer.of(0xc7, 12, 0xff), Buffer.alloc(8), uint32(1_700_000_000).subarray(1)])
  const [first, second] = await ones(ext32, ext96)
  assert.match(String(first), /^2023-11-14T22:13:20/)
  assert.notEqual(second, undefined)
})

test('30: extensions that are not known do not close the connection', async () => {
  const values = await ones(Buffer.of(0xd4, 42, 1), Buffer.of(0xc7, 3, 99, 1, 2, 3), str('after'))
  assert.equal(values[2], 'after')
})

test('31: integers beyond 2^53 are exact', async () => {
  const u64 = Buffer.concat([Buffer.of(0xcf), Buffer.alloc(8, 0xff)])
  const i64 = Buffer.concat([Buffer.of(0xd3, 0x80), Buffer.alloc(6), Buffer.of(1)])
  const { events } = await send(Buffer.concat([one(u64), one(i64)]), 2)
  assert.match(events[0]!.json, /"value":"?18446744073709551615"?/)
  assert.match(events[1]!.json, /"value":"?-9223372036854775807"?/)
})

test('32: NaN and the infinities reach JSON as null or text', async () => {
  const values = await ones(...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(float64), str('x'))
  assert.equal(values.length, 4)
  for (const value of values.slice(0, 3)) assert.ok(value === null || typeof value === 'string', String(value))
})

test('33: of a key that comes twice in JSON the last value counts', async () => {
  const { events } = await send(Buffer.from('["docker.web",1700000000,{"log":"first","log":"last"}]'), 1)
  assert.deepEqual(logs(events), ['last'])
})

test('34: nesting is bounded, in msgpack and in JSON, and the connection of the next client is taken', async () => {
  const server = await startServer()
  const head = Buffer.concat([arrayHeader(3), tag, time, Buffer.of(0x81), str('k')])
  const nested = Buffer.concat([head, Buffer.alloc(100_000, 0x91), nil])
  const json = Buffer.from(`["t",1,{"k":${'['.repeat(100_000)}${']'.repeat(100_000)}}]`)
  for (const bytes of [nested, json]) {
    const client = await server.connect()
    await client.write(bytes)
    client.end()
    await client.receiveAll()
  }
  const honest = await server.connect()
  await honest.write(array(tag, time, record('x'), option))
  assert.deepEqual(await honest.receive(ack(chunk).length), ack(chunk))
  assert.deepEqual(logs(await server.stored(1)), ['x'])
})

const capture = (name: string) => readFileSync(new URL(`../../golden/forward/${name}.conn1.bin`, import.meta.url))

test('14: what Docker sent, as it was captured', async () => {
  const { events } = await send(capture('fluent-01-lines'), 1)
  assert.deepEqual(Object.keys(events[0]!.record).toSorted(), ['container_id', 'container_name', 'log', 'source'])
  assert.match(String(events[0]!.record.container_name), /^\//)
})

test('27: the binary lines that Docker sent, as they were captured', async () => {
  const { events } = await send(capture('fluent-03-binary'), 1)
  assert.ok(events.some(({ json }) => json.includes('\ufffd')))
})
