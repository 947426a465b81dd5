import assert from 'node:assert/strict'
import { cp } from 'node:fs/promises'
import { test } from 'node:test'
import type { EventBuffer } from '../../buffer/buffer.ts'
import type { EventStream } from '../../server/core/event.ts'
import { idsOf, LIMITS, NO_SIGNAL, openBuffer, readerOf, stream, temporaryFolder } from './harness.ts'

const base = Buffer.from('abcdefghijkl')
const BASE_TEXT = base.toString('base64url')

/** A stream whose first event has this index under the given base. */
function given(index: number, count: number, options: { tag?: string; chunkId?: string } = {}): EventStream {
  return { ...stream(index, count, options), firstId: { base, index } }
}

async function idsIn(buffer: EventBuffer): Promise<string[]> {
  const reader = await readerOf(buffer)
  const ids: string[] = []
  while (ids.length < buffer.status().next) ids.push(...idsOf(await reader.read(LIMITS, NO_SIGNAL)))
  await reader.close()
  return ids
}

test('events keep the ids they were given, however the stream is cut', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path, { outputs: ['out'] })
  await buffer.append(given(40, 2, { chunkId: 'one' }))
  await buffer.append(given(42, 1, { chunkId: 'two' }))
  assert.deepEqual(
    await idsIn(buffer),
    [40, 41, 42].map((index) => `${BASE_TEXT}.${index}`),
  )
  await buffer.close()
})

test('a stream with the same ids is not stored twice, also not after a restart', async () => {
  for (const isClosedFirst of [true, false]) {
    using folder = temporaryFolder()
    const first = await openBuffer(folder.path, { outputs: ['out'] })
    await first.append(given(0, 3))
    await first.append(given(0, 3))
    assert.equal(first.status().next, 3)
    // Left open, its chunk is not sealed: the next start goes through it.
    if (isClosedFirst) await first.close()
    const again = isClosedFirst ? await openBuffer(folder.path, { outputs: ['out'] }) : await reopened(folder.path)
    await again.append(given(0, 3))
    assert.equal(again.status().next, 3)
    await again.close()
    if (!isClosedFirst) await first.close()
  }
})

/** Opens a copy, as after a kill: the lock is held by this process. */
async function reopened(path: string): Promise<EventBuffer> {
  const copy = `${path}/copy`
  await cp(`${path}/chunks`, `${copy}/chunks`, { recursive: true })
  await cp(`${path}/FORMAT`, `${copy}/FORMAT`)
  return openBuffer(copy, { outputs: ['out'] })
}

test('other events of the same ids are stored: of another tag, or more of them', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path, { outputs: ['out'] })
  await buffer.append(given(0, 3))
  await buffer.append(given(0, 3, { tag: 'audit' }))
  await buffer.append(given(0, 2))
  assert.equal(buffer.status().next, 8)
  await buffer.close()
})

test('a message from the spool keeps the ids it was given', async () => {
  using folder = temporaryFolder()
  const buffer = await openBuffer(folder.path, { outputs: ['out'] })
  const spool = await buffer.spool()
  await spool.write(stream(0, 2).packed as Uint8Array, 2)
  await spool.write(stream(2, 1).packed as Uint8Array, 1)
  const packed = await spool.finish()
  await buffer.append({ ...given(7, 3), packed })
  assert.deepEqual(
    await idsIn(buffer),
    [7, 8, 9].map((index) => `${BASE_TEXT}.${index}`),
  )
  await buffer.close()
})
