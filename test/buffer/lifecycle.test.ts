/** Locks, seats, deletion: who may use a buffer, and when its chunks go. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { EventBuffer } from '../../buffer/buffer.ts'
import {
  type DiskCall,
  drain,
  idsOf,
  LIMITS,
  NO_SIGNAL,
  openBuffer,
  readerOf,
  ruledFileSystem,
  stream,
  temporaryFolder,
} from './harness.ts'

function chunks(folder: string): string[] {
  return readdirSync(path.join(folder, 'chunks')).sort()
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 10))
}

/** One event in each of so many chunks. */
async function fill(buffer: EventBuffer, count: number): Promise<void> {
  for (let number = 0; number < count; number++) await buffer.append(stream(number, 1))
}

test('a buffer is used by one at a time', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path)
  await assert.rejects(openBuffer(folder.path), { code: 'LB-B001', message: new RegExp(`process ${process.pid} on `) })
  await buffer.append(stream(0, 1))
  await buffer.close()
  await (await openBuffer(folder.path)).close()
})

test('a folder that cannot be made is said so', async () => {
  using folder = temporaryFolder()
  writeFileSync(path.join(folder.path, 'file'), '')
  await assert.rejects(openBuffer(path.join(folder.path, 'file', 'buffer')), { code: 'LB-B003' })
})

test('files and folders are for their owner only', async () => {
  using folder = temporaryFolder()
  const made = path.join(folder.path, 'a', 'b')
  const buffer = await openBuffer(made)
  await buffer.append(stream(0, 1))
  const reader = await readerOf(buffer)
  await drain(reader)
  await reader.close()
  await buffer.close()
  assert.equal(statSync(made).mode & 0o777, 0o700)
  for (const entry of readdirSync(made, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && entry.name === 'LOCK') continue
    const mode = statSync(path.join(entry.parentPath, entry.name)).mode & 0o077
    assert.equal(mode, 0, entry.name)
  }
})

test('spool files of an earlier process are deleted', async () => {
  using folder = temporaryFolder()
  mkdirSync(path.join(folder.path, 'spool'))
  writeFileSync(path.join(folder.path, 'spool', '1.spool'), 'left')
  const buffer = await openBuffer(folder.path)
  assert.deepEqual(readdirSync(path.join(folder.path, 'spool')), [])
  await buffer.close()
})

test('a chunk is deleted once every output has passed it, and its cursor is durable', async () => {
  using folder = temporaryFolder()
  const calls: string[] = []
  const note = ({ call, name }: DiskCall) => {
    if (name.endsWith('.cursor') && (call === 'syncData' || call === 'rename')) calls.push('cursor')
    if (name.endsWith('.chunk') && call === 'unlink') calls.push(name)
  }
  const files = ruledFileSystem(() => undefined, note)
  const buffer = await openBuffer(folder.path, { chunkSizeBytes: 64, files })
  const [one, two] = [await readerOf(buffer, 'one', { files }), await readerOf(buffer, 'two', { files })]
  await fill(buffer, 3)
  await drain(one)
  await one.flush()
  const first = await two.read({ ...LIMITS, maxEvents: 1 }, NO_SIGNAL)
  calls.length = 0
  two.commit(first)
  await two.flush()
  await until(() => buffer.status().first === 1)
  assert.deepEqual(calls, ['cursor', '0000000000000000.chunk'])
  two.commit(await two.read(LIMITS, NO_SIGNAL))
  await two.flush()
  await until(() => chunks(folder.path).length === 1)
  assert.deepEqual(chunks(folder.path), ['0000000000000002.chunk'], 'the newest stays')
  for (const reader of [one, two]) await reader.close()
  await buffer.close()
})

test('nothing is deleted before all outputs that are expected have their seats', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path, { chunkSizeBytes: 64, maxSizeBytes: 1024, outputs: ['one', 'late'] })
  const one = await readerOf(buffer, 'one')
  await fill(buffer, 3)
  await drain(one)
  await one.flush()
  // A stream that waits makes the buffer look for what it may delete.
  const waiting = buffer.append(stream(3, 1, { padBytes: 500 }))
  await new Promise((resolve) => setTimeout(resolve, 400))
  assert.equal(chunks(folder.path).length, 3)
  buffer.leave('late')
  await waiting
  await one.close()
  await buffer.close()
})

