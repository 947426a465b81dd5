import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { RejectReason } from '../../../server/core/metrics.ts'
import {
  array,
  arrayHeader,
  bin8,
  bin32,
  entries,
  entry,
  eventTime,
  header,
  map,
  nil,
  record,
  str,
} from './encoding.ts'
import { eventually, startInput } from './input-under-test.ts'

const MIB = 1024 * 1024
const tag = str('docker.web')
const time = eventTime(1, 2)
const option = (more = {}) => map({ chunk: str('id'), ...more })
const ACK = Buffer.from('81a361636ba26964', 'hex')
const LIMITS = { chunkSizeLimit: 4 * MIB, decompressionLimit: 8 * MIB }
const zeros = (length: number) => map({ log: bin32(Buffer.alloc(length)) })

/** What is sent, and why the connection is closed without an ack. */
const CLOSED: [string, Uint8Array, RejectReason][] = [
  ['a message over the limit', array(tag, bin32(Buffer.alloc(4 * MIB)), option()), 'oversize'],
  ['a size of 4 GB', Buffer.concat([arrayHeader(2), tag, header(0xc6, 4, 0xffffffff)]), 'oversize'],
  ['4 billion entries', Buffer.concat([arrayHeader(2), tag, header(0xdd, 4, 0xffffffff)]), 'oversize'],
  ['4 billion keys', Buffer.concat([arrayHeader(3), tag, time, header(0xdf, 4, 0xffffffff)]), 'oversize'],
  ['4 billion elements', header(0xdd, 4, 0xffffffff), 'oversize'],
  ['the byte 0xc1', array(tag, Buffer.of(0xc1)), 'malformed'],
  ['what is no Forward', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), 'wrong_protocol'],
  ['packed bytes that are no msgpack', array(tag, bin8(Buffer.alloc(30, 0xc1)), option()), 'malformed'],
  ['packed bytes that are cut', array(tag, bin8(entry('x').subarray(0, 20)), option()), 'malformed'],
  ['an unknown compression', array(tag, bin8(entry('x')), option({ compressed: str('lz4') })), 'malformed'],
  ['gzip that is none', array(tag, bin8(entry('x')), option({ compressed: str('gzip') })), 'malformed'],
  ['gzip that is cut', array(tag, bin8(gzipSync(entry('x')).subarray(0, 25)), option()), 'malformed'],
  ['zstd that is cut', array(tag, bin8(zstdCompressSync(entry('x')).subarray(0, 15)), option()), 'malformed'],
  ['a chunk id of 2 KB', array(tag, bin8(entry('x')), map({ chunk: str(Buffer.alloc(2_048)) })), 'malformed'],
  ['a gzip bomb of nothing', array(tag, bin32(gzipSync(Buffer.alloc(64 * MIB))), option()), 'malformed'],
  ['a zstd bomb of nothing', array(tag, bin32(zstdCompressSync(Buffer.alloc(64 * MIB))), option()), 'malformed'],
  [
    'a gzip bomb of entries',
    array(tag, bin32(gzipSync(Buffer.concat(Array(64).fill(array(time, zeros(MIB)))))), option()),
    'bomb',
  ],
  [
    'a bomb of many zstd frames',
    array(tag, bin32(Buffer.concat(Array(64).fill(zstdCompressSync(array(time, zeros(MIB)))))), option()),
    'bomb',
  ],
  ['JSON that is none', Buffer.from('{]'), 'malformed'],
  ['JSON of a depth of 100,000', Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`), 'malformed'],
]

for (const [name, bytes, reason] of CLOSED) {
  test(`closes without an ack: ${name}; its neighbour goes on`, async () => {
    const input = await startInput(LIMITS)
    const neighbour = await input.connect()
    const client = await input.connect()
    client.socket.write(bytes)
    assert.equal((await client.receiveAll()).length, 0)
    assert.equal(client.error, undefined)
    await neighbour.write(array(tag, time, record('x'), option()))
    assert.deepEqual(await neighbour.receive(ACK.length), ACK)
    assert.equal(input.stats.rejected[reason], 1)
    assert.deepEqual(
      input.emitted.map(({ count }) => count),
      [1],
    )
    assert.ok(input.warnings.length >= 1)
    await eventually(() => input.spools.every((spool) => spool.discarded))
  })
}

const deep = (depth: number) => Buffer.concat([Buffer.alloc(depth, 0x91), nil])

/** What is sent, what of it is left out (reason and count), and how many events are kept. The ack is sent. */
const COUNTED: [string, Uint8Array, RejectReason, number, number][] = [
  ['a nil tag', array(nil, bin8(entries('a')), option()), 'bad_tag', 1, 0],
  ['an empty tag', array(str(''), time, record('x'), option()), 'bad_tag', 1, 0],
  ['a tag of 1,025 bytes', array(str('t'.repeat(1_025)), array(entry('a')), option()), 'bad_tag', 1, 0],
  ['a nil time', array(tag, nil, record('x'), option()), 'bad_event', 1, 0],
  ['a record of a depth of 100,000', array(tag, time, map({ a: deep(100_000) }), option()), 'bad_event', 1, 0],
  ['a bad entry in Forward', array(tag, array(entry('a'), nil, entry('b')), option()), 'bad_event', 1, 2],
  [
    'bad entries in PackedForward',
    array(tag, bin8(Buffer.concat([entry('a'), array(nil, nil), entry('b'), array(time, nil)])), option()),
    'bad_event',
    2,
    2,
  ],
  [
    'bad entries in gzip',
    array(tag, bin8(gzipSync(Buffer.concat([nil, entry('a')]))), option({ compressed: str('gzip') })),
    'bad_event',
    1,
    1,
  ],
  ...[1, 2, 3, 4].map((signal): [string, Uint8Array, RejectReason, number, number] => [
    `fluent_signal ${signal}`,
    array(tag, bin8(Buffer.from('no entries')), option({ fluent_signal: Buffer.of(signal) })),
    'unsupported',
    1,
    0,
  ]),
]

for (const [name, bytes, reason, count, kept] of COUNTED) {
  test(`leaves out and acknowledges: ${name}`, async () => {
    const input = await startInput(LIMITS)
    const client = await input.connect()
    await client.write(Buffer.concat([bytes, array(tag, time, record('next'), map({ chunk: str('id') }))]))
    assert.deepEqual(await client.receive(2 * ACK.length), Buffer.concat([ACK, ACK]))
    assert.equal(input.stats.rejected[reason], count)
    await eventually(() => input.stats.events === kept + 1)
  })
}

test('group markers are left out without a word', async () => {
  const marker = array(array(eventTime(0xffffffff, 0), map({})), map({ resource: nil }))
  const input = await startInput()
  const client = await input.connect()
  await client.write(array(tag, array(marker, entry('a')), option()))
  await client.receive(ACK.length)
  assert.deepEqual(input.emitted[0]!.packed, entry('a'))
  assert.deepEqual([input.stats.rejected.bad_event, input.warnings.length], [0, 0])
})

test('values that are no messages are counted, and a few of them cost nothing', async () => {
  const input = await startInput()
  const client = await input.connect()
  await client.write(Buffer.concat([nil, map({}), Buffer.of(5), array(), array(tag, time, record('x'), option())]))
  assert.deepEqual(await client.receive(ACK.length), ACK)
  assert.equal(input.stats.rejected.unsupported, 3)
})

test('complaints about one client are said once', async () => {
  const input = await startInput()
  for (let i = 0; i < 20; i += 1) {
    const client = await input.connect()
    client.socket.write(array(tag, Buffer.of(0xc1)))
    await client.receiveAll()
  }
  assert.deepEqual([input.stats.rejected.malformed, input.warnings.length], [20, 1])
})

test('300 clients that stall within messages hold a bounded amount of memory, and others pass', async () => {
  const input = await startInput()
  const half = array(tag, time, map({ log: bin32(Buffer.alloc(2 * MIB)) })).subarray(0, MIB)
  for (let i = 0; i < 300; i += 1) await (await input.connect()).write(half)
  const honest = await input.connect()
  await honest.write(array(tag, time, record('x'), option()))
  assert.deepEqual(await honest.receive(ACK.length), ACK)
  await eventually(() => input.stats.rejected.idle >= 200)
  collectGarbage()
  const held = process.memoryUsage().arrayBuffers / MIB
  assert.ok(held < 100, `${Math.round(held)} MiB of buffers`)
})

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}
