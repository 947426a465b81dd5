/**
 * The format on disk does not change by accident: a golden file of version 2 is written and read byte for byte, and one
 * of version 1 is read.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { createChunk } from '../../buffer/chunk-file.ts'
import {
  decodeChunkHeader,
  emptyFrameHeader,
  encodeChunkHeader,
  FRAME_HEADER_BYTES,
  findFrame,
  firstOfChunkFile,
  getU64,
  headerSeed,
  putU64,
  readFrameHeader,
  viewOf,
} from '../../buffer/chunk-format.ts'
import { Duplicates } from '../../buffer/duplicates.ts'
import { nodeFileSystem } from '../../buffer/file-system.ts'
import { Intake } from '../../buffer/intake.ts'
import { Labels } from '../../buffer/labels.ts'
import {
  drain,
  idsOf,
  LIMITS,
  NO_SIGNAL,
  openBuffer,
  quickClock,
  readerOf,
  stream,
  temporaryFolder,
} from './harness.ts'

const goldenOf = (version: number) => path.join(import.meta.dirname, `../golden/buffer/v${version}.chunk`)
const GOLDEN = goldenOf(2)
const BUFFER_ID = Buffer.from('000102030405060708090a0b', 'hex')
const FIRST = 100
/**
 * Three groups: one stream; a message with a chunk id and a large stream that is not copied; one stream. Then a SEAL.
 */
const GROUPS = [
  [stream(0, 2)],
  [stream(2, 2, { tag: 'docker.nginx', chunkId: 'Y2h1bms=' }), stream(4, 1, { padBytes: 5_000 })],
  [stream(5, 3, { tag: 'app.db' })],
]

async function writeGolden(directory: string): Promise<Buffer> {
  const clock = quickClock(1_700_000_000_123)
  const place = { directory, bufferId: BUFFER_ID, number: 7, first: FIRST, createdMs: clock.now() }
  const chunk = await createChunk(nodeFileSystem, place)
  const intake = new Intake({
    labels: new Labels(BUFFER_ID, clock),
    duplicates: new Duplicates(),
    chunkSizeBytes: 1 << 20,
    maxSizeBytes: 1 << 30,
    copyAll: false,
    storedBytes: () => 0,
    onJob: () => {},
  })
  let next = FIRST
  for (const group of GROUPS) {
    for (const each of group) void intake.append(each)
    const job = intake.takeJob()!
    next = await job.write(chunk, next, headerSeed(BUFFER_ID))
    chunk.noteMessages(job.ids)
  }
  await chunk.seal(next, headerSeed(BUFFER_ID))
  await chunk.close()
  return readFileSync(path.join(directory, '0000000000000064.chunk'))
}

test('a chunk of version 2 is written as it always was', async () => {
  using folder = temporaryFolder()
  const written = await writeGolden(folder.path)
  if (process.env.UPDATE_GOLDEN !== undefined) writeFileSync(GOLDEN, written)
  assert.ok(written.equals(readFileSync(GOLDEN)), 'the bytes differ from test/golden/buffer/v2.chunk')
})

for (const version of [1, 2]) {
  test(`a chunk of version ${version} is read as it always was`, () => readGolden(version))
}

test('a buffer of version 1 is marked as of version 2 before a chunk of that is written', async () => {
  using folder = temporaryFolder()
  mkdirSync(path.join(folder.path, 'chunks'))
  cpSync(goldenOf(1), path.join(folder.path, 'chunks/0000000000000064.chunk'))
  const lines = `logboom-buffer 1\nid ${BUFFER_ID.toString('hex')}\nfloor 0\n`
  writeFileSync(path.join(folder.path, 'FORMAT'), `${lines}crc ${crc32(lines).toString(16).padStart(8, '0')}\n`)
  const buffer = await openBuffer(folder.path)
  assert.match(
    readFileSync(path.join(folder.path, 'FORMAT'), 'latin1'),
    /^logboom-buffer 2\nid 000102030405060708090a0b\n/,
  )
  await buffer.append(stream(8, 1))
  const reader = await readerOf(buffer)
  assert.deepEqual(await drain(reader), [0, 1, 2, 3, 4, 5, 6, 7, 8])
  await reader.close()
  await buffer.close()
})

