/** Which files there are: those that the globs find, and one that a rotation has moved or copied. */
import { constants } from 'node:fs'
import { type FileHandle, glob, open, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { LIMITS } from './limits.ts'
import { type Place, startOf } from './place.ts'
import { type FileKey, fileKey } from './tailed-file.ts'

export interface FoundFile {
  readonly path: string
  readonly key: FileKey
  readonly size: number
  /** When it was created, ms since 1970; 0 where the file system does not say. */
  readonly bornMs: number
}

/** Regular files that match, links followed, in the order of their names; each file once, under its first name. */
export async function findFiles(patterns: readonly string[], exclude: readonly string[]): Promise<FoundFile[]> {
  const names: string[] = []
  for await (const name of glob([...patterns], { exclude: [...exclude] })) names.push(name)
  const found = new Map<FileKey, FoundFile>()
  for (const name of [...new Set(names)].sort()) {
    const file = await look(name)
    if (file !== undefined && !found.has(file.key)) found.set(file.key, file)
  }
  return [...found.values()]
}

/** Undefined when there is no such file, or it is no regular file. */
async function look(name: string): Promise<FoundFile | undefined> {
  const stats = await stat(name, { bigint: true }).catch(() => undefined)
  if (stats === undefined || !stats.isFile()) return undefined
  return { path: name, key: fileKey(stats), size: Number(stats.size), bornMs: Number(stats.birthtimeNs) / 1e6 }
}

/** Without waiting: a FIFO that takes the file's name meanwhile would else hold a thread for ever. */
export function openToRead(name: string): Promise<FileHandle> {
  return open(name, constants.O_RDONLY | constants.O_NONBLOCK)
}

/** The files beside one that was rotated, under whatever name. */
export async function findSiblings(name: string): Promise<FoundFile[]> {
  const folder = path.dirname(name)
  const names = await readdir(folder)
  const found: FoundFile[] = []
  for (const each of names.slice(0, LIMITS.siblings)) {
    const file = await look(path.join(folder, each))
    if (file !== undefined) found.push(file)
  }
  return found
}

/** What logrotate puts behind a name: `.1`, `-20261125`, `-20261125-1764090000`. */
const ROTATED = /^[.-]\d[\d.-]*$/

/**
 * Of these files those that are rotations of `name` and were created since, the oldest first: they came and went while
 * nobody looked.
 */
export function createdSince(files: readonly FoundFile[], name: string, sinceMs: number): FoundFile[] {
  const later = files.filter(({ path: each, bornMs }) => {
    return each.startsWith(name) && ROTATED.test(each.slice(name.length)) && bornMs > sinceMs
  })
  return later.sort((a, b) => a.bornMs - b.bornMs)
}

export interface OpenCopy {
  readonly file: FoundFile
  readonly handle: FileHandle
}

/**
 * Opens the copy that a rotation by `copytruncate` has made: of these files the one that has, before the place, the
 * bytes that were read there.
 */
export async function openCopy(files: readonly FoundFile[], place: Place): Promise<OpenCopy | undefined> {
  const from = startOf(place)
  if (place.printBytes === 0) return undefined
  for (const file of files) {
    if (file.size < from) continue
    const handle = await openToRead(file.path).catch(() => undefined)
    if (handle === undefined) continue
    if (await hasPrint(handle, place).catch(() => false)) return { file, handle }
    await handle.close()
  }
  return undefined
}

async function hasPrint(handle: FileHandle, place: Place): Promise<boolean> {
  const { printBytes, printCrc } = place
  const bytes = Buffer.alloc(printBytes)
  const { bytesRead } = await handle.read(bytes, 0, printBytes, startOf(place) - printBytes)
  return bytesRead === printBytes && crc32(bytes) === printCrc
}

/** The print of a file at a place where reading begins without having read what is before. */
export async function readPrint(handle: FileHandle, offset: number): Promise<Buffer> {
  const bytes = Buffer.alloc(Math.min(offset, LIMITS.printBytes))
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset - bytes.length)
  return bytes.subarray(0, bytesRead)
}
