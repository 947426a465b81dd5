/**
 * Looks into a buffer without its lock and changes nothing in it: a stopped one, or a copy. Beside a process that runs,
 * chunks may go while they are looked at, and the newest may seem torn.
 */
import path from 'node:path'
import { LogboomError } from '../server/core/errors.ts'
import type { Batch, Position } from '../server/core/event.ts'
import { BatchBuilder, IdBases, TagTable } from './batch-builder.ts'
import { BlockPool } from './block-pool.ts'
import { readChunkEnd } from './chunk-end.ts'
import { CHUNK_HEADER_BYTES, chunkFileName, headerSeed } from './chunk-format.ts'
import { type ChunkScan, createScanMemory, scanChunk } from './chunk-scan.ts'
import { cursorDirectory, readCursor } from './cursor-file.ts'
import { type FileSystem, nodeFileSystem, type OpenFile } from './file-system.ts'
import { FrameSource } from './frame-source.ts'
import { chunkDirectory, type FoundChunk, findChunks, findFormat } from './recovery.ts'
import { SharedPosition } from './shared-position.ts'

/** Bounds of what is handed out at a time. */
const BATCH_EVENTS_MAX = 1_000
const BATCH_BYTES_MAX = 4 * 1024 * 1024

export interface OfflineChunk {
  readonly file: string
  readonly first: Position
  /** The position behind its last event. */
  readonly next: Position
  readonly bytes: number
  /** When it was made, ms since 1970; undefined when its header cannot be read. */
  readonly createdMs: number | undefined
  readonly isSealed: boolean
  /** Outputs that are not done with it. */
  readonly heldBy: readonly string[]
}

export interface OfflineBuffer {
  readonly path: string
  readonly bufferId: Uint8Array
  /** Oldest first. */
  readonly chunks: readonly OfflineChunk[]
  readonly cursors: readonly { readonly output: string; readonly cursor: Position }[]
}

export interface ChunkVerdict {
  readonly frames: number
  /** Events that can be read, and those that cannot. */
  readonly events: number
  readonly damagedEvents: number
  /** Places that are damaged, also those that cost no event. */
  readonly damages: number
  /** Bytes behind the last COMMIT: never acknowledged. */
  readonly tornBytes: number
}

/** Throws LogboomError LB-B007 when there is no buffer, LB-B002 when a newer version wrote it. */
export async function lookAtBuffer(bufferPath: string, files: FileSystem = nodeFileSystem): Promise<OfflineBuffer> {
  const found = await findChunks(files, bufferPath)
  const format = await findFormat(files, bufferPath, found)
  if (!format.onDisk && found.every(({ header }) => header === undefined))
    throw new LogboomError('LB-B007', { path: bufferPath })
  const cursors = await findCursors(files, bufferPath)
  const chunks: OfflineChunk[] = []
  for (const [index, chunk] of found.entries()) {
    const file = chunkFileName(chunk.first)
    const end = await endOf(files, { bufferPath, chunk, newer: found[index + 1] }, headerSeed(format.bufferId))
    const heldBy = cursors.filter(({ cursor }) => cursor < end.next).map(({ output }) => output)
    chunks.push({ file, first: chunk.first, bytes: chunk.bytes, createdMs: chunk.header?.createdMs, heldBy, ...end })
  }
  return { path: bufferPath, bufferId: format.bufferId, chunks, cursors }
}

