/**
 * Faults of a disk one by one, each with what must hold: syncs that are slow or fail, a disk that is read-only for a
 * while, failpoints, cursors that are gone or old, chunks of another buffer, damage that is found when it is read.
 */
import assert from 'node:assert/strict'
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, describe, test } from 'node:test'
import type { FileSystem } from '../../buffer/file-system.ts'
import { armFailpoints, FAILPOINTS } from '../../server/core/failpoints.ts'
import {
  diskError,
  drain,
  quickFileSystem as files,
  keptLog,
  LIMITS,
  NO_SIGNAL,
  openBuffer,
  quickClock,
  readerOf,
  ruledFileSystem,
  stream,
  temporaryFolder,
} from './harness.ts'
import { MemoryDisk } from './memory-file-system.ts'

afterEach(() => armFailpoints(''))

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

/** Changes the syncs of chunk files. */
function withSync(disk: FileSystem, syncData: (sync: () => Promise<void>) => Promise<void>): FileSystem {
  return {
    ...disk,
    open: async (file, mode) => {
      const open = await disk.open(file, mode)
      return file.endsWith('.chunk') ? { ...open, syncData: () => syncData(open.syncData) } : open
    },
  }
}

test('while a sync takes its time nothing is acknowledged, and no more is taken than memory has room for', async () => {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const slow = withSync(new MemoryDisk(1).mount(), (sync) => held.then(sync))
  const sizes = { chunkSizeBytes: 2 ** 30, maxSizeBytes: 2 ** 31 }
  const buffer = await openBuffer('/b', { files: slow, clock: quickClock(), ...sizes })
  const packed = stream(0, 1, { padBytes: 60_000 }).packed as Buffer
  const large = { tag: Buffer.from('app.web'), packed: Buffer.concat(Array(70).fill(packed)), count: 70 }
  let acked = 0
  const appends = upTo(40).map(() => buffer.append(large).then(() => (acked += 1)))
  for (let turns = 0; turns < 100; turns++) await turn()
  assert.equal(acked, 0)
  const taken = 40 - buffer.status().waiting
  assert.ok(taken > 0 && taken * large.packed.length <= 64 * 2 ** 20 + large.packed.length, `${taken} were taken`)
  release()
  await Promise.all(appends)
  assert.equal(buffer.status().next, 40 * 70)
  await buffer.close()
})

test('a disk that is read-only for a while costs nothing', async () => {
  using folder = temporaryFolder()
  let isReadOnly = false
  const rule = ruledFileSystem(() => (isReadOnly ? diskError('EROFS') : undefined))
  const buffer = await openBuffer(folder.path, { files: rule, clock: quickClock() })
  await buffer.append(stream(0, 1))
  isReadOnly = true
  let acked = false
  const waiting = buffer.append(stream(1, 1)).then(() => {
    acked = true
  })
  while (buffer.status().trouble === undefined) await turn()
  assert.match(buffer.status().trouble!, /EROFS/)
  assert.equal(acked, false)
  isReadOnly = false
  await waiting
  const reader = await readerOf(buffer)
  assert.deepEqual(await drain(reader), [0, 1])
  await reader.close()
  await buffer.close()
})

test('a buffer on a full disk is opened, read and emptied', async () => {
  using folder = temporaryFolder()
  const before = await openBuffer(folder.path, { chunkSizeBytes: 64 })
  for (let number = 0; number < 3; number++) await before.append(stream(number, 1))
  const reader = await readerOf(before)
  reader.commit(await reader.read({ ...LIMITS, maxEvents: 1 }, NO_SIGNAL))
  await reader.close()
  await before.close()
  // What exists may be written over; nothing grows and nothing is made.
  const rule = ruledFileSystem(({ call, name }) =>
    call === 'create' || (call === 'write' && !name.endsWith('.cursor')) ? diskError('ENOSPC') : undefined,
  )
  const buffer = await openBuffer(folder.path, { files: rule })
  const again = await readerOf(buffer, 'out', { files: rule })
  assert.deepEqual(await drain(again), [1, 2])
  await again.flush()
  assert.equal(again.status().cursor, 3)
  while (buffer.status().chunks > 1) await new Promise((resolve) => setTimeout(resolve, 10))
  await again.close()
  await buffer.close()
})

