/** The writing side of the store: which slice an event belongs to, when a new one begins, and when an old one goes. */
import type { Clock } from '../../server/core/clock.ts'
import { LogboomError } from '../../server/core/errors.ts'
import type { Batch, Position, Sequence, StoredStream } from '../../server/core/event.ts'
import type { Logger } from '../../server/core/log.ts'
import { createDocumentCursor, enterStream, leaveStream } from '../encoding/document.ts'
import { OutputError } from '../output.ts'
import { createBlockDraft } from './block.ts'
import { createSlice, openToRead, openToWrite, readState } from './schema.ts'
import { createSearchText } from './search-text.ts'
import {
  listSlices,
  removeLeftovers,
  removeSlice,
  type SliceFile,
  setAside,
  sliceBytes,
  slicePath,
} from './slice-files.ts'
import { type Encoders, SliceWriter } from './slice-writer.ts'
import { isDamage, toOutputError } from './sqlite-fault.ts'

/** Packed bytes after which a transaction ends at the next stream, so that the write-ahead log stays small. */
const TRANSACTION_BYTES = 8 * 1024 * 1024
/** A slice is at most this part of the store, so that making room takes little at a time. */
const SLICES_PER_STORE = 8
/** Slices of time within `keep_age`, whatever `slice` says: each is a file. */
const SLICES_MAX = 200

export interface StoreOptions {
  readonly directory: string
  readonly sequence: Sequence
  readonly clock: Clock
  readonly log: Logger
  readonly keepAgeMs: number
  readonly keepSizeBytes: number
  readonly sliceMs: number
}

/** A slice that is only read and deleted from now on. */
interface SealedSlice extends SliceFile {
  readonly receivedMs: number
  bytes: number
}

export class StoreWriter {
  readonly #options: StoreOptions
  readonly #encoders: Encoders
  /** In the order of their positions; the newest is `#current` while that is open. */
  #sealed: SealedSlice[] = []
  #current: SliceWriter | undefined
  /** A sealed slice that takes positions which came again. */
  #reopened: SliceWriter | undefined
  #active: SliceWriter | undefined
  #activeBytes = 0
  #isLoaded = false

