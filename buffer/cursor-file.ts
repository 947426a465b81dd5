/**
 * An output's durable cursor: four slots of 4 KiB, written in turn, so that a torn write costs the newest record at
 * most and a full disk cannot stop it (and with it the deletion that frees the disk): the file never grows.
 *
 *   cursors/<output>.cursor                            slot, 4,096 bytes; all numbers little-endian
 *    0  4  magic "LBCU"                                 16  8  cursor: every event before it is done
 *    4  4  CRC-32 of bytes 8 to the end of the ranges   24  4  count of ranges    28  4  0
 *    8  8  number of the record, counting up            32  …  ranges done beyond the cursor: 8 from, 8 to (excluded)
 *
 * The record with the highest number counts. Without any, the output begins at the oldest event: duplicates, never
 * loss.
 */
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { failpoint } from '../server/core/failpoints.ts'
import { getU64, putU64, viewOf } from './chunk-format.ts'
import type { DoneRanges, Range } from './done-ranges.ts'
import { type FileSystem, type OpenFile, readSmallFile, replaceFile } from './file-system.ts'

const SLOT_BYTES = 4_096
const SLOTS = 4
const HEAD_BYTES = 32
const RANGE_BYTES = 16
/** Ranges beyond these are not kept: their events are delivered again after a restart. */
const RANGES_MAX = (SLOT_BYTES - HEAD_BYTES) / RANGE_BYTES
const MAGIC = 0x5543424c
const RENAME_FAILPOINTS = { before: 'cursor.before-rename', after: 'cursor.after-rename' } as const

interface CursorRecord {
  readonly number: number
  readonly cursor: number
  readonly ranges: readonly Range[]
}

export function cursorDirectory(bufferPath: string): string {
  return path.join(bufferPath, 'cursors')
}

export function cursorFileName(bufferPath: string, output: string): string {
  return path.join(cursorDirectory(bufferPath), `${encodeURIComponent(output)}.cursor`)
}

export function encodeCursor(record: CursorRecord): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES)
  const view = viewOf(slot)
  const ranges = record.ranges.slice(0, RANGES_MAX)
  view.setUint32(0, MAGIC, true)
  putU64(view, 8, record.number)
  putU64(view, 16, record.cursor)
  view.setUint32(24, ranges.length, true)
  ranges.forEach(({ from, to }, index) => {
    putU64(view, HEAD_BYTES + index * RANGE_BYTES, from)
    putU64(view, HEAD_BYTES + index * RANGE_BYTES + 8, to)
  })
  view.setUint32(4, crc32(slot.subarray(8, HEAD_BYTES + ranges.length * RANGE_BYTES)), true)
  return slot
}

function decodeCursor(slot: Uint8Array): CursorRecord | undefined {
  if (slot.length < SLOT_BYTES) return undefined
  const view = viewOf(slot)
  const count = view.getUint32(24, true)
  if (view.getUint32(0, true) !== MAGIC || count > RANGES_MAX) return undefined
  if (view.getUint32(4, true) !== crc32(slot.subarray(8, HEAD_BYTES + count * RANGE_BYTES))) return undefined
  const ranges = Array.from({ length: count }, (_, index) => {
    const at = HEAD_BYTES + index * RANGE_BYTES
    return { from: getU64(view, at), to: getU64(view, at + 8) }
  })
  return { number: getU64(view, 8), cursor: getU64(view, 16), ranges }
}

/** The newest record of a cursor file; undefined when there is no file or no valid record in it. */
export async function readCursor(files: FileSystem, file: string): Promise<CursorRecord | undefined> {
  const bytes = (await readSmallFile(files, file, SLOTS * SLOT_BYTES)) ?? Buffer.alloc(0)
  let newest: CursorRecord | undefined
  for (let at = 0; at < bytes.length; at += SLOT_BYTES) {
    const record = decodeCursor(bytes.subarray(at, at + SLOT_BYTES))
    if (record !== undefined && (newest === undefined || record.number > newest.number)) newest = record
  }
  return newest
}

/** Keeps one cursor on disk. One call of `store` at a time. */
export class CursorFile {
  readonly #files: FileSystem
  readonly #name: string
  #number: number
  #file: OpenFile | undefined
  /** There is no file yet, or it can no longer be trusted. */
  #mustReplace: boolean

  constructor(files: FileSystem, name: string, newest: CursorRecord | undefined) {
    this.#files = files
    this.#name = name
    this.#number = newest?.number ?? 0
    this.#mustReplace = newest === undefined
  }

  /** Resolves when it is durable. Throws when the disk does not take it; the next call makes a new file. */
  async store(done: DoneRanges): Promise<void> {
    this.#number += 1
    const slot = encodeCursor({ number: this.#number, cursor: done.cursor, ranges: done.ranges })
    if (this.#mustReplace) return this.#replace(slot)
    try {
      this.#file ??= await this.#open()
      const written = await this.#file.write([slot], (this.#number % SLOTS) * SLOT_BYTES)
      if (written !== slot.length) throw new Error('short write: is the disk full?')
      await failpoint('cursor.after-write')
      await this.#file.syncData()
    } catch (error) {
      await this.close()
      this.#mustReplace = true
      throw error
    }
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close().catch(() => {})
  }

  async #open(): Promise<OpenFile> {
    // A process that was killed may have left the name without making it durable.
    await this.#files.syncDirectory(path.dirname(this.#name))
    return this.#files.open(this.#name, 'write')
  }

  async #replace(slot: Buffer): Promise<void> {
    const content = Buffer.alloc(SLOTS * SLOT_BYTES)
    content.set(slot, (this.#number % SLOTS) * SLOT_BYTES)
    await replaceFile(this.#files, this.#name, content, RENAME_FAILPOINTS)
    this.#mustReplace = false
  }
}
