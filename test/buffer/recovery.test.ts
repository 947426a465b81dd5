/**
 * What becomes of a buffer that was not closed, was cut, or was damaged: every acknowledged event that can be read is
 * read.
 */
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import type { RecoveryReport } from '../../buffer/buffer.ts'
import { drain, quickFileSystem as files, keptLog, openBuffer, readerOf, stream, temporaryFolder } from './harness.ts'

interface Found {
  readonly numbers: number[]
  readonly report: RecoveryReport
  readonly next: number
  readonly damagedByReader: number
}

/** Opens what is there, reads all of it, and adds one event more, which must be readable too. */
async function recoverAndRead(folder: string): Promise<Found> {
  const buffer = await openBuffer(folder, { files })
  const { recovered: report, next } = buffer.status()
  const reader = await readerOf(buffer, 'out', { files })
  const numbers = await drain(reader)
  await buffer.append(stream(999_999, 1))
  assert.deepEqual(await drain(reader), [999_999], 'the buffer goes on')
  const damagedByReader = reader.status().damagedEvents
  await reader.close()
  await buffer.close()
  return { numbers, report, next, damagedByReader }
}

/**
 * A buffer as a crash leaves it: each stream its own group, nothing closed. `chunkSizeBytes` decides over how many
 * files.
 */
async function crashed(folder: string, options: { streams: number; chunkSizeBytes?: number }): Promise<string> {
  const live = path.join(folder, 'live')
  const buffer = await openBuffer(live, { files, chunkSizeBytes: options.chunkSizeBytes ?? 1 << 20 })
  for (let index = 0; index < options.streams; index++)
    await buffer.append(stream(index * 2, 2, { chunkId: `c${index}` }))
  const copy = path.join(folder, 'crashed')
  copyBuffer(live, copy)
  await buffer.close()
  return copy
}

function copyBuffer(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to)
  for (const name of ['FORMAT', 'chunks', 'cursors']) {
    if (existsSync(path.join(from, name))) cpSync(path.join(from, name), path.join(to, name), { recursive: true })
  }
}

function chunkFiles(folder: string): string[] {
  return readdirSync(path.join(folder, 'chunks'))
    .sort()
    .map((name) => path.join(folder, 'chunks', name))
}

