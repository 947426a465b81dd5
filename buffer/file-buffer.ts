/**
 * The buffer on disk, as the inputs see it: opens and recovers, takes streams in, seats outputs, deletes what all have
 * passed.
 */
import { hostname } from 'node:os'
import path from 'node:path'
import type { Clock } from '../server/core/clock.ts'
import { LogboomError } from '../server/core/errors.ts'
import type { Emit, MarkStore, Spool } from '../server/core/event.ts'
import { armedFailpoints, failpoint } from '../server/core/failpoints.ts'
import type { Logger } from '../server/core/log.ts'
import type { BufferStatus, EventBuffer, ReaderSeat } from './buffer.ts'
import { chunkFileName } from './chunk-format.ts'
import { ChunkList, type StoredChunk } from './chunk-list.ts'
import { ChunkWriter, type Progress } from './chunk-writer.ts'
import { cursorFileName, readCursor } from './cursor-file.ts'
import { Duplicates } from './duplicates.ts'
import { type FileSystem, nodeFileSystem, readSmallFile, replaceFile } from './file-system.ts'
import { Intake } from './intake.ts'
import { Labels } from './labels.ts'
import type { Lock } from './lock.ts'
import { Marks } from './marks.ts'
import type { FileSeat } from './reader.ts'
import { chunkDirectory, type Recovered, recover } from './recovery.ts'
import { SharedCursor, SharedPosition } from './shared-position.ts'
import { emptySpoolDirectory, openSpool } from './spool.ts'

/** The file that says, for people, who has the lock. */
const OWNER_BYTES_MAX = 1_024

/** How often is looked for chunks that may be deleted: often, so that the memory of their pages is soon used again. */
const DELETE_MS = 250

export interface FileBufferConfig {
  /** Absolute path of a folder; it is made when it does not exist. */
  readonly path: string
  readonly chunkSizeBytes: number
  readonly maxSizeBytes: number
  readonly ack: 'durable' | 'written'
}

export interface FileBufferSurroundings {
  readonly log: Logger
  readonly clock: Clock
  /**
   * Outputs that will take a seat: nothing is deleted before each of them has, or was told to `leave`.
   * Without this, what a late one has not passed could be deleted while the pipeline starts.
   */
  readonly outputs: readonly string[]
  readonly files?: FileSystem
}

/**
 * Opens the buffer and recovers what is in it. Throws LogboomError LB-B001 when another process has it, LB-B002 when a
 * newer version wrote it, LB-B003 when its folder cannot be written.
 */
export async function openFileBuffer(
  config: FileBufferConfig,
  surroundings: FileBufferSurroundings,
): Promise<EventBuffer> {
  const files = surroundings.files ?? nodeFileSystem
  const failpoints = armedFailpoints()
  if (failpoints.length > 0) surroundings.log.warn({ failpoints }, 'failpoints are armed: this is a test')
  const lock = await takeLock(files, config.path)
  try {
    await failpoint('lock.after-taken')
    await emptySpoolDirectory(files, path.join(config.path, 'spool'))
    const recovered = await recover(files, config.path, surroundings.log)
    return new FileBuffer(config, { ...surroundings, files, lock, recovered })
  } catch (error) {
    lock.release()
    throw error instanceof LogboomError ? error : unwritable(config.path, error as Error)
  }
}

async function takeLock(files: FileSystem, directory: string): Promise<Lock> {
  const owner = path.join(directory, 'OWNER')
  let lock: Lock | undefined
  try {
    await files.makeDirectory(directory)
    lock = await files.lock(path.join(directory, 'LOCK'))
  } catch (error) {
    throw unwritable(directory, error as Error)
  }
  if (lock !== undefined) {
    // Only people read it: a full disk must not keep the buffer from being emptied.
    await replaceFile(files, owner, Buffer.from(`${process.pid} on ${hostname()}`)).catch(() => {})
    return lock
  }
  const pid = await readSmallFile(files, owner, OWNER_BYTES_MAX)
  throw new LogboomError('LB-B001', { path: directory, pid: pid?.toString() ?? 'unknown' })
}