async function readGolden(version: number): Promise<void> {
  using folder = temporaryFolder()
  mkdirSync(path.join(folder.path, 'chunks'))
  cpSync(goldenOf(version), path.join(folder.path, 'chunks/0000000000000064.chunk'))
  const buffer = await openBuffer(folder.path)
  const reader = await readerOf(buffer)
  const batch = await reader.read(LIMITS, NO_SIGNAL)
  assert.deepEqual(
    batch.streams.map((part) => [part.tag, part.position, part.count, part.receivedMs]),
    [
      ['app.web', 100, 2, 1_700_000_000_123],
      ['docker.nginx', 102, 2, 1_700_000_000_123],
      ['app.web', 104, 1, 1_700_000_000_123],
      ['app.db', 105, 3, 1_700_000_000_123],
    ],
  )
  for (const [index, part] of batch.streams.entries()) {
    assert.ok(Buffer.from(GROUPS.flat()[index]!.packed as Buffer).equals(part.packed))
  }
  assert.deepEqual(idsOf(batch).slice(0, 4), [
    'AAECAwQFBgcICQoL.100',
    'AAECAwQFBgcICQoL.101',
    'OZoOZIsXpUKXtMSc.0',
    'OZoOZIsXpUKXtMSc.1',
  ])
  reader.commit(batch)
  assert.deepEqual(await drain(reader), [])
  // What the chunk holds is known, whether its end tells it or it was gone through.
  await buffer.append(GROUPS[1]![0]!)
  assert.equal(buffer.status().duplicates, 1)
  await reader.close()
  await buffer.close()
}

test('the header of a chunk survives the way there and back', () => {
  const header = { bufferId: BUFFER_ID, number: 3, first: 2 ** 40 + 5, createdMs: 1_700_000_000_123 }
  const { bufferId, ...rest } = decodeChunkHeader(encodeChunkHeader(header))!
  assert.deepEqual({ ...rest, bufferId: Buffer.from(bufferId) }, { version: 2, ...header })
})

test('a header with one bit changed is no header', () => {
  const bytes = encodeChunkHeader({ bufferId: BUFFER_ID, number: 3, first: 5, createdMs: 1 })
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Buffer.from(bytes)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    assert.equal(decodeChunkHeader(damaged), undefined, `bit ${bit}`)
  }
})

test('numbers up to 2^53 are kept exactly', () => {
  const view = viewOf(Buffer.alloc(8))
  for (const number of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]) {
    putU64(view, 0, number)
    assert.equal(getU64(view, 0), number)
  }
})

test('only whole names are chunk files', () => {
  const names = ['0000000000000064.chunk', '64.chunk', '0000000000000064.chunk.tmp', 'ffffffffffffffff.chunk', 'x']
  assert.deepEqual(names.map(firstOfChunkFile), [100, undefined, undefined, undefined, undefined])
})

test('a frame that a client has put into its payload is not taken for one', () => {
  const golden = readFileSync(GOLDEN)
  const header = emptyFrameHeader()
  const foreign = Buffer.concat([Buffer.alloc(8), golden.subarray(64)])
  const range = { from: 0, to: foreign.length, position: 0 }
  const view = viewOf(foreign)
  assert.equal(findFrame(foreign, view, { ...range, seed: headerSeed(BUFFER_ID) }, header), 8)
  assert.equal(findFrame(foreign, view, { ...range, seed: headerSeed(Buffer.alloc(12)) }, header), -1)
})

test('the CRC of a COMMIT covers the CRCs of its frames', () => {
  const golden = readFileSync(GOLDEN)
  const header = emptyFrameHeader()
  const frame = 64
  readFrameHeader(golden, viewOf(golden), frame, headerSeed(BUFFER_ID), header)
  const covered = golden.subarray(frame + 24, frame + FRAME_HEADER_BYTES)
  const commit = frame + FRAME_HEADER_BYTES + ((header.payloadBytes + 7) & ~7)
  assert.equal(golden.readUInt32LE(commit + 28), crc32(covered))
})
