/**
 * Every byte of a small buffer is damaged, every file cut at many lengths, zeros and garbage put behind each: what is
 * lost is what was hit, it is counted, and the buffer goes on.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RecoveryReport } from '../../buffer/buffer.ts'
import {
  CHUNK_HEADER_BYTES,
  COMMIT,
  decodeChunkHeader,
  emptyFrameHeader,
  FRAME_HEADER_BYTES,
  frameBytes,
  headerSeed,
  readFrameHeader,
  STREAM,
  viewOf,
} from '../../buffer/chunk-format.ts'
import { reportFault } from '../faults/report.ts'
import { numbersAt } from './durability-machine.ts'
import { drain, keptLog, numbersIn, openBuffer, quickClock, readerOf, stream } from './harness.ts'
import { MemoryDisk } from './memory-file-system.ts'

const CHUNK_SIZE_BYTES = 560
const EVENTS = 12
/** Comes by each byte of a frame's header, since frames begin at multiples of 8. */
const CUT_STEP = 3
const ALL = Array.from({ length: EVENTS }, (_, index) => index)

type Files = ReadonlyMap<string, Buffer>

/** Twelve events in eight streams and four groups, in several chunks; the last is sealed only if it was closed. */
async function filled({ closed }: { closed: boolean }): Promise<Files> {
  const disk = new MemoryDisk(1)
  const files = disk.mount()
  const buffer = await openBuffer('/b', { files, clock: quickClock(), chunkSizeBytes: CHUNK_SIZE_BYTES })
  for (let first = 0; first < EVENTS; first += 3) {
    await Promise.all([buffer.append(stream(first, 2, { chunkId: `c${first}` })), buffer.append(stream(first + 2, 1))])
  }
  if (closed) await buffer.close()
  else disk.crash('kill')
  return new Map(
    [...disk.names].filter(([name]) => !name.endsWith('OWNER')).map(([name, inode]) => [name, inode.read()]),
  )
}

interface Found {
  readonly numbers: number[]
  readonly report: RecoveryReport
  readonly damagedByReader: number
  readonly said: string
}

/** Opens what is there, reads all of it, and adds one event more, which must be readable too. */
async function recoverAndRead(content: Files): Promise<Found> {
  const disk = new MemoryDisk(1)
  for (const [name, bytes] of content) disk.put(name, bytes)
  const files = disk.mount()
  const log = keptLog()
  const buffer = await openBuffer('/b', { files, clock: quickClock(), log })
  const { recovered: report } = buffer.status()
  const reader = await readerOf(buffer, 'out', { files, clock: quickClock() })
  const numbers = await drain(reader)
  const damagedByReader = reader.status().damagedEvents
  await buffer.append(stream(999_999, 1))
  assert.deepEqual(await drain(reader), [999_999], 'the buffer goes on')
  await reader.close()
  await buffer.close()
  return { numbers, report, damagedByReader, said: log.said.join('\n') }
}

function changed(content: Files, name: string, change: (bytes: Buffer) => Buffer): Files {
  return new Map(content).set(name, change(Buffer.from(content.get(name)!)))
}

function chunksOf(content: Files): string[] {
  return [...content.keys()].filter((name) => name.endsWith('.chunk')).sort()
}

/** A crash leaves only the newest chunk otherwise than a close does. */
function hitIn(chunks: readonly string[], closed: boolean): readonly string[] {
  return closed ? chunks : chunks.slice(-1)
}

function missingFrom(numbers: readonly number[]): number[] {
  return ALL.filter((number) => !numbers.includes(number))
}

/** Events of a chunk that is cut: of the frames that are whole, and of the groups that are. */
function leftOf(chunk: Buffer, length: number): { inFrames: number[]; inGroups: number[] } {
  const seed = headerSeed(decodeChunkHeader(chunk)!.bufferId)
  const header = emptyFrameHeader()
  const inFrames: number[] = []
  let inGroups: number[] = []
  for (let at = CHUNK_HEADER_BYTES; at + FRAME_HEADER_BYTES <= length; at += frameBytes(header)) {
    assert.ok(readFrameHeader(chunk, viewOf(chunk), at, seed, header))
    if (at + frameBytes(header) > length) break
    const packed = at + FRAME_HEADER_BYTES
    if (header.type === STREAM) inFrames.push(...numbersIn(chunk.subarray(packed, packed + header.packedBytes)))
    if (header.type === COMMIT) inGroups = [...inFrames]
  }
  return { inFrames, inGroups }
}

