/**
 * All of the buffer's dealings with the disk, as an interface and over node:fs; nothing else in `buffer/` opens a
 * file.
 */
import fs from 'node:fs'
import path from 'node:path'
import { type Failpoint, failpoint } from '../server/core/failpoints.ts'
import { type Lock, lockFile } from './lock.ts'

/** A file that is open. Offsets and lengths are in bytes. */
export interface OpenFile {
  /**
   * Writes the pieces one behind the other at `offset`. Returns how many bytes were written: on a full disk fewer than
   * asked, without an error.
   */
  write(pieces: readonly Uint8Array[], offset: number): Promise<number>
  /** Fills `into` from `offset`; returns how many bytes there were: fewer at the end of the file. */
  read(into: Uint8Array, offset: number): Promise<number>
  /** fdatasync: the content and what is needed to find it. */
  syncData(): Promise<void>
  /** fsync: everything. */
  sync(): Promise<void>
  truncate(bytes: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export interface FileSystem {
  /** `create` fails when the file exists; `write` creates it when it does not. Files are for the owner only (0600). */
  open(file: string, mode: 'read' | 'write' | 'create'): Promise<OpenFile>
  /** Makes the folder and its ancestors (0700) and makes their names durable. */
  makeDirectory(directory: string): Promise<void>
  /** Makes the names in the folder durable: what was created, renamed and deleted. */
  syncDirectory(directory: string): Promise<void>
  /** Names in the folder, sorted; empty when there is no such folder. */
  list(directory: string): Promise<string[]>
  rename(from: string, to: string): Promise<void>
  /** No error when the file does not exist. */
  unlink(file: string): Promise<void>
  /** Takes the lock, which ends with the process however it ends; undefined when another has it. */
  lock(file: string): Promise<Lock | undefined>
}

type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void

function call<T>(start: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)))
  })
}
function callVoid(start: (done: (error: NodeJS.ErrnoException | null) => void) => void): Promise<void> {
  return call<void>((done) => start((error) => done(error, undefined)))
}

function openFile(fd: number): OpenFile {
  return {
    write: (pieces, offset) => call<number>((done) => fs.writev(fd, pieces as Uint8Array[], offset, done)),
    read: (into, offset) => readFully(fd, into, offset),
    syncData: () => callVoid((done) => fs.fdatasync(fd, done)),
    sync: () => callVoid((done) => fs.fsync(fd, done)),
    truncate: (bytes) => callVoid((done) => fs.ftruncate(fd, bytes, done)),
    size: async () => (await call<fs.Stats>((done) => fs.fstat(fd, done))).size,
    close: () => callVoid((done) => fs.close(fd, done)),
  }
}

async function readFully(fd: number, into: Uint8Array, offset: number): Promise<number> {
  let filled = 0
  while (filled < into.length) {
    const from = filled
    const bytes = await call<number>((done) => fs.read(fd, into, from, into.length - from, offset + from, done))
    if (bytes === 0) break
    filled += bytes
  }
  return filled
}

const FLAGS = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR | fs.constants.O_CREAT,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
} as const

async function syncDirectory(directory: string): Promise<void> {
  const fd = await call<number>((done) => fs.open(directory, fs.constants.O_RDONLY, done))
  try {
    await callVoid((done) => fs.fsync(fd, done))
  } finally {
    await callVoid((done) => fs.close(fd, done))
  }
}

/** Folders whose names in them are durable, those of before this process too. */
const syncedDirectories = new Set<string>()

/**
 * A process that was killed may have made folders and not synced their names: so those that exist are synced too, once,
 * as far up as this user may look.
 */
async function makeDirectory(directory: string): Promise<void> {
  const made = await fs.promises.mkdir(directory, { recursive: true, mode: 0o700 })
  for (let at = directory, parent = path.dirname(at); parent !== at; at = parent, parent = path.dirname(at)) {
    const isNew = made !== undefined && at.length >= made.length
    if (isNew) await syncDirectory(parent)
    else if (!syncedDirectories.has(parent)) await syncDirectory(parent).catch(() => {})
    syncedDirectories.add(parent)
  }
}

async function list(directory: string): Promise<string[]> {
  try {
    return (await fs.promises.readdir(directory)).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

export const nodeFileSystem: FileSystem = {
  open: async (file, mode) => openFile(await call<number>((done) => fs.open(file, FLAGS[mode], 0o600, done))),
  makeDirectory,
  syncDirectory,
  list,
  rename: (from, to) => callVoid((done) => fs.rename(from, to, done)),
  unlink: (file) => fs.promises.rm(file, { force: true }),
  lock: (file) => lockFile(file),
}

/** Reads all of a small file; undefined when it does not exist. */
export async function readSmallFile(files: FileSystem, file: string, bytesMax: number): Promise<Buffer | undefined> {
  let open: OpenFile
  try {
    open = await files.open(file, 'read')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const bytes = Buffer.alloc(Math.min(bytesMax, await open.size()))
    return bytes.subarray(0, await open.read(bytes, 0))
  } finally {
    await open.close()
  }
}

/** Failpoints on both sides of a rename. */
export interface RenameFailpoints {
  readonly before: Failpoint
  readonly after: Failpoint
}

/** Replaces a small file so that after a crash there is the old one or the new one, whole. */
export async function replaceFile(
  files: FileSystem,
  file: string,
  content: Uint8Array,
  failpoints?: RenameFailpoints,
): Promise<void> {
  const temporary = `${file}.tmp`
  await files.unlink(temporary)
  const open = await files.open(temporary, 'create')
  try {
    if ((await open.write([content], 0)) !== content.length) throw new Error('short write: is the disk full?')
    await open.sync()
  } finally {
    await open.close()
  }
  if (failpoints !== undefined) await failpoint(failpoints.before)
  await files.rename(temporary, file)
  if (failpoints !== undefined) await failpoint(failpoints.after)
  await files.syncDirectory(path.dirname(file))
}

const DAMAGED_READ_STEP_BYTES = 4_096

/** Like `read`, but what the disk cannot give is read as zeros, page by page: the checksums tell what that has cost. */
export async function readDespiteErrors(file: OpenFile, into: Uint8Array, offset: number): Promise<number> {
  try {
    return await file.read(into, offset)
  } catch {
    const wanted = Math.min(into.length, Math.max(0, (await file.size()) - offset))
    for (let at = 0; at < wanted; at += DAMAGED_READ_STEP_BYTES) {
      const page = into.subarray(at, Math.min(wanted, at + DAMAGED_READ_STEP_BYTES))
      await file.read(page, offset + at).catch(() => page.fill(0))
    }
    return wanted
  }
}
