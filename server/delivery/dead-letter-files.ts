/**
 * The files of one output's dead letters: numbered, appended to, and only replaced whole by a rename. Beside
 * `00000001.dlq` stands `00000001.gone` with what was removed of it. The bytes are drawn in dead-letter-format.ts.
 */
import { type FileHandle, open, readdir, readFile, rename, rm, truncate } from 'node:fs/promises'
import path from 'node:path'
import type { Logger } from '../core/log.ts'
import {
  createFileHeader,
  type DeadLetter,
  type DeadLetterScan,
  decodeDeadLetter,
  decodeRemovals,
  encodeDeadLetter,
  encodeRemovals,
  saltOf,
  scanDeadLetters,
  wholeRemovals,
} from './dead-letter-format.ts'

/** What the store remembers of a file. */
export interface StoredFile {
  bytes: number
  /** Those that are not removed. */
  letters: number
  /** Bytes of those that are. */
  removedBytes: number
}

/** Where a letter stands; valid until letters of its file are removed. */
export interface LetterPlace {
  /** Name of the file: later letters stand in files of later names. */
  readonly file: string
  readonly start: number
}

export interface StoredLetter {
  readonly place: LetterPlace
  readonly letter: DeadLetter
}

/** Names of the files, oldest first. */
export async function fileNames(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => /^\d{8}\.dlq$/.test(name)).sort()
}

/** All letters of a store in the order they came; damaged ones are left out. The store may be open elsewhere. */
export async function* readDeadLetters(directory: string): AsyncGenerator<DeadLetter> {
  for (const name of await fileNames(directory)) {
    for (const { letter } of await readLetterFile(directory, name)) yield letter
  }
}

/** The letters of one file; none when it is gone, or cannot be read. */
export async function readLetterFile(directory: string, name: string): Promise<StoredLetter[]> {
  const bytes = await readIfThere(path.join(directory, name))
  const salt = saltOf(bytes)
  if (salt === undefined) return []
  const removed = await readRemovals(directory, name, salt)
  const { bodies, starts } = scanDeadLetters(bytes, salt)
  return bodies.flatMap((body, index) => {
    const start = starts[index]!
    return removed.has(start) ? [] : [{ place: { file: name, start }, letter: decodeDeadLetter(body) }]
  })
}

/** Cuts a torn tail, and takes the file away when all its letters are removed: undefined then. */
export async function recoverFile(directory: string, name: string, log: Logger): Promise<StoredFile | undefined> {
  const file = path.join(directory, name)
  const bytes = await readFile(file)
  const salt = saltOf(bytes)
  if (salt === undefined) {
    log.warn({ file, bytes: bytes.byteLength }, 'a file of dead letters cannot be read; it is left as it is')
    return { bytes: bytes.byteLength, letters: 0, removedBytes: 0 }
  }
  const scan = scanDeadLetters(bytes, salt)
  const { bodies, wholeSize, damagedBytes } = scan
  if (damagedBytes > 0)
    log.warn({ file, damagedBytes }, 'a file of dead letters is damaged; the others in it are whole')
  if (wholeSize < bytes.byteLength) {
    log.info({ file, tornBytes: bytes.byteLength - wholeSize }, 'cut a dead letter that was never finished')
    await truncate(file, wholeSize)
  }
  const removed = await readRemovals(directory, name, salt)
  const letters = scan.starts.reduce((count, start) => count + (removed.has(start) ? 0 : 1), 0)
  if (letters === 0 && bodies.length > 0 && damagedBytes === 0) {
    await removeFile(directory, name)
    return undefined
  }
  return { bytes: wholeSize, letters, removedBytes: removedBytesOf(scan, removed) }
}

/** Makes the removal of the letters at these places durable. @returns their bytes. */
export async function removeFromFile(directory: string, name: string, starts: readonly number[]): Promise<number> {
  const bytes = await readIfThere(path.join(directory, name))
  const salt = saltOf(bytes)
  if (salt === undefined) return 0
  const gone = path.join(directory, goneName(name))
  const handle = await open(gone, 'a', 0o600)
  try {
    const { size } = await handle.stat()
    // What a full disk left of an earlier removal would shift all that follow.
    if (size !== wholeRemovals(size)) await handle.truncate(wholeRemovals(size))
    await handle.appendFile(encodeRemovals(starts, salt))
    await handle.datasync()
    if (size === 0) await syncDirectory(directory)
  } finally {
    await handle.close()
  }
  return removedBytesOf(scanDeadLetters(bytes, salt), new Set(starts))
}

/** The letters before the removals: what remains alone is noise, a file without its removals comes twice. */
export async function removeFile(directory: string, name: string): Promise<void> {
  await rm(path.join(directory, name), { force: true })
  await syncDirectory(directory)
  await rm(path.join(directory, goneName(name)), { force: true })
}

/** Writes what is left of a file anew, under its name: with another salt, so that the old removals count no more. */
export async function rewriteFile(directory: string, name: string): Promise<StoredFile> {
  const left = await readLetterFile(directory, name)
  const header = createFileHeader()
  const salt = saltOf(header)!
  const bytes = Buffer.concat([header, ...left.map(({ letter }) => encodeDeadLetter(letter, salt))])
  const draft = path.join(directory, `${name}.draft`)
  const handle = await open(draft, 'w', 0o600)
  try {
    await writeFully(handle, bytes, 0)
    await handle.datasync()
  } finally {
    await handle.close()
  }
  await rename(draft, path.join(directory, name))
  await syncDirectory(directory)
  await rm(path.join(directory, goneName(name)), { force: true })
  return { bytes: bytes.byteLength, letters: left.length, removedBytes: 0 }
}

/** What a crash left of a file that was being written anew: the old one still stands. */
export async function removeDrafts(directory: string): Promise<void> {
  const drafts = (await readdir(directory)).filter((name) => /^\d{8}\.dlq\.draft$/.test(name))
  for (const name of drafts) await rm(path.join(directory, name), { force: true })
}

export async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    done += (await handle.write(bytes, done, bytes.byteLength - done, position + done)).bytesWritten
  }
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const goneName = (name: string) => name.replace(/dlq$/, 'gone')

async function readRemovals(directory: string, name: string, salt: number): Promise<Set<number>> {
  return decodeRemovals(await readIfThere(path.join(directory, goneName(name))), salt)
}

/** Nothing of a file that is not there: another may have removed the letters meanwhile. */
async function readIfThere(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

function removedBytesOf({ starts, wholeSize }: DeadLetterScan, removed: ReadonlySet<number>): number {
  return starts.reduce((sum, start, index) => {
    return removed.has(start) ? sum + (starts[index + 1] ?? wholeSize) - start : sum
  }, 0)
}
