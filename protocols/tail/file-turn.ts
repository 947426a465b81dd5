/** What one file gets when it is its turn: it is read to its end, or as far as fairness allows. */
import { realpath } from 'node:fs/promises'
import type { InputContext } from '../protocol.ts'
import type { BlockReader } from './block-reader.ts'
import type { BlockEnd } from './decoder.ts'
import { createdSince, findSiblings, openCopy, openToRead } from './find-files.ts'
import { LIMITS } from './limits.ts'
import { placeAt, startOf } from './place.ts'
import type { FileKey, TailedFile } from './tailed-file.ts'

/** `waits`: there is no more just now. `again`: there is, and others come first. `done`: there never will be. */
export type TurnResult = 'waits' | 'again' | 'done'

export interface TurnOptions {
  readonly context: InputContext
  readonly rotateWaitMs: number
  /** How long an event waits for further lines. */
  readonly flushMs: number
  readonly closing: AbortSignal
  readonly isFollowed: (key: FileKey) => boolean
}

/** Rejects with what reading or storing rejected with; then nothing was passed over. */
export async function takeTurn(file: TailedFile, reader: BlockReader, options: TurnOptions): Promise<TurnResult> {
  if (file.predecessor !== undefined && !file.predecessor.caughtUp) return 'waits'
  let blockEnd: BlockEnd = 'open'
  for (let blocks = 0; blocks < LIMITS.blocksInTurn; blocks += 1) {
    if (options.closing.aborted) return 'waits'
    file.changed = false
    const result = await reader.read(file, file.copies.length === 0 ? blockEnd : 'final')
    if (result === 'replaced') await beginAnew(file, options)
    else if (result === 'end') {
      if (file.copies.length > 0) {
        await leaveCopy(file)
        continue
      }
      file.caughtUp = true
      if (blockEnd === 'final') return 'done'
      // Only what was just seen to have no more is ended.
      blockEnd = blockEnd === 'open' ? endOf(file, options) : 'open'
      if (blockEnd === 'open' && !file.changed) return 'waits'
    }
  }
  return 'again'
}

function endOf(file: TailedFile, { context, rotateWaitMs, flushMs }: TurnOptions): BlockEnd {
  const now = context.clock.monotonic()
  const { rotatedMs, grownMs } = file
  if (rotatedMs !== undefined && now - Math.max(rotatedMs, grownMs) >= rotateWaitMs) return 'final'
  return file.seen > startOf(file.place) && now - grownMs >= flushMs ? 'idle' : 'open'
}

/**
 * The file was truncated, or its inode is another file's now. What was not read of the old content is in the copy, if
 * the rotation has made one; it is read to its end first. The mark stays at the old content until something of the new
 * is stored: after a crash the copy is found again, and read on from where it was.
 */
async function beginAnew(file: TailedFile, { context, isFollowed }: TurnOptions): Promise<void> {
  if (file.copies.length > 0) return leaveCopy(file)
  const real = await realpath(file.path).catch(() => file.path)
  const siblings = await findSiblings(real).catch(() => [])
  const others = siblings.filter(({ key }) => !isFollowed(key))
  const copy = await openCopy(others, file.place)
  const rest = copy === undefined ? 'there is no copy of what it held' : 'the rest is read from its copy'
  context.log.info({ path: file.path }, `${file.path} was truncated or replaced: ${rest}`)
  if (copy === undefined) return restart(file)
  const later = await Promise.allSettled(
    createdSince(others, real, copy.file.bornMs).map(({ path }) => openToRead(path)),
  )
  file.copies = [copy.handle, ...later.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))]
}

async function leaveCopy(file: TailedFile): Promise<void> {
  const copy = file.copies.shift()
  restart(file)
  await copy?.close()
}

function restart(file: TailedFile): void {
  file.place = placeAt(0)
  file.caughtUp = false
}
