/** The tables of a slice, and how its file is opened to write and to read; not what goes into them. */
import { DatabaseSync } from 'node:sqlite'
import type { Position } from '../../server/core/event.ts'
import { KEY_MARK } from './key-token.ts'
import { BadSliceError, NEW, publishSlice, slicePath } from './slice-files.ts'

/** Of the layout below; a slice of another is set aside. */
const VERSION = 1

/**
 * `words` has no copy of the text and no sizes of it, only the index. Its rowid is the position. Accents and case do
 * not count. Segments of the index are merged when 16 of a size have come together: twice as fast as the default of 4.
 */
const SCHEMA = `
  PRAGMA user_version = ${VERSION};
  CREATE TABLE slice (
    created_ms INTEGER NOT NULL,      -- arrival of its first event
    received_ms INTEGER NOT NULL,     -- arrival of its latest event
    oldest_ms INTEGER,                -- event times in it
    newest_ms INTEGER
  );
  CREATE TABLE events (
    position INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, tag INTEGER NOT NULL, place INTEGER NOT NULL
  );
  CREATE TABLE tags (id INTEGER PRIMARY KEY, tag TEXT NOT NULL UNIQUE);
  CREATE TABLE blocks (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
  CREATE VIRTUAL TABLE words USING fts5(
    text, content='', columnsize=0,
    tokenize="unicode61 remove_diacritics 2 categories 'L* N*' tokenchars '${KEY_MARK}'"
  );
  INSERT INTO words (words, rank) VALUES ('automerge', 16);
`

/** Page cache of a connection, KiB: small, since the kernel caches the file. */
const WRITE_CACHE_KIB = 4_096
const READ_CACHE_KIB = 1_024
/** Bytes of a page. */
export const PAGE_BYTES = 4_096
/** The write-ahead log is written back when it has so many pages. */
const WAL_PAGES = 2_000
/** How long a lock of another connection is waited for: the reader's and the writer's are short. */
const LOCK_TIMEOUT_MS = 5_000

/** Makes a slice; it appears under its name only when it is whole and durable. */
export function createSlice(directory: string, first: Position, receivedMs: number): DatabaseSync {
  const path = slicePath(directory, first)
  const db = new DatabaseSync(path + NEW)
  try {
    db.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`)
    db.exec(`BEGIN; ${SCHEMA}`)
    db.prepare('INSERT INTO slice VALUES (?, ?, NULL, NULL)').run(receivedMs, receivedMs)
    db.exec('COMMIT')
  } finally {
    db.close()
  }
  publishSlice(directory, path)
  return openToWrite(path)
}

/** A commit is durable when it returns: `synchronous = FULL` syncs the write-ahead log. */
export function openToWrite(path: string): DatabaseSync {
  return open(
    path,
    { timeout: LOCK_TIMEOUT_MS },
    `PRAGMA synchronous = FULL; PRAGMA cache_size = -${WRITE_CACHE_KIB}; PRAGMA wal_autocheckpoint = ${WAL_PAGES};
     PRAGMA journal_size_limit = ${WAL_PAGES * PAGE_BYTES}`,
  )
}

export function openToRead(path: string): DatabaseSync {
  return open(path, { timeout: LOCK_TIMEOUT_MS, readOnly: true }, `PRAGMA cache_size = -${READ_CACHE_KIB}`)
}

function open(path: string, options: { timeout: number; readOnly?: boolean }, pragmas: string): DatabaseSync {
  const db = new DatabaseSync(path, { ...options, allowExtension: false })
  try {
    db.exec(`PRAGMA mmap_size = 0; ${pragmas}`)
    const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
    if (version !== VERSION) throw new BadSliceError(`format ${version}; this version reads ${VERSION}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

export interface SliceState {
  readonly createdMs: number
  readonly receivedMs: number
  /** Event times in it; null while it is empty. */
  readonly oldestMs: number | null
  readonly newestMs: number | null
}

export function readState(db: DatabaseSync): SliceState {
  const sql = `SELECT created_ms AS createdMs, received_ms AS receivedMs, oldest_ms AS oldestMs, newest_ms AS newestMs
    FROM slice`
  const state = db.prepare(sql).get() as SliceState | undefined
  if (state === undefined) throw new BadSliceError('it has no state')
  return state
}

/** The newest position in it; undefined while it is empty. */
export function newestPosition(db: DatabaseSync): Position | undefined {
  const row = db.prepare('SELECT max(position) AS newest FROM events').get() as { newest: number | null }
  return row.newest ?? undefined
}