/** Checks every byte of a chunk. Throws what the disk throws. */
export async function verifyChunk(
  buffer: OfflineBuffer,
  chunk: OfflineChunk,
  files: FileSystem = nodeFileSystem,
): Promise<ChunkVerdict> {
  const newer = buffer.chunks.find(({ first }) => first > chunk.first)
  const scan = await withFile(files, path.join(chunkDirectory(buffer.path), chunk.file), (file) =>
    scanChunk(file, {
      seed: headerSeed(buffer.bufferId),
      first: chunk.first,
      end: newer?.first,
      verifyPayloads: true,
      wantMessages: false,
      memory: createScanMemory(),
    }),
  )
  const isUnborn = newer === undefined && chunk.bytes <= CHUNK_HEADER_BYTES
  const hasBadHeader = chunk.createdMs === undefined && !isUnborn
  return {
    frames: scan.frames,
    events: scan.next - chunk.first - scan.damagedEvents,
    damagedEvents: scan.damagedEvents,
    damages: scan.damages.length + (hasBadHeader ? 1 : 0),
    tornBytes: Math.max(0, scan.fileBytes - scan.committedBytes),
  }
}

export interface EventRange {
  readonly from: Position
  /** Excluded. */
  readonly to: Position
}

/** The events of a range, in order. A batch is valid until the next is asked for; its last events may lie behind. */
export async function* readEvents(
  buffer: OfflineBuffer,
  range: EventRange,
  files: FileSystem = nodeFileSystem,
): AsyncGenerator<Batch, { readonly damagedEvents: number }> {
  const oldest = buffer.chunks[0]?.first ?? 0
  const shared = new SharedPosition()
  const next = Math.min(range.to, buffer.chunks.at(-1)?.next ?? 0)
  shared.publish({ next, oldest, activeFirst: -1, activeBytes: 0 })
  const pool = new BlockPool()
  const directory = chunkDirectory(buffer.path)
  const position = Math.max(range.from, oldest)
  const source = new FrameSource({ files, directory, seed: headerSeed(buffer.bufferId), shared, pool, position })
  const tags = new TagTable(() => true)
  const ids = new IdBases()
  try {
    for (let more = true; more; ) {
      const builder = new BatchBuilder(source.position, tags, ids)
      const isFull = () => builder.count >= BATCH_EVENTS_MAX || builder.bytes >= BATCH_BYTES_MAX
      while (!isFull() && more) {
        if (source.next()) builder.take(source, source.position - source.header.count + source.skip, source.position)
        else more = await source.more()
      }
      if (builder.count > 0) yield builder.batch(source.position)
      for (const block of builder.blocks) pool.release(block)
    }
    return { damagedEvents: source.damagedEvents }
  } finally {
    await source.close()
  }
}

async function findCursors(files: FileSystem, bufferPath: string): Promise<OfflineBuffer['cursors']> {
  const cursors: { output: string; cursor: Position }[] = []
  for (const name of await files.list(cursorDirectory(bufferPath))) {
    if (!name.endsWith('.cursor')) continue
    const record = await readCursor(files, path.join(cursorDirectory(bufferPath), name))
    const output = decodeURIComponent(name.slice(0, -'.cursor'.length))
    cursors.push({ output, cursor: record?.cursor ?? 0 })
  }
  return cursors
}

interface ChunkPlace {
  readonly bufferPath: string
  readonly chunk: FoundChunk
  readonly newer: FoundChunk | undefined
}

async function endOf(
  files: FileSystem,
  { bufferPath, chunk, newer }: ChunkPlace,
  seed: number,
): Promise<{ next: Position; isSealed: boolean }> {
  const { first, bytes: size } = chunk
  return withFile(files, path.join(chunkDirectory(bufferPath), chunkFileName(first)), async (file) => {
    const end = await readChunkEnd(file, { size, seed, wantMessages: false })
    if (newer !== undefined) return { next: newer.first, isSealed: end !== undefined }
    if (end !== undefined) return { next: end.next, isSealed: true }
    const options = { seed, first, end: undefined, verifyPayloads: false, wantMessages: false }
    const scan: ChunkScan = await scanChunk(file, { ...options, memory: createScanMemory() })
    return { next: scan.next, isSealed: false }
  })
}

async function withFile<T>(files: FileSystem, name: string, act: (file: OpenFile) => Promise<T>): Promise<T> {
  const file = await files.open(name, 'read')
  try {
    return await act(file)
  } finally {
    await file.close()
  }
}
