import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { EntryStore } from '../../../protocols/forward/entry-store.ts'
import { ZstdFrames } from '../../../protocols/forward/zstd-frames.ts'
import { MalformedError } from '../../../server/core/msgpack.ts'
import { array, arrayHeader, bin32, entries, entry, eventTime, header, map, nil, record, str } from './encoding.ts'
import { eventually, FakeSpool, startInput } from './input-under-test.ts'

const MIB = 1024 * 1024
const tag = str('docker.web')
const option = (id: string, more = {}) => map({ chunk: str(id), ...more })

/** Entries of together more than `bytes`, none like the other; every third one larger. */
function manyEntries(bytes: number): { packed: Buffer; count: number } {
  const pieces: Buffer[] = []
  for (let size = 0; size < bytes; size += pieces.at(-1)!.length) {
    pieces.push(entry(`${pieces.length} ${'y'.repeat(pieces.length % 3 === 0 ? 20_000 : 500)}`))
  }
  return { packed: Buffer.concat(pieces), count: pieces.length }
}

const { packed, count } = manyEntries(9 * MIB)

const LARGE: Record<string, Uint8Array> = {
  packed: array(tag, bin32(packed), option('id')),
  'packed, with more elements': array(tag, bin32(packed), option('id'), array(nil)),
  forward: array(tag, Buffer.concat([header(0xdd, 4, count), packed]), option('id')),
  'gzip of two members': array(
    tag,
    bin32(Buffer.concat([gzipSync(packed.subarray(0, 5 * MIB)), gzipSync(packed.subarray(5 * MIB))])),
    option('id', { compressed: str('gzip') }),
  ),
  'zstd of two frames': array(
    tag,
    bin32(Buffer.concat([zstdCompressSync(packed.subarray(0, 5 * MIB)), zstdCompressSync(packed.subarray(5 * MIB))])),
    option('id', { compressed: str('zstd') }),
  ),
}

for (const [name, bytes] of Object.entries(LARGE)) {
  test(`goes through a spool, in whole entries: ${name}`, async () => {
    const input = await startInput()
    const client = await input.connect()
    const next = array(tag, eventTime(1, 2), record('next'), option('next'))
    await client.write(Buffer.concat([bytes, next]))
    const acks = Buffer.from('81a361636ba2696481a361636ba46e657874', 'hex')
    assert.deepEqual(await client.receive(acks.length), acks)
    const [large, small] = input.emitted
    assert.deepEqual([large!.spooled, large!.count, large!.chunkId], [true, count, 'id'])
    assert.ok(large!.packed.equals(packed))
    assert.equal(small!.spooled, false)
    assert.equal(
      input.spools[0]!.sections.reduce((sum, section) => sum + section.count, 0),
      count,
    )
    assert.ok(input.spools[0]!.discarded)
  })
}

test('a large message of incompressible entries, as gzip', async () => {
  const noise = Buffer.concat(
    Array.from({ length: 150 }, () => array(eventTime(1, 2), map({ log: bin32(randomBytes(65_536)) }))),
  )
  const input = await startInput()
  const client = await input.connect()
  await client.write(array(tag, bin32(gzipSync(noise, { level: 1 })), option('id')))
  await client.receive(1)
  assert.ok(input.emitted[0]!.packed.equals(noise))
})

test('a large message that ends within an entry is refused, and its spool given back', async () => {
  const input = await startInput()
  const client = await input.connect()
  await client.write(array(tag, bin32(packed.subarray(0, packed.length - 3)), option('id')))
  assert.equal((await client.receiveAll()).length, 0)
  assert.deepEqual([input.emitted.length, input.stats.rejected.malformed], [0, 1])
  await eventually(() => input.spools.every((spool) => spool.discarded))
})

test('a client that goes away within a large message leaves no spool behind', async () => {
  const input = await startInput()
  const client = await input.connect()
  await client.write(LARGE.packed!.subarray(0, 4 * MIB))
  await eventually(() => input.spools.length === 1)
  client.socket.destroy()
  await eventually(() => input.stats.connections === 0 && input.spools[0]!.discarded)
  assert.equal(input.emitted.length, 0)
})

test('a large message with a bad tag is acknowledged and not stored', async () => {
  const input = await startInput()
  const client = await input.connect()
  await client.write(array(nil, bin32(packed), option('id')))
  await client.receive(1)
  assert.deepEqual([input.emitted.length, input.stats.rejected.bad_tag], [0, 1])
  await eventually(() => input.spools.every((spool) => spool.discarded))
})

test('a frame of 100 MB passes in little memory', async () => {
  const input = await startInput()
  // Nothing is kept of it here.
  const sizes: number[] = []
  FakeSpool.prototype.write = async (bytes: Uint8Array) => void sizes.push(bytes.length)
  const client = await input.connect()
  const times = 11
  const head = Buffer.concat([arrayHeader(3), tag, header(0xc6, 4, times * packed.length)])
  global.gc?.()
  const before = process.memoryUsage().rss
  await client.write(head)
  for (let i = 0; i < times; i += 1) await client.write(packed)
  await client.write(option('id'))
  await client.receive(1)
  assert.equal(input.emitted[0]!.count, times * count)
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    times * packed.length,
  )
  const grown = (process.memoryUsage().rss - before) / MIB
  assert.ok(grown < 64, `${Math.round(grown)} MiB more than before`)
})

test('the entry store gives the same however the bytes are cut, and leaves out what is bad', async () => {
  const good = entries('a', 'b')
  const bytes = Buffer.concat([entry('a'), nil, array(nil, nil), entry('b'), nil])
  for (let size = 1; size <= bytes.length; size += 1) {
    const openSpool = () => Promise.reject(new Error('too small for a spool'))
    const store = new EntryStore({ openSpool, memoryBytes: MIB, wanted: 5 })
    let unused = 0
    for (let at = 0; at < bytes.length; at += size) unused += await store.write(bytes.subarray(at, at + size))
    assert.deepEqual([store.count, store.bad, store.isFull, unused], [2, 3, true, 0])
    assert.deepEqual(Buffer.from((await store.finish()) as Uint8Array), good)
  }
})

test('the entry store gives up on a message of garbage, though each piece has little of it', async () => {
  const openSpool = () => Promise.reject(new Error('too small for a spool'))
  const store = new EntryStore({ openSpool, memoryBytes: MIB, wanted: 1e9 })
  const fill = async () => {
    for (let i = 0; i < 11; i += 1) await store.write(Buffer.alloc(10_000, nil))
  }
  await assert.rejects(fill(), MalformedError)
})

test('the ends of zstd frames are found however the bytes are cut', () => {
  const skippable = Buffer.concat([Buffer.from('502a4d1803000000', 'hex'), Buffer.from('abc')])
  const frames = [
    zstdCompressSync(Buffer.from('one')),
    skippable,
    zstdCompressSync(Buffer.alloc(300_000, 'two ')),
    zstdCompressSync(randomBytes(200_000)),
    zstdCompressSync(Buffer.alloc(0)),
  ]
  const bytes = Buffer.concat(frames)
  const expected = frames.map((_, i) => Buffer.concat(frames.slice(0, i + 1)).length)
  for (const size of [1, 2, 3, 1_000, bytes.length]) {
    const splitter = new ZstdFrames()
    const ends: number[] = []
    for (let from = 0; from < bytes.length; from += size) {
      const piece = bytes.subarray(from, from + size)
      for (let at = 0; at < piece.length; ) {
        at = splitter.advance(piece, at)
        if (splitter.atFrameEnd) ends.push(from + at)
      }
    }
    assert.deepEqual(ends, expected)
  }
})
