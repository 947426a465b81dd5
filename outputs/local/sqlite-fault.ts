/** What an error of SQLite or of the file system means for the store. A table, nothing else. */
import { OutputError } from '../output.ts'
import { BadSliceError } from './slice-files.ts'

/** Primary result codes of SQLite. */
const READONLY = 8
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const TOOBIG = 18
const NOTADB = 26

/** Whether the file itself is bad, so that it must be set aside. */
export function isDamage(error: unknown): boolean {
  if (error instanceof BadSliceError) return true
  const code = primaryCode(error)
  return code === CORRUPT || code === NOTADB
}

/** The error as the delivery understands it: nothing of the batch is accepted, though some of it may be stored. */
export function toOutputError(error: unknown, directory: string): OutputError {
  const { code, message } = error as NodeJS.ErrnoException
  const sqlite = primaryCode(error)
  if (sqlite === FULL || code === 'ENOSPC' || code === 'EDQUOT') {
    return new OutputError('retry', 'unavailable', `no space is left on the disk of ${directory}`, { cause: error })
  }
  if (sqlite === READONLY || sqlite === CANTOPEN || code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new OutputError('blocked', 'blocked', `cannot write to ${directory}: ${message}`, { cause: error })
  }
  // Neither the disk nor SQLite: an event that cannot be stored, which has to be found among its neighbours.
  if (sqlite === TOOBIG || (sqlite === undefined && code === undefined)) {
    return new OutputError('split', 'other', `an event cannot be stored: ${message}`, { cause: error })
  }
  return new OutputError('retry', 'unavailable', `the store in ${directory} fails: ${message}`, { cause: error })
}

/** SQLite's code without its extension; undefined for other errors. */
function primaryCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' ? code & 0xff : undefined
}
