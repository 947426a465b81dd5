/**
 * The files of the store: one SQLite database for each slice of arrival time, named for the first position that may
 * stand in it. What is in them is not looked at here.
 *
 *   events-0000000000001234.sqlite       a slice (beside it, while it is open: -wal and -shm)
 *   events-….sqlite.new                  one that was being made when the process ended: no slice yet
 *   events-….sqlite.damaged              one that could not be read and was set aside
 */
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Position } from '../../server/core/event.ts'

export interface SliceFile {
  readonly path: string
  /** Positions from here up to the next slice belong to it. */
  readonly first: Position
}

const NAME = /^events-(\d{16})\.sqlite$/
const SIDES = ['-wal', '-shm'] as const
export const NEW = '.new'
const DAMAGED = '.damaged'

/** The file is no slice that this version reads, or not any more. */
export class BadSliceError extends Error {
  override readonly name = 'BadSliceError'
}

export function slicePath(directory: string, first: Position): string {
  return join(directory, `events-${String(first).padStart(16, '0')}.sqlite`)
}

/** The slices in the order of their positions; none when the folder is not there yet. */
export function listSlices(directory: string): SliceFile[] {
  return names(directory).flatMap((name) => {
    const first = NAME.exec(name)?.[1]
    return first === undefined ? [] : [{ path: join(directory, name), first: Number(first) }]
  })
}

/** Bytes on disk, with what has not been written back yet; 0 when it is gone. */
export function sliceBytes(path: string): number {
  return size(path) + size(path + SIDES[0])
}

export function removeSlice(path: string): void {
  rmSync(path, { force: true })
  for (const side of SIDES) rmSync(path + side, { force: true })
}

/** Renames a slice out of the way, so that the store goes on without it. @returns its new path. */
export function setAside(path: string): string {
  const aside = path + DAMAGED
  renameSync(path, aside)
  for (const side of SIDES) rmSync(path + side, { force: true })
  return aside
}

/** Removes what an interrupted start left, and damaged slices that were set aside before `beforeMs`. */
export function removeLeftovers(directory: string, beforeMs: number): void {
  for (const name of names(directory)) {
    const path = join(directory, name)
    const isOld = name.endsWith(DAMAGED) && statSync(path).mtimeMs < beforeMs
    if (isOld || name.includes(`.sqlite${NEW}`)) rmSync(path, { force: true })
  }
}

/** Gives a finished `.new` file its name, durably. */
export function publishSlice(directory: string, path: string): void {
  renameSync(path + NEW, path)
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function size(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