describe('a fault at each failpoint that the buffer passes: all is stored once', () => {
  for (const name of Object.keys(FAILPOINTS).filter((each) => each.startsWith('buffer.'))) {
    test(name, async () => {
      const disk = new MemoryDisk(1)
      const mounted = disk.mount()
      const options = { files: mounted, clock: quickClock(), chunkSizeBytes: 300 }
      const buffer = await openBuffer('/b', options)
      const reader = await readerOf(buffer, 'out', { files: mounted })
      await buffer.append(stream(0, 1))
      armFailpoints(`${name}=throw@1`)
      for (let number = 1; number < 8; number++) await buffer.append(stream(number, 1))
      assert.deepEqual(await drain(reader), upTo(8))
      await reader.flush()
      while (buffer.status().chunks > 1) await new Promise((resolve) => setTimeout(resolve, 10))
      disk.crash('power')
      const after = await openBuffer('/b', { ...options, files: disk.mount() })
      assert.deepEqual([after.status().next, after.status().recovered.damagedEvents], [8, 0])
      await after.close()
    })
  }
})

describe('cursors', () => {
  const rows: { title: string; damage: (name: string, older: Buffer) => void; numbers: number[] }[] = [
    { title: 'missing: all that is stored comes again', damage: (name) => rmSync(name), numbers: upTo(4) },
    {
      title: 'garbage: all that is stored comes again',
      damage: (name) => writeFileSync(name, Buffer.alloc(20_000, 7)),
      numbers: upTo(4),
    },
    {
      title: 'an older copy: what was done since comes again',
      damage: (name, older) => writeFileSync(name, older),
      numbers: [1, 2, 3],
    },
    {
      title: 'of another time, far beyond what is stored: nothing is lost that comes then',
      damage: (name) => cpSync(name, name.replace('out', 'other')),
      numbers: [3],
    },
  ]
  for (const { title, damage, numbers } of rows) {
    test(title, async () => {
      using folder = temporaryFolder()
      const buffer = await openBuffer(folder.path, { files })
      for (let number = 0; number < 4; number++) await buffer.append(stream(number, 1))
      const reader = await readerOf(buffer, 'out', { files })
      const name = path.join(folder.path, 'cursors', 'out.cursor')
      let older = Buffer.alloc(0)
      for (let number = 0; number < 3; number++) {
        reader.commit(await reader.read({ ...LIMITS, maxEvents: 1 }, NO_SIGNAL))
        await reader.flush()
        if (number === 0) older = readFileSync(name)
      }
      await reader.close()
      await buffer.close()
      damage(name, older)
      const after = await openBuffer(folder.path, { files })
      const again = await readerOf(after, 'out', { files })
      assert.deepEqual(await drain(again), numbers)
      await after.append(stream(9, 1))
      assert.deepEqual(await drain(again), [9])
      await again.close()
      await after.close()
    })
  }
})

test('chunks of another buffer are moved aside, not mixed in and not deleted', async () => {
  using folder = temporaryFolder()
  const [mine, other] = [path.join(folder.path, 'mine'), path.join(folder.path, 'other')]
  for (const [name, first] of [
    [mine, 0],
    [other, 50],
  ] as const) {
    const buffer = await openBuffer(name, { files, chunkSizeBytes: 64 })
    for (let number = first; number < first + 3; number++) await buffer.append(stream(number, 1))
    await buffer.close()
  }
  const foreign = path.join(other, 'chunks', '0000000000000001.chunk')
  cpSync(foreign, path.join(mine, 'chunks', '0000000000000001.chunk'))
  const buffer = await openBuffer(mine, { files })
  assert.deepEqual(buffer.status().recovered.quarantined, ['0000000000000001.chunk'])
  const reader = await readerOf(buffer, 'out', { files })
  assert.deepEqual(await drain(reader), [0, 2])
  const kept = readFileSync(path.join(mine, 'quarantine', '0000000000000001.chunk'))
  assert.ok(kept.equals(readFileSync(foreign)))
  await reader.close()
  await buffer.close()
})

test('damage in a closed chunk is found when it is read: counted, named, and kept in quarantine/', async () => {
  using folder = temporaryFolder()
  const before = await openBuffer(folder.path, { files, chunkSizeBytes: 64 })
  for (let number = 0; number < 3; number++) await before.append(stream(number, 1))
  await before.close()
  const chunk = path.join(folder.path, 'chunks', '0000000000000001.chunk')
  const bytes = readFileSync(chunk)
  bytes[64 + 40]! ^= 1
  writeFileSync(chunk, bytes)
  const buffer = await openBuffer(folder.path, { files })
  const reader = await readerOf(buffer, 'out', { files })
  assert.deepEqual(await drain(reader), [0, 2])
  assert.deepEqual([reader.status().damagedEvents, reader.status().lastDamagedChunk], [1, '0000000000000001.chunk'])
  await reader.close()
  const [kept] = readdirSync(path.join(folder.path, 'quarantine'))
  assert.equal(kept, '0000000000000001.chunk.64.damaged')
  assert.equal(bytes.indexOf(readFileSync(path.join(folder.path, 'quarantine', kept!))), 64)
  await buffer.close()
})