function unwritable(directory: string, cause: Error): LogboomError {
  return new LogboomError('LB-B003', { path: directory, reason: cause.message }, { cause })
}

interface FileBufferParts extends FileBufferSurroundings {
  readonly files: FileSystem
  readonly lock: Lock
  readonly recovered: Recovered
}

class FileBuffer implements EventBuffer {
  readonly append: Emit
  readonly marks: MarkStore
  readonly #config: FileBufferConfig
  readonly #parts: FileBufferParts
  readonly #intake: Intake
  readonly #writer: ChunkWriter
  readonly #marks: Marks
  readonly #chunks: ChunkList
  readonly #shared = new SharedPosition()
  readonly #seats = new Map<string, SharedCursor>()
  readonly #expected: Set<string>
  #active = { first: -1, bytes: 0 }
  #spools = 0
  #timer: NodeJS.Timeout | undefined
  #deleting: Promise<void> = Promise.resolve()
  #closed: Promise<void> | undefined

  constructor(config: FileBufferConfig, parts: FileBufferParts) {
    const { recovered, files, clock, log } = parts
    this.#config = config
    this.#parts = parts
    this.#chunks = new ChunkList(recovered.chunks)
    this.#expected = new Set(parts.outputs)
    const duplicates = new Duplicates()
    for (const message of recovered.messages) duplicates.remember(message)
    const { chunkSizeBytes, maxSizeBytes } = config
    const ackWritten = config.ack === 'written'
    this.#intake = new Intake({
      labels: new Labels(recovered.bufferId, clock),
      duplicates,
      chunkSizeBytes,
      maxSizeBytes,
      copyAll: ackWritten,
      storedBytes: () => this.#chunks.bytes,
      onJob: () => this.#writer.wake(),
    })
    this.append = (stream) => this.#intake.append(stream)
    const next = () => this.#writer.next
    this.#marks = new Marks({
      files,
      bufferPath: config.path,
      recovered: recovered.marks,
      keptNext: recovered.marksNext,
      next,
    })
    this.marks = this.#marks
    this.#writer = new ChunkWriter({
      files,
      clock,
      log,
      directory: chunkDirectory(config.path),
      bufferId: recovered.bufferId,
      chunkSizeBytes,
      ackWritten,
      next: recovered.next,
      chunkNumber: recovered.chunkNumber,
      take: () => this.#intake.takeJob(),
      onProgress: (progress) => this.#progress(progress),
      onDone: (job, stored) => {
        if (stored) this.#marks.stored(job.marks)
        this.#intake.jobDone(job, stored)
      },
    })
    this.#publish()
    this.#deleteLater()
  }

  spool(): Promise<Spool> {
    if (this.#closed !== undefined) return Promise.reject(new LogboomError('LB-B004', {}))
    this.#spools += 1
    return openSpool(this.#parts.files, path.join(this.#config.path, 'spool'), this.#spools)
  }

  async seat(output: string): Promise<ReaderSeat> {
    let cursor = this.#seats.get(output)
    if (cursor === undefined) {
      // At 0 it holds everything until its cursor is read.
      cursor = new SharedCursor()
      this.#seats.set(output, cursor)
      this.#expected.delete(output)
      const record = await readCursor(this.#parts.files, cursorFileName(this.#config.path, output))
      // A deletion that began before does not go on behind the seat's back.
      await this.#deleting
      cursor.set(record?.cursor ?? 0)
    }
    const { bufferId } = this.#parts.recovered
    const data: FileSeat = { path: this.#config.path, bufferId, shared: this.#shared.memory, cursor: cursor.memory }
    return { module: new URL('./reader.ts', import.meta.url).href, output, data }
  }

  leave(output: string): void {
    this.#seats.delete(output)
    this.#expected.delete(output)
  }

  status(): BufferStatus {
    const pending = this.#intake.queuedAppends + (this.#writer.job?.appends ?? 0)
    return {
      bytes: this.#chunks.bytes,
      limitBytes: this.#config.maxSizeBytes,
      chunks: this.#chunks.length,
      first: this.#oldest(),
      next: this.#writer.next,
      waiting: this.#intake.waiting + (this.#writer.trouble === undefined ? 0 : pending),
      trouble: this.#trouble(),
      duplicates: this.#intake.duplicates,
      recovered: this.#parts.recovered.report,
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#intake.close()
    await this.#writer.close()
    // What is in the chunks needs no file; this waits for one that is being written.
    await this.#marks.keep(this.#writer.next).catch(() => {})
    clearTimeout(this.#timer)
    await this.#deleting
    clearTimeout(this.#timer)
    this.#parts.lock.release()
  }

  #trouble(): string | undefined {
    if (this.#writer.trouble !== undefined) return this.#writer.trouble
    if (this.#intake.waiting === 0 || !this.#intake.full) return undefined
    let slowest: string | undefined
    let lowest = Number.POSITIVE_INFINITY
    for (const [output, cursor] of this.#seats) {
      if (cursor.get() >= lowest) continue
      lowest = cursor.get()
      slowest = output
    }
    const why = slowest === undefined ? 'no output reads from it' : `output \`${slowest}\` is the furthest behind`
    return `the buffer is full (buffer.max_size): ${why}`
  }

  #oldest(): number {
    return this.#chunks.oldest?.first ?? this.#writer.next
  }

  #progress({ next, chunkFirst, chunkBytes }: Progress): void {
    // Of a chunk whose marks are in the file MARKS the next start needs nothing but its end.
    if (chunkFirst !== this.#active.first) this.#marks.keep(chunkFirst).catch((error) => this.#warnOfMarks(error))
    this.#chunks.grow({ first: chunkFirst, next, bytes: chunkBytes })
    this.#active = { first: chunkFirst, bytes: chunkBytes }
    this.#publish()
  }

  #warnOfMarks(error: Error): void {
    this.#parts.log.warn({ reason: error.message }, 'the file MARKS could not be written; the marks are in the chunks')
  }

  #publish(): void {
    const { first, bytes } = this.#active
    const next = this.#writer.next
    this.#shared.publish({ next, oldest: this.#oldest(), activeFirst: first, activeBytes: bytes })
  }

  #deleteLater(): void {
    this.#timer = setTimeout(() => {
      this.#deleting = this.#deletePassed().finally(() => {
        if (this.#closed === undefined) this.#deleteLater()
      })
    }, DELETE_MS).unref()
  }

  /** Deletes the chunks that every output's durable cursor has passed. */
  async #deletePassed(): Promise<void> {
    try {
      for (;;) {
        const chunk = this.#chunks.passed(this.#lowestCursor())
        if (chunk === undefined) break
        await this.#deleteChunk(chunk)
        this.#intake.admitWaiting()
      }
      if (this.#intake.waiting > 0) this.#rollIfDone(this.#lowestCursor())
    } catch (error) {
      const reason = (error as Error).message
      this.#parts.log.warn({ reason }, 'a chunk that every output has passed could not be deleted; it is tried again')
    }
  }

  /**
   * Its outputs' cursors are durable, and its marks are kept. The folder is synced each time, so that a crash cannot
   * bring back a chunk from the middle.
   */
  async #deleteChunk({ first, next }: StoredChunk): Promise<void> {
    const { files } = this.#parts
    await this.#marks.keep(next)
    const directory = chunkDirectory(this.#config.path)
    await failpoint('buffer.delete.before-unlink')
    await files.unlink(path.join(directory, chunkFileName(first)))
    await failpoint('buffer.delete.after-unlink')
    await files.syncDirectory(directory)
    this.#chunks.removeOldest()
    this.#publish()
  }

  /** The buffer is full of what is done, all in the chunk that is being written: a new one lets it go. */
  #rollIfDone(cursor: number): void {
    const newest = this.#chunks.newest
    if (newest !== undefined && newest.first < newest.next && newest.next <= cursor) this.#writer.roll()
  }

  #lowestCursor(): number {
    if (this.#expected.size > 0 || this.#seats.size === 0) return 0
    return Math.min(...[...this.#seats.values()].map((cursor) => cursor.get()))
  }
}