function change(file: string, act: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = readFileSync(file)
  writeFileSync(file, act(bytes) ?? bytes)
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

const CLEAN = { tornBytes: 0, damagedFrames: 0, damagedEvents: 0, quarantined: [] }

/** Of one stream of two entries with a chunk id: 32 + 42 + 49, padded. */
const FRAME_BYTES = 128

describe('damages', () => {
  /** Six events in three groups of one stream, in one chunk that was not closed, unless the row says otherwise. */
  const rows: {
    title: string
    chunkSizeBytes?: number
    damage: (folder: string, chunks: string[]) => void
    numbers: number[]
    report: Partial<RecoveryReport>
  }[] = [
    { title: 'nothing', damage: () => {}, numbers: upTo(6), report: {} },
    {
      title: 'zeros behind the last COMMIT',
      damage: (_, [chunk]) => change(chunk!, (bytes) => Buffer.concat([bytes, Buffer.alloc(100)])),
      numbers: upTo(6),
      report: { tornBytes: 100 },
    },
    {
      title: 'garbage behind the last COMMIT',
      damage: (_, [chunk]) => change(chunk!, (bytes) => Buffer.concat([bytes, Buffer.alloc(1_001, 0x0c)])),
      numbers: upTo(6),
      report: { tornBytes: 1_001 },
    },
    {
      title: 'the last COMMIT cut off: its group was never acknowledged',
      damage: (_, [chunk]) => change(chunk!, (bytes) => bytes.subarray(0, -32)),
      numbers: upTo(4),
      report: { tornBytes: FRAME_BYTES },
    },
    {
      title: 'a payload in the middle',
      damage: (_, [chunk]) => change(chunk!, (bytes) => void (bytes[64 + 32 + 3]! ^= 4)),
      numbers: [2, 3, 4, 5],
      report: { damagedFrames: 1, damagedEvents: 2 },
    },
    {
      title: 'a frame header in the middle',
      damage: (_, [chunk]) => change(chunk!, (bytes) => void (bytes[64 + 4]! ^= 4)),
      numbers: [2, 3, 4, 5],
      report: { damagedFrames: 1, damagedEvents: 2 },
    },
    {
      title: 'a COMMIT in the middle costs nothing',
      damage: (_, [chunk]) => change(chunk!, (bytes) => void (bytes[64 + FRAME_BYTES + 8]! ^= 4)),
      numbers: upTo(6),
      report: { damagedFrames: 1, damagedEvents: 0 },
    },
    {
      title: 'the chunk header costs nothing',
      damage: (_, [chunk]) => change(chunk!, (bytes) => void bytes.fill(0xff, 0, 64)),
      numbers: upTo(6),
      report: { damagedFrames: 1, damagedEvents: 0 },
    },
    {
      title: 'a chunk of which only a part of the header was written',
      damage: (folder, [chunk]) => {
        change(chunk!, (bytes) => bytes)
        writeFileSync(path.join(folder, 'chunks', '0000000000000006.chunk'), Buffer.alloc(10))
      },
      numbers: upTo(6),
      report: { tornBytes: 10 },
    },
    {
      title: 'an empty chunk file',
      damage: (folder) => writeFileSync(path.join(folder, 'chunks', '0000000000000006.chunk'), ''),
      numbers: upTo(6),
      report: {},
    },
    {
      title: 'a chunk that is garbage',
      chunkSizeBytes: 64,
      damage: (_, chunks) => change(chunks[1]!, (bytes) => Buffer.alloc(bytes.length, 0x0c)),
      numbers: [0, 1, 4, 5],
      report: { damagedEvents: 2, quarantined: ['0000000000000002.chunk'] },
    },
    {
      title: 'the oldest chunk is garbage',
      chunkSizeBytes: 64,
      damage: (_, chunks) => change(chunks[0]!, (bytes) => Buffer.alloc(bytes.length, 0x0c)),
      numbers: [2, 3, 4, 5],
      report: { damagedEvents: 2, quarantined: ['0000000000000000.chunk'] },
    },
    {
      title: 'the newest chunk is garbage: its positions are not used again',
      chunkSizeBytes: 64,
      damage: (_, chunks) => change(chunks[2]!, (bytes) => Buffer.alloc(bytes.length, 0x0c)),
      numbers: [0, 1, 2, 3],
      report: { quarantined: ['0000000000000004.chunk'] },
    },
    {
      title: 'a chunk file is missing',
      chunkSizeBytes: 64,
      damage: (_, chunks) => rmSync(chunks[1]!),
      numbers: [0, 1, 4, 5],
      report: { damagedEvents: 2 },
    },
    {
      title: 'a chunk file under a wrong name is not trusted',
      chunkSizeBytes: 64,
      damage: (folder, chunks) => renameSync(chunks[1]!, path.join(folder, 'chunks', '0000000000000003.chunk')),
      numbers: [0, 1, 4, 5],
      report: { damagedEvents: 2, quarantined: ['0000000000000003.chunk'] },
    },
    {
      title: 'an older chunk without its SEAL',
      chunkSizeBytes: 64,
      damage: (_, chunks) => change(chunks[0]!, (bytes) => bytes.subarray(0, -32)),
      numbers: upTo(6),
      report: {},
    },
    {
      title: 'an older chunk without its last COMMIT: the next one proves that it was there',
      chunkSizeBytes: 64,
      damage: (_, chunks) => change(chunks[0]!, (bytes) => bytes.subarray(0, -64)),
      numbers: upTo(6),
      report: {},
    },
    {
      title: 'FORMAT is missing',
      damage: (folder) => rmSync(path.join(folder, 'FORMAT')),
      numbers: upTo(6),
      report: {},
    },
    {
      title: 'FORMAT is damaged',
      damage: (folder) => change(path.join(folder, 'FORMAT'), (bytes) => void (bytes[20]! ^= 1)),
      numbers: upTo(6),
      report: {},
    },
    {
      title: 'other files lie about',
      damage: (folder) => writeFileSync(path.join(folder, 'chunks', 'notes.txt'), 'mine'),
      numbers: upTo(6),
      report: {},
    },
  ]
  for (const { title, chunkSizeBytes, damage, numbers, report } of rows) {
    test(title, async () => {
      using folder = temporaryFolder()
      const copy = await crashed(folder.path, { streams: 3, ...(chunkSizeBytes && { chunkSizeBytes }) })
      damage(copy, chunkFiles(copy))
      const found = await recoverAndRead(copy)
      assert.deepEqual(found.numbers, numbers)
      assert.deepEqual(found.report, { ...CLEAN, ...report })
      assert.ok(found.next >= 4)
    })
  }
})

test('a message of which a frame is damaged is stored again when it is sent again', async () => {
  using folder = temporaryFolder()
  const copy = await crashed(folder.path, { streams: 3 })
  change(chunkFiles(copy)[0]!, (bytes) => void (bytes[64 + 32]! ^= 1))
  const buffer = await openBuffer(copy)
  for (let index = 0; index < 3; index++) await buffer.append(stream(index * 2, 2, { chunkId: `c${index}` }))
  assert.equal(buffer.status().duplicates, 2)
  const reader = await readerOf(buffer, 'out', { files })
  assert.deepEqual(await drain(reader), [2, 3, 4, 5, 0, 1])
  await reader.close()
  await buffer.close()
})

test('damaged bytes are kept in quarantine/, and the operator is told', async () => {
  using folder = temporaryFolder()
  const copy = await crashed(folder.path, { streams: 3 })
  change(chunkFiles(copy)[0]!, (bytes) => void (bytes[64 + 32]! ^= 1))
  const log = keptLog()
  await (await openBuffer(copy, { log })).close()
  assert.deepEqual(readdirSync(path.join(copy, 'quarantine')), ['0000000000000000.chunk.64.damaged'])
  assert.match(log.said.join('\n'), /0000000000000000\.chunk is damaged: 2 events cannot be read/)
})

test('a buffer of a newer version is not touched', async () => {
  using folder = temporaryFolder()
  writeFileSync(path.join(folder.path, 'FORMAT'), 'logboom-buffer 3\nwhat comes then\n')
  await assert.rejects(openBuffer(folder.path), { code: 'LB-B002' })
  assert.equal(readFileSync(path.join(folder.path, 'FORMAT'), 'utf8'), 'logboom-buffer 3\nwhat comes then\n')
  assert.equal(existsSync(path.join(folder.path, 'chunks')), false)
})

test('positions are not used again when all was delivered and deleted', async () => {
  using folder = temporaryFolder()
  const first = await openBuffer(folder.path, { chunkSizeBytes: 64 })
  for (let index = 0; index < 3; index++) await first.append(stream(index, 1))
  await first.close()
  for (const chunk of chunkFiles(folder.path).slice(0, -1)) rmSync(chunk)
  const second = await openBuffer(folder.path)
  assert.equal(second.status().next, 3)
  await second.close()
})

test('a buffer whose chunks were all taken away gets another id, so that no event id comes twice', async () => {
  using folder = temporaryFolder()
  const ids: string[] = []
  for (let round = 0; round < 2; round++) {
    const buffer = await openBuffer(folder.path)
    await buffer.append(stream(round, 1))
    const reader = await readerOf(buffer, 'out', { files })
    const batch = await reader.read({ maxBytes: 1, maxEvents: 1, maxAgeMs: 0 }, new AbortController().signal)
    ids.push(batch.streams[0]!.idBase)
    await reader.close()
    await buffer.close()
    for (const chunk of chunkFiles(folder.path)) rmSync(chunk)
  }
  assert.notEqual(ids[0], ids[1])
})