test('a group that was given up when its sync failed does not hide the one that was stored instead', async () => {
  using folder = temporaryFolder()
  let syncs = 0
  const failing = withSync(files, (sync) => (++syncs === 2 ? Promise.reject(diskError('EIO')) : sync()))
  const before = await openBuffer(folder.path, { files: failing, clock: quickClock() })
  for (let number = 0; number < 2; number++) await before.append(stream(number, 1))
  await before.close()
  // What a power cut leaves of the group whose sync failed: its COMMIT, and no frame.
  const given = path.join(folder.path, 'chunks', '0000000000000000.chunk')
  const bytes = readFileSync(given)
  const group = (bytes.length - 64) / 2
  writeFileSync(given, bytes.fill(0, 64 + group, bytes.length - 32))
  const log = keptLog()
  const buffer = await openBuffer(folder.path, { files, log })
  const reader = await readerOf(buffer, 'out', { files })
  assert.deepEqual(await drain(reader), [0, 1])
  assert.equal(reader.status().damagedEvents, 0)
  assert.deepEqual(log.said, [], 'nothing is called damaged')
  await reader.close()
  await buffer.close()
})

describe('a process that is killed between write and sync, and a power cut after the next start', () => {
  for (const failed of [false, true]) {
    const title = failed ? 'when the sync had failed' : 'when the sync was not done'
    test(`${title}: what is then acknowledged as known is durable`, async () => {
      for (let seed = 1; seed <= 20; seed++) {
        const disk = new MemoryDisk(seed)
        const never = new Promise<void>(() => {})
        disk.rule = ({ call }) => (failed && call === 'syncData' ? diskError('EIO') : undefined)
        const hangs = withSync(disk.mount(), (sync) => (failed ? sync().catch(() => never) : never))
        const first = await openBuffer('/b', { files: hangs, clock: quickClock() })
        const message = stream(0, 1, { chunkId: 'c', padBytes: 2_000 })
        void first.append(message)
        for (let turns = 0; turns < 20; turns++) await turn()
        disk.crash('kill')
        disk.rule = () => undefined
        const second = await openBuffer('/b', { files: disk.mount(), clock: quickClock() })
        await second.append(message)
        assert.equal(second.status().duplicates, 1)
        disk.crash('power')
        const mounted = disk.mount()
        const third = await openBuffer('/b', { files: mounted, clock: quickClock() })
        const reader = await readerOf(third, 'out', { files: mounted })
        assert.deepEqual(await drain(reader), [0], `seed ${seed}`)
        await reader.close()
        await third.close()
      }
    })
  }
})

test('of a chunk that was closed in good order only both ends are read when the buffer is opened', async () => {
  using folder = temporaryFolder()
  const before = await openBuffer(folder.path, { files, chunkSizeBytes: 100_000 })
  for (let number = 0; number < 2_000; number++) void before.append(stream(number, 1, { chunkId: `c${number}` }))
  for (let number = 2_000; number < 2_010; number++) await before.append(stream(number, 1, { padBytes: 60_000 }))
  await before.close()
  const size = statSync(path.join(folder.path, 'chunks', '0000000000000000.chunk')).size
  let read = 0
  const counting: FileSystem = {
    ...files,
    open: async (file, mode) => {
      const open = await files.open(file, mode)
      const count = async (into: Uint8Array, offset: number) => {
        const bytes = await open.read(into, offset)
        if (file.endsWith('.chunk')) read += bytes
        return bytes
      }
      return { ...open, read: count }
    },
  }
  const log = keptLog()
  const buffer = await openBuffer(folder.path, { files: counting, log })
  assert.ok(read < size / 2, `${read} bytes were read, and the first chunk alone has ${size}`)
  for (let number = 0; number < 2_000; number += 100) await buffer.append(stream(number, 1, { chunkId: `c${number}` }))
  assert.equal(buffer.status().duplicates, 20, 'its end tells its messages')
  assert.deepEqual(log.said, [])
  await buffer.close()
})
