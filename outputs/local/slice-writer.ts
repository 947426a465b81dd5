/** Puts events into one slice. Which slice they belong to, and when it is full, is the store's matter. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Position, StoredStream } from '../../server/core/event.ts'
import { nextEntry } from '../../server/core/packed-entries.ts'
import { type DocumentCursor, readEventTime, writeDocument } from '../encoding/document.ts'
import { BLOCK_EVENTS_MAX, type BlockDraft, beginRun, clearDraft, endDocument, isFull, packBlock } from './block.ts'
import { newestPosition, PAGE_BYTES, readState } from './schema.ts'
import { type SearchText, tagText, writeSearchText } from './search-text.ts'

/** What every event goes through; made once for all slices. */
export interface Encoders {
  readonly cursor: DocumentCursor
  readonly draft: BlockDraft
  readonly text: SearchText
}

/** Some events of a stream: `index` is the first of them within it, `entry` where that stands in memory. */
export interface Portion {
  readonly stream: StoredStream
  readonly index: number
  readonly count: number
  readonly entry: number
  /** Some of these positions may be stored already. */
  readonly mayBeStored: boolean
}

export class SliceWriter {
  readonly first: Position
  readonly createdMs: number
  receivedMs: number
  newest: Position | undefined
  readonly #db: DatabaseSync
  readonly #encoders: Encoders
  readonly #insertEvent: StatementSync
  readonly #insertWords: StatementSync
  readonly #insertBlock: StatementSync
  readonly #addTag: StatementSync
  readonly #findTag: StatementSync
  readonly #find: StatementSync
  readonly #update: StatementSync
  readonly #pageCount: StatementSync
  #oldestMs: number
  #newestMs: number
  #nextBlock: number
  #isWriting = false

  constructor(db: DatabaseSync, first: Position, encoders: Encoders) {
    const state = readState(db)
    this.first = first
    this.createdMs = state.createdMs
    this.receivedMs = state.receivedMs
    this.newest = newestPosition(db)
    this.#oldestMs = state.oldestMs ?? Number.MAX_SAFE_INTEGER
    this.#newestMs = state.newestMs ?? Number.MIN_SAFE_INTEGER
    this.#db = db
    this.#encoders = encoders
    this.#insertEvent = db.prepare('INSERT INTO events VALUES (?, ?, ?, ?)')
    this.#insertWords = db.prepare('INSERT INTO words (rowid, text) VALUES (?, ?)')
    this.#insertBlock = db.prepare('INSERT INTO blocks VALUES (?, ?)')
    this.#addTag = db.prepare('INSERT OR IGNORE INTO tags (tag) VALUES (?)')
    this.#findTag = db.prepare('SELECT id FROM tags WHERE tag = ?')
    this.#find = db.prepare('SELECT 1 FROM events WHERE position = ?')
    this.#update = db.prepare('UPDATE slice SET received_ms = ?, oldest_ms = ?, newest_ms = ?')
    this.#pageCount = db.prepare('PRAGMA page_count')
    const last = db.prepare('SELECT max(id) AS id FROM blocks').get() as { id: number | null }
    this.#nextBlock = (last.id ?? 0) + 1
  }

  /** Bytes of the database, with what has not been written back yet. */
  get bytes(): number {
    const { page_count: pages } = this.#pageCount.get() as { page_count: number }
    return pages * PAGE_BYTES
  }

  /** Adds events to the transaction, which it begins where none is open. @returns where the next entry stands. */
  add(portion: Portion): number {
    this.#begin()
    const { cursor, draft, text } = this.#encoders
    const { stream, index, count, mayBeStored } = portion
    const tag = this.#tagId(stream.tag)
    const tagPart = tagText(stream.tag)
    const end = index + count
    let entry = portion.entry
    beginRun(draft, stream.tag, stream.idBase, stream.idIndex + index)
    for (let i = index; i < end; i++) {
      const position = stream.position + i
      if (mayBeStored && this.#find.get(position) !== undefined) {
        entry = nextEntry(cursor.bytes, entry, cursor.end)
        beginRun(draft, stream.tag, stream.idBase, stream.idIndex + i + 1)
        continue
      }
      const record = readEventTime(cursor, entry)
      writeSearchText(text, tagPart, cursor.from, record)
      entry = writeDocument(cursor, record, position, draft.sink)
      this.#insert(position, tag)
      if (isFull(draft)) {
        this.#storeBlock()
        beginRun(draft, stream.tag, stream.idBase, stream.idIndex + i + 1)
      }
    }
    this.receivedMs = Math.max(this.receivedMs, stream.receivedMs)
    return entry
  }

  /** Stores the event that was just encoded. The view of its text is what SQLite's binding asks for. */
  #insert(position: Position, tag: number): void {
    const { cursor, draft, text } = this.#encoders
    const timeMs = cursor.seconds * 1000 + Math.floor(cursor.nanoseconds / 1_000_000)
    if (timeMs < this.#oldestMs) this.#oldestMs = timeMs
    if (timeMs > this.#newestMs) this.#newestMs = timeMs
    this.#insertEvent.run(position, timeMs, tag, this.#nextBlock * BLOCK_EVENTS_MAX + draft.count)
    this.#insertWords.run(position, text.sink.bytes.subarray(0, text.sink.at))
    endDocument(draft)
    if (this.newest === undefined || position > this.newest) this.newest = position
  }

  #tagId(tag: string): number {
    this.#addTag.run(tag)
    const { id } = this.#findTag.get(tag) as { id: number }
    return id
  }

  #storeBlock(): void {
    this.#insertBlock.run(this.#nextBlock, packBlock(this.#encoders.draft))
    this.#nextBlock++
  }

  #begin(): void {
    if (this.#isWriting) return
    clearDraft(this.#encoders.draft)
    this.#db.exec('BEGIN IMMEDIATE')
    this.#isWriting = true
  }

  /** Makes durable what was added. */
  commit(): void {
    if (!this.#isWriting) return
    if (this.#encoders.draft.count > 0) this.#storeBlock()
    if (this.newest !== undefined) this.#update.run(this.receivedMs, this.#oldestMs, this.#newestMs)
    this.#db.exec('COMMIT')
    this.#isWriting = false
  }

  /** What was not committed is forgotten. */
  close(): void {
    this.#db.close()
  }
}
