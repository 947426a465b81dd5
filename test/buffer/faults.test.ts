/**
 * A disk that fails: nothing is acknowledged early, nothing that was acknowledged is lost, and all goes on when it is
 * mended.
 */
import assert from 'node:assert/strict'
import { cpSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import type { EventBuffer } from '../../buffer/buffer.ts'
import {
  type DiskCall,
  type DiskRule,
  diskError,
  drain,
  keptLog,
  openBuffer,
  quickClock,
  readerOf,
  ruledFileSystem,
  stream,
  temporaryFolder,
} from './harness.ts'

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** Lets the rule decide only over the calls that concern chunks. */
function chunksOnly(rule: DiskRule): DiskRule {
  return (call) => (call.name.endsWith('.chunk') || call.name === 'chunks' ? rule(call) : undefined)
}

/** Fails the `nth` call (from 1) that `picks` chooses. */
function failOnce(nth: number, verdict: Error | number, picks: (call: DiskCall) => boolean): DiskRule {
  let seen = 0
  return chunksOnly((call) => (picks(call) && ++seen === nth ? verdict : undefined))
}

async function readAll(buffer: EventBuffer): Promise<number[]> {
  const reader = await readerOf(buffer)
  const numbers = await drain(reader)
  await reader.close()
  return numbers
}

/** A copy of the folder as a crash would leave it just now, opened and read. */
async function readAfterCrash(folder: string): Promise<number[]> {
  const copy = `${folder}-crashed`
  cpSync(folder, copy, { recursive: true, filter: (file) => !file.includes('LOCK') })
  const buffer = await openBuffer(copy)
  const numbers = await readAll(buffer)
  await buffer.close()
  return numbers
}

describe('one fault', () => {
  const rows: { title: string; rule: () => DiskRule }[] = [
    {
      title: 'a sync of the first group of a chunk',
      rule: () => failOnce(1, diskError('EIO'), (c) => c.call === 'syncData'),
    },
    { title: 'a sync of a later group', rule: () => failOnce(3, diskError('EIO'), (c) => c.call === 'syncData') },
    { title: 'a write that is short', rule: () => failOnce(4, 7, (c) => c.call === 'write') },
    { title: 'a write that takes nothing', rule: () => failOnce(4, 0, (c) => c.call === 'write') },
    { title: 'a write without space', rule: () => failOnce(3, diskError('ENOSPC'), (c) => c.call === 'write') },
    { title: 'the header of a new chunk', rule: () => failOnce(1, 10, (c) => c.call === 'write') },
    { title: 'a new chunk cannot be made', rule: () => failOnce(1, diskError('EMFILE'), (c) => c.call === 'create') },
    { title: 'the sync of a new chunk', rule: () => failOnce(1, diskError('EIO'), (c) => c.call === 'sync') },
    { title: 'the sync of the folder', rule: () => failOnce(1, diskError('EIO'), (c) => c.call === 'syncDirectory') },
    {
      title: 'a write, and the cutting back after it',
      rule: () => {
        let wrote = 0
        return chunksOnly(({ call }) => {
          if (call === 'truncate') return diskError('EIO')
          return call === 'write' && ++wrote === 3 ? 50 : undefined
        })
      },
    },
  ]
  for (const { title, rule } of rows) {
    test(`${title}: all is stored once`, async () => {
      using folder = temporaryFolder()
      const live = path.join(folder.path, 'live')
      const log = keptLog()
      const buffer = await openBuffer(live, { files: ruledFileSystem(rule()), clock: quickClock(), log })
      for (let number = 0; number < 8; number++) await buffer.append(stream(number, 1))
      assert.deepEqual(await readAfterCrash(live), upTo(8), 'after a crash')
      assert.deepEqual(await readAll(buffer), upTo(8), 'while it runs')
      assert.equal(buffer.status().trouble, undefined)
      assert.match(log.said.join('\n'), /cannot write to .*\n.*can be written again/)
      await buffer.close()
    })
  }
})

test('the n-th call of the disk fails, for every n', async () => {
  using folder = temporaryFolder()
  let failed = true
  for (let nth = 1; failed; nth++) {
    let seen = 0
    failed = false
    const rule = chunksOnly(({ call }) => {
      if (++seen !== nth) return undefined
      failed = true
      return call === 'write' ? 5 : diskError('EIO')
    })
    const live = path.join(folder.path, `n${nth}`)
    const buffer = await openBuffer(live, { files: ruledFileSystem(rule), clock: quickClock(), chunkSizeBytes: 600 })
    // Two messages at a time, so that some groups hold both; small chunks, so that there are rolls.
    for (let number = 0; number < 12; number += 2) {
      await Promise.all([
        buffer.append(stream(number, 1)),
        buffer.append(stream(number + 1, 1, { chunkId: `${number}` })),
      ])
    }
    assert.deepEqual(await readAfterCrash(live), upTo(12), `call ${nth}`)
    await buffer.close()
  }
})

test('a file whose sync has failed is never synced again: its events go elsewhere, then the ack', async () => {
  using folder = temporaryFolder()
  const calls: string[] = []
  const rule = failOnce(3, diskError('EIO'), (call) => call.call === 'syncData')
  const files = ruledFileSystem(
    (call) => {
      const verdict = rule(call)
      if (verdict instanceof Error) calls.push(`FAILED ${call.call} ${call.name}`)
      return verdict
    },
    ({ call, name }) => name.endsWith('.chunk') && calls.push(`${call} ${name}`),
  )
  const buffer = await openBuffer(folder.path, { files, clock: quickClock() })
  for (let number = 0; number < 4; number++) {
    await buffer.append(stream(number, 1))
    calls.push(`ack ${number}`)
  }
  const from = calls.indexOf('FAILED syncData 0000000000000000.chunk')
  assert.deepEqual(calls.slice(from), [
    'FAILED syncData 0000000000000000.chunk',
    'unlink 0000000000000002.chunk',
    'create 0000000000000002.chunk',
    'write 0000000000000002.chunk',
    'sync 0000000000000002.chunk',
    'write 0000000000000002.chunk',
    'syncData 0000000000000002.chunk',
    'ack 2',
    'write 0000000000000002.chunk',
    'syncData 0000000000000002.chunk',
    'ack 3',
  ])
  await buffer.close()
})

test('in order: written, synced, acknowledged; a new chunk and its name are durable before', async () => {
  using folder = temporaryFolder()
  const calls: string[] = []
  const note = ({ call, name }: DiskCall) => /chunk/.test(name) && call !== 'unlink' && calls.push(`${call} ${name}`)
  const buffer = await openBuffer(folder.path, { files: ruledFileSystem(() => undefined, note) })
  calls.length = 0
  await buffer.append(stream(0, 1))
  calls.push('ack')
  assert.deepEqual(calls, [
    'create 0000000000000000.chunk',
    'write 0000000000000000.chunk',
    'sync 0000000000000000.chunk',
    'syncDirectory chunks',
    'write 0000000000000000.chunk',
    'syncData 0000000000000000.chunk',
    'ack',
  ])
  await buffer.close()
})

test('while the disk is full appends wait, and go on in order when there is space', async () => {
  using folder = temporaryFolder()
  let full = false
  const rule = chunksOnly(({ call }) => (full && call === 'write' ? diskError('ENOSPC') : undefined))
  const buffer = await openBuffer(folder.path, { files: ruledFileSystem(rule), clock: quickClock() })
  await buffer.append(stream(0, 1))
  full = true
  let acknowledged = 0
  const stored = [1, 2, 3].map((number) => buffer.append(stream(number, 1)).then(() => (acknowledged += 1)))
  while (buffer.status().trouble === undefined) await new Promise((resolve) => setImmediate(resolve))
  assert.match(buffer.status().trouble!, /ENOSPC/)
  assert.equal(buffer.status().waiting, 3)
  assert.equal(acknowledged, 0)
  full = false
  await Promise.all(stored)
  assert.deepEqual(await readAll(buffer), upTo(4))
  await buffer.close()
})

test('what fails while it is written leaves nothing behind the last COMMIT', async () => {
  using folder = temporaryFolder()
  let full = false
  const rule = chunksOnly(({ call }) => (full && call === 'write' ? 50 : undefined))
  const buffer = await openBuffer(folder.path, { files: ruledFileSystem(rule), clock: quickClock() })
  await buffer.append(stream(0, 1))
  const chunk = path.join(folder.path, 'chunks', readdirSync(path.join(folder.path, 'chunks'))[0]!)
  const before = statSync(chunk).size
  full = true
  const stored = buffer.append(stream(1, 1))
  while (buffer.status().trouble === undefined) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(statSync(chunk).size, before)
  full = false
  await stored
  await buffer.close()
})

test('a buffer that is closed while its disk fails refuses what it could not store', async () => {
  using folder = temporaryFolder()
  const rule = chunksOnly(({ call }) => (call === 'write' ? diskError('EROFS') : undefined))
  const buffer = await openBuffer(folder.path, { files: ruledFileSystem(rule) })
  const refused = assert.rejects(buffer.append(stream(0, 1)), { code: 'LB-B003' })
  while (buffer.status().trouble === undefined) await new Promise((resolve) => setImmediate(resolve))
  await buffer.close()
  await refused
})

test('a message whose spool file cannot be read is refused alone, and may be sent again', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path)
  const spool = await buffer.spool()
  await spool.write(stream(1, 1).packed as Uint8Array, 1)
  const packed = await spool.finish()
  const message = { tag: Buffer.from('big'), packed, count: 1, chunkId: Buffer.from('c') }
  const unreadable = { ...packed, read: () => Promise.reject(diskError('EIO')) }
  const results = await Promise.allSettled([
    buffer.append(stream(0, 1)),
    buffer.append({ ...message, packed: unreadable }),
    buffer.append(stream(2, 1)),
  ])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  await buffer.append(message)
  await packed.discard()
  assert.deepEqual(await readAll(buffer), [0, 2, 1])
  await buffer.close()
})

