/**
 * What recovery does to the chunk that was written last. A process that was killed has left pages that no sync has
 * covered, or that a failed sync has marked clean: reading them proves nothing about the disk. So what was written last
 * is written again and synced, before anything in it is acknowledged or handed out.
 */
import { failpoint } from '../server/core/failpoints.ts'
import { encodeChunkEnd } from './chunk-end.ts'
import type { ChunkScan } from './chunk-scan.ts'
import { REMEMBERED_MESSAGES_MIN } from './duplicates.ts'
import { type OpenFile, readDespiteErrors } from './file-system.ts'

const COPY_BYTES = 1024 * 1024

/** Cuts off what follows the last COMMIT: it was never acknowledged. Throws what the disk throws. */
export async function cutTail(file: OpenFile, scan: ChunkScan): Promise<void> {
  await failpoint('recovery.before-truncate')
  await file.truncate(scan.committedBytes)
  await failpoint('recovery.after-truncate')
  await file.syncData()
}

/**
 * Writes the last group again, as it was read, and syncs it. Every group before it was synced before it was begun.
 * Throws what the disk throws: then nobody knows whether the group is durable.
 */
export async function makeDurable(file: OpenFile, scan: ChunkScan): Promise<void> {
  const memory = Buffer.alloc(Math.min(COPY_BYTES, scan.committedBytes - scan.lastGroup.offset))
  for (let at = scan.lastGroup.offset; at < scan.committedBytes; at += memory.length) {
    const bytes = memory.subarray(0, Math.min(memory.length, scan.committedBytes - at))
    const read = await readDespiteErrors(file, bytes, at)
    await writeFully(file, bytes.subarray(0, read), at)
  }
  await failpoint('recovery.before-sync')
  await file.syncData()
}

/** Closes the chunk in good order, so that the next start need not go through it. Returns its length in bytes. */
export async function sealRecovered(file: OpenFile, scan: ChunkScan, seed: number): Promise<number> {
  const messages = scan.messages.slice(-REMEMBERED_MESSAGES_MIN)
  const end = encodeChunkEnd({ next: scan.next, messages, marks: scan.marks.length }, seed)
  try {
    await writeFully(file, end, scan.committedBytes)
  } catch (error) {
    await file.truncate(scan.committedBytes)
    throw error
  }
  await file.syncData()
  return scan.committedBytes + end.length
}

async function writeFully(file: OpenFile, bytes: Uint8Array, offset: number): Promise<void> {
  if ((await file.write([bytes], offset)) !== bytes.length) throw new Error('short write: is the disk full?')
}