for (const closed of [true, false]) {
  describe(closed ? 'a buffer that was closed' : 'a buffer as a crash leaves it', () => {
    test('one bit that is flipped anywhere costs its frame at most, and that is counted', async () => {
      const whole = await filled({ closed })
      const chunks = chunksOf(whole)
      assert.ok(chunks.length >= 2, 'several chunks')
      let flips = 0
      for (const name of hitIn(chunks, closed)) {
        const bytes = whole.get(name)!
        for (let at = 0; at < bytes.length; at++) {
          const flip = (content: Buffer) => {
            content[at]! ^= 1 << (at % 8)
            return content
          }
          const { numbers, report, damagedByReader } = await recoverAndRead(changed(whole, name, flip))
          const where = `byte ${at} of ${name}`
          const lost = missingFrom(numbers)
          assert.equal(numbers.length + lost.length, EVENTS, `${where}: nothing comes twice`)
          if (lost.length > 0) assert.deepEqual(lost, numbersAt(bytes, at), where)
          assert.equal(damagedByReader, lost.length, `${where}: the reader counts`)
          const scanned = !closed && name === chunks.at(-1)
          if (scanned) assert.equal(report.damagedEvents, lost.length, `${where}: recovery counts`)
          else assert.ok(report.damagedEvents === 0 || report.damagedEvents === lost.length, where)
          assert.deepEqual(report.quarantined, [], where)
          flips += 1
        }
      }
      const note = 'nothing but the frame that was hit'
      reportFault({ fault: 'F12', tried: flips, acked: flips * EVENTS, lost: 0, doubled: 0, note })
    })

    test('a chunk that is cut anywhere gives what is whole, and what is missing is counted', async () => {
      const whole = await filled({ closed })
      const chunks = chunksOf(whole)
      let cuts = 0
      for (const name of hitIn(chunks, closed)) {
        const bytes = whole.get(name)!
        cuts += Math.ceil(bytes.length / CUT_STEP)
        const newest = name === chunks.at(-1)
        const all = leftOf(bytes, bytes.length).inFrames
        for (let length = 0; length < bytes.length; length += CUT_STEP) {
          const { numbers, report, damagedByReader } = await recoverAndRead(
            changed(whole, name, (content) => content.subarray(0, length)),
          )
          const { inFrames, inGroups } = leftOf(bytes, length)
          const left = length < CHUNK_HEADER_BYTES ? [] : newest ? inGroups : inFrames
          const where = `${name} cut at ${length}`
          assert.deepEqual(
            missingFrom(numbers),
            all.filter((number) => !left.includes(number)),
            where,
          )
          // Of the oldest chunk, if it goes to quarantine, no reader hears.
          const counted = Math.max(report.damagedEvents, damagedByReader)
          if (!newest) assert.equal(counted, all.length - left.length, where)
        }
      }
      reportFault({ fault: 'F13', tried: cuts, acked: cuts * EVENTS, lost: 0, doubled: 0, note: 'nothing but the cut' })
    })

    test('zeros and garbage behind a chunk cost nothing', async () => {
      const whole = await filled({ closed })
      for (const name of chunksOf(whole)) {
        for (const more of [1, 7, 8, 31, 32, 33, 64, 511, 512, 5_000]) {
          for (const fill of [0, 0x0c, 0xff]) {
            const longer = changed(whole, name, (bytes) => Buffer.concat([bytes, Buffer.alloc(more, fill)]))
            const { numbers, report } = await recoverAndRead(longer)
            assert.deepEqual(numbers, ALL, `${more} bytes of ${fill} behind ${name}`)
            assert.equal(report.damagedEvents, 0)
          }
        }
      }
    })

    test('FORMAT damaged at any byte, cut at any length or gone costs nothing', async () => {
      const whole = await filled({ closed })
      const bytes = whole.get('/b/FORMAT')!
      for (let at = 0; at < bytes.length; at++) {
        const flip = (content: Buffer) => {
          content[at]! ^= 1 << (at % 8)
          return content
        }
        for (const change of [flip, (content: Buffer) => content.subarray(0, at)]) {
          const { numbers, report } = await recoverAndRead(changed(whole, '/b/FORMAT', change))
          assert.deepEqual([numbers, report.quarantined], [ALL, []], `byte ${at}`)
        }
      }
    })
  })
}