test('with `ack: written` the ack does not wait for the sync, and readers still do', async () => {
  using folder = temporaryFolder()
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const files = ruledFileSystem(() => undefined)
  const slow = {
    ...files,
    open: async (file: string, mode: 'read' | 'write' | 'create') => {
      const open = await files.open(file, mode)
      return file.endsWith('.chunk') ? { ...open, syncData: () => held.then(() => open.syncData()) } : open
    },
  }
  const buffer = await openBuffer(folder.path, { files: slow, ack: 'written' })
  await buffer.append(stream(0, 1))
  assert.equal(buffer.status().next, 0)
  release()
  assert.deepEqual(await readAll(await bufferWith(buffer, 1)), [0])
  await buffer.close()
})

async function bufferWith(buffer: EventBuffer, events: number): Promise<EventBuffer> {
  while (buffer.status().next < events) await new Promise((resolve) => setImmediate(resolve))
  return buffer
}

test('a cursor that the disk does not take is stored at the next chance', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path)
  await buffer.append(stream(0, 1))
  for (const failing of ['create', 'write', 'syncData'] as const) {
    let fails = false
    const files = ruledFileSystem(({ call }) => (fails && call === failing ? diskError('EIO') : undefined))
    const reader = await readerOf(buffer, failing, { files })
    if (failing !== 'create') await reader.seek(0)
    reader.commit(await reader.read({ maxBytes: 1, maxEvents: 1, maxAgeMs: 0 }, new AbortController().signal))
    fails = true
    await assert.rejects(reader.flush(), /EIO/, failing)
    assert.equal(reader.status().cursor, 0, failing)
    fails = false
    await reader.flush()
    assert.equal(reader.status().cursor, 1, failing)
    await reader.close()
  }
  await buffer.close()
})
