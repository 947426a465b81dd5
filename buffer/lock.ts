/**
 * A lock that the kernel lets go when the process ends, however it ends; also across containers that share the folder.
 */
import { DatabaseSync } from 'node:sqlite'

export interface Lock {
  release(): void
}

const SQLITE_BUSY = 5

/**
 * Node cannot take a file lock by itself, but SQLite does (fcntl, on the inode): an exclusive transaction on an empty
 * database that is never written. A pid file would go stale, and means nothing in another container.
 * Nobody else in this process may open the file: closing it would give the lock up.
 * Returns undefined when another process, or another buffer of this one, has it; throws when the file cannot be opened.
 */
export async function lockFile(file: string): Promise<Lock | undefined> {
  const database = new DatabaseSync(file)
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined
    throw error
  }
  return { release: () => database.close() }
}