  constructor(options: StoreOptions) {
    this.#options = { ...options, sliceMs: Math.max(options.sliceMs, options.keepAgeMs / SLICES_MAX) }
    this.#encoders = {
      cursor: createDocumentCursor(options.sequence),
      draft: createBlockDraft(),
      text: createSearchText(),
    }
  }

  /**
   * Stores the batch durably; positions that are stored already are left as they are.
   * Throws OutputError: what was stored until then is found again when the batch is tried again.
   */
  write(batch: Batch): void {
    this.#guard(() => {
      this.#load()
      for (const stream of batch.streams) this.#writeStream(stream)
      this.#active?.commit()
      this.#closeReopened()
      leaveStream(this.#encoders.cursor)
      this.#expire()
    })
  }

  /** Deletes the slices that are too old, and the oldest while all are too large. Throws OutputError. */
  expire(): void {
    this.#guard(() => {
      this.#load()
      this.#expire()
    })
  }

  close(): void {
    this.#current?.close()
    this.#reopened?.close()
    this.#current = undefined
    this.#reopened = undefined
    this.#active = undefined
    this.#isLoaded = false
  }

  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      // A connection that failed is given up with its transaction; the next write reads anew what is on disk.
      const path = this.#active && slicePath(this.#options.directory, this.#active.first)
      this.close()
      if (error instanceof OutputError) throw error
      if (isDamage(error) && path !== undefined) this.#setAside(path, error)
      throw toOutputError(error, this.#options.directory)
    }
  }

  #load(): void {
    if (this.#isLoaded) return
    const { directory, clock, keepAgeMs } = this.#options
    removeLeftovers(directory, clock.now() - keepAgeMs)
    this.#sealed = listSlices(directory).flatMap((file) => this.#inspect(file) ?? [])
    const last = this.#sealed.pop()
    if (last !== undefined) this.#current = this.#open(last)
    this.#isLoaded = true
  }

  #inspect(file: SliceFile): SealedSlice | undefined {
    try {
      const db = openToRead(file.path)
      try {
        return { ...file, receivedMs: readState(db).receivedMs, bytes: sliceBytes(file.path) }
      } finally {
        db.close()
      }
    } catch (error) {
      if (!isDamage(error)) throw error
      this.#setAside(file.path, error)
      return undefined
    }
  }

  #setAside(path: string, cause: unknown): void {
    const file = setAside(path)
    const error = new LogboomError('LB-O005', { file, reason: (cause as Error).message })
    this.#options.log.error({ code: error.code, file }, error.message)
  }

  /** A slice whose header can be read and whose tables cannot is set aside here. */
  #open(file: SliceFile): SliceWriter {
    const db = openToWrite(file.path)
    try {
      return new SliceWriter(db, file.first, this.#encoders)
    } catch (error) {
      db.close()
      if (!isDamage(error)) throw error
      this.#setAside(file.path, error)
      throw new OutputError('retry', 'other', `a damaged file of the store was set aside: ${file.path}`)
    }
  }

  #writeStream(stream: StoredStream): void {
    let entry = enterStream(this.#encoders.cursor, stream)
    let index = 0
    while (index < stream.count) {
      const { slice, count, mayBeStored } = this.#place(stream, index)
      this.#activate(slice)
      entry = slice.add({ stream, index, count, entry, mayBeStored })
      index += count
    }
    this.#activeBytes += stream.packed.byteLength
  }

  /** Where the event at `index` belongs, and how many after it do too. */
  #place(stream: StoredStream, index: number): { slice: SliceWriter; count: number; mayBeStored: boolean } {
    const position = stream.position + index
    const left = stream.count - index
    const current = this.#currentFor(position, stream.receivedMs)
    if (position >= current.first) {
      const newest = current.newest ?? -1
      if (position > newest) return { slice: current, count: left, mayBeStored: false }
      return { slice: current, count: Math.min(left, newest - position + 1), mayBeStored: true }
    }
    const next = this.#sealed.find((slice) => slice.first > position)?.first ?? current.first
    const slice = this.#reopen(position, stream.receivedMs)
    return { slice, count: Math.min(left, next - position), mayBeStored: true }
  }

  /** The slice that is written to; a new one begins only with a position that no slice can hold yet. */
  #currentFor(position: Position, receivedMs: number): SliceWriter {
    const current = this.#current
    if (current !== undefined && (position <= (current.newest ?? -1) || !this.#isFull(current, receivedMs))) {
      return current
    }
    if (current !== undefined) this.#seal(current)
    const { directory } = this.#options
    const made = new SliceWriter(createSlice(directory, position, receivedMs), position, this.#encoders)
    this.#current = made
    return made
  }

  #isFull(slice: SliceWriter, receivedMs: number): boolean {
    if (slice.newest === undefined) return false
    const { sliceMs, keepSizeBytes } = this.#options
    return receivedMs - slice.createdMs >= sliceMs || slice.bytes >= keepSizeBytes / SLICES_PER_STORE
  }

  #seal(slice: SliceWriter): void {
    if (this.#active === slice) this.#activate(undefined)
    slice.close()
    const path = slicePath(this.#options.directory, slice.first)
    this.#sealed.push({ path, first: slice.first, receivedMs: slice.receivedMs, bytes: sliceBytes(path) })
    this.#current = undefined
  }

  /** The sealed slice that a position from before the current one belongs to; one is made where there is none. */
  #reopen(position: Position, receivedMs: number): SliceWriter {
    const file = this.#sealed.findLast((slice) => slice.first <= position)
    if (file !== undefined && file.first === this.#reopened?.first) return this.#reopened
    this.#closeReopened()
    if (file !== undefined) {
      this.#reopened = this.#open(file)
    } else {
      const { directory } = this.#options
      this.#reopened = new SliceWriter(createSlice(directory, position, receivedMs), position, this.#encoders)
      this.#sealed.unshift({ path: slicePath(directory, position), first: position, receivedMs, bytes: 0 })
    }
    return this.#reopened
  }

  #closeReopened(): void {
    if (this.#reopened === undefined) return
    if (this.#active === this.#reopened) this.#activate(undefined)
    this.#reopened.close()
    const file = this.#sealed.find((slice) => slice.first === this.#reopened?.first)
    if (file !== undefined) file.bytes = sliceBytes(file.path)
    this.#reopened = undefined
  }

  /** One transaction at a time: going to another slice, or being large enough, ends the one before. */
  #activate(slice: SliceWriter | undefined): void {
    if (this.#active === slice && this.#activeBytes < TRANSACTION_BYTES) return
    this.#active?.commit()
    this.#active = slice
    this.#activeBytes = 0
  }

  #expire(): void {
    this.#expireByAge()
    let total = this.#sealed.reduce((sum, slice) => sum + slice.bytes, this.#current?.bytes ?? 0)
    while (total > this.#options.keepSizeBytes && this.#sealed.length > 0) {
      const { path, bytes } = this.#sealed.shift()!
      removeSlice(path)
      total -= bytes
    }
  }

  #expireByAge(): void {
    const oldest = this.#options.clock.now() - this.#options.keepAgeMs
    for (const slice of this.#sealed) if (slice.receivedMs < oldest) removeSlice(slice.path)
    this.#sealed = this.#sealed.filter((slice) => slice.receivedMs >= oldest)
    const current = this.#current
    if (current === undefined || current.newest === undefined || current.receivedMs >= oldest) return
    this.#activate(undefined)
    current.close()
    removeSlice(slicePath(this.#options.directory, current.first))
    const last = this.#sealed.pop()
    this.#current = last && this.#open(last)
  }
}