test('without a seat nothing is deleted', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path, { chunkSizeBytes: 64 })
  const reader = await readerOf(buffer)
  await fill(buffer, 3)
  await drain(reader)
  await reader.close()
  buffer.leave('out')
  await new Promise((resolve) => setTimeout(resolve, 1_200))
  assert.equal(chunks(folder.path).length, 3)
  await buffer.close()
})

test('a buffer that is full of what is done lets go even of the chunk it writes to', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path, { chunkSizeBytes: 8_192, maxSizeBytes: 4_096 })
  const reader = await readerOf(buffer)
  for (let number = 0; number < 3; number++) {
    const stored = buffer.append(stream(number, 1, { padBytes: 3_000 }))
    await stored
    await drain(reader)
    await reader.flush()
  }
  assert.ok(buffer.status().bytes <= 4_096)
  await reader.close()
  await buffer.close()
})

test('a message larger than the buffer may be is refused alone, and not kept waiting', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path, { maxSizeBytes: 4_096 })
  const reader = await readerOf(buffer)
  const before = buffer.append(stream(0, 1))
  const tooLarge = assert.rejects(buffer.append(stream(1, 1, { padBytes: 5_000 })), { code: 'LB-B003' })
  await Promise.all([before, tooLarge, buffer.append(stream(2, 1))])
  assert.deepEqual(await drain(reader), [0, 2])
  await reader.close()
  await buffer.close()
})

test('an output that comes back when what it had not passed is deleted goes on with the oldest there is', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path, { chunkSizeBytes: 64 })
  const [stays, leaves] = [await readerOf(buffer, 'stays'), await readerOf(buffer, 'leaves')]
  await fill(buffer, 3)
  await leaves.close()
  buffer.leave('leaves')
  await drain(stays)
  await stays.flush()
  await until(() => chunks(folder.path).length === 1)
  const back = await readerOf(buffer, 'leaves')
  assert.deepEqual(await drain(back), [2])
  assert.equal(back.status().damagedEvents, 0)
  for (const reader of [stays, back]) await reader.close()
  await buffer.close()
})

test('a thread that is started again takes the same seat', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path)
  await fill(buffer, 2)
  const before = await readerOf(buffer)
  const lost = await before.read(LIMITS, NO_SIGNAL)
  const after = await readerOf(buffer)
  assert.deepEqual(idsOf(await after.read(LIMITS, NO_SIGNAL)), idsOf(lost))
  for (const reader of [before, after]) await reader.close()
  await buffer.close()
})

test('a reader follows from chunk to chunk while they are written', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path, { chunkSizeBytes: 512 })
  const reader = await readerOf(buffer)
  const numbers: number[] = []
  const writing = (async () => {
    for (let number = 0; number < 60; number++) await buffer.append(stream(number, 1))
  })()
  while (numbers.length < 60) {
    numbers.push(...(await drain(reader)))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await writing
  assert.deepEqual(
    numbers,
    Array.from({ length: 60 }, (_, index) => index),
  )
  assert.equal(reader.status().damagedEvents, 0)
  await reader.close()
  await buffer.close()
})

test('a reader on another thread is woken by what is appended, and its cursor is seen here', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path, { chunkSizeBytes: 4_096 })
  const workerData = { seat: await buffer.seat('out'), events: 200 }
  const thread = new Worker(path.join(import.meta.dirname, 'reading-thread.ts'), { workerData })
  assert.deepEqual(await once(thread, 'message'), ['open'])
  const got = once(thread, 'message')
  for (let number = 0; number < 200; number++) await buffer.append(stream(number, 1))
  assert.deepEqual(await got, [Array.from({ length: 200 }, (_, index) => index)])
  await until(() => chunks(folder.path).length === 1)
  await thread.terminate()
  await buffer.close()
})

test('a seat that is taken while chunks are deleted holds what is left', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path, { chunkSizeBytes: 64 })
  const one = await readerOf(buffer, 'one')
  await fill(buffer, 30)
  await drain(one)
  await one.flush()
  await until(() => buffer.status().first > 0)
  const late = await readerOf(buffer, 'late')
  const { first } = buffer.status()
  const numbers = await drain(late)
  assert.deepEqual(
    numbers,
    Array.from({ length: 30 - first }, (_, index) => first + index),
  )
  assert.equal(late.status().damagedEvents, 0)
  for (const reader of [one, late]) await reader.close()
  await buffer.close()
})
