/** The side of an output, on the output's thread: frames become batches, batches that are done move the cursor. */
import { type Clock, systemClock } from '../server/core/clock.ts'
import type { Batch, Position } from '../server/core/event.ts'
import { BatchBuilder, IdBases, TagTable } from './batch-builder.ts'
import { type Block, BlockPool } from './block-pool.ts'
import type { OpenReader, Reader, ReaderSeat, ReaderStatus, ReadLimits, StoredPart } from './buffer.ts'
import { headerSeed } from './chunk-format.ts'
import { CursorFile, cursorFileName, readCursor } from './cursor-file.ts'
import { DoneRanges } from './done-ranges.ts'
import { type FileSystem, nodeFileSystem } from './file-system.ts'
import { FrameSource, type SourceOptions } from './frame-source.ts'
import { Quarantine } from './quarantine.ts'
import { chunkDirectory } from './recovery.ts'
import { SharedCursor, SharedPosition } from './shared-position.ts'
import { storedParts } from './stored-parts.ts'

/** Longest time from a commit to the durable cursor. */
const CURSOR_DELAY_MS = 1_000
/**
 * Packed bytes that were committed since the cursor was stored: at so many it is stored at once. So chunks are soon
 * deleted, and the memory of their pages is used again by the next ones, for which it is still warm.
 */
const CURSOR_BYTES = 16 * 1024 * 1024
/** Looks for more this often while it lingers: waking up for every group would cost more than it brings. */
const LINGER_STEP_MS = 10
/** A reader that waits looks by itself this often. */
const WAIT_MS = 60_000

/** What a seat of the file buffer carries. */
export interface FileSeat {
  readonly path: string
  readonly bufferId: Uint8Array
  /** Memory of the SharedPosition and of the output's SharedCursor. */
  readonly shared: SharedArrayBuffer
  readonly cursor: SharedArrayBuffer
}

export interface ReaderSurroundings {
  readonly files: FileSystem
  readonly clock: Clock
}

export const openReader: OpenReader = (seat, matches) =>
  openFileReader(seat, matches, { files: nodeFileSystem, clock: systemClock })

export async function openFileReader(
  seat: ReaderSeat,
  matches: (tag: string) => boolean,
  surroundings: ReaderSurroundings,
): Promise<Reader> {
  const data = seat.data as FileSeat
  const { files } = surroundings
  const cursorName = cursorFileName(data.path, seat.output)
  const record = await readCursor(files, cursorName)
  const shared = new SharedPosition(data.shared)
  const cursor = Math.max(record?.cursor ?? 0, shared.look().oldest)
  const quarantine = new Quarantine(files, data.path)
  const options: SourceOptions = {
    files,
    directory: chunkDirectory(data.path),
    seed: headerSeed(data.bufferId),
    shared,
    pool: new BlockPool(),
    position: cursor,
    // Another output may be ahead, or the disk full: the bytes are kept if they can be.
    onDamage: (file, first, damage) => quarantine.copy(file, first, damage).catch(() => {}),
  }
  return new FileReader({
    files,
    directory: options.directory,
    source: new FrameSource(options),
    pool: options.pool,
    shared,
    tags: new TagTable(matches),
    done: new DoneRanges(cursor, record?.ranges),
    cursorFile: new CursorFile(files, cursorName, record),
    sharedCursor: new SharedCursor(data.cursor),
    clock: surroundings.clock,
  })
}

interface ReaderParts {
  readonly files: FileSystem
  /** Of the chunks. */
  readonly directory: string
  readonly source: FrameSource
  readonly pool: BlockPool
  readonly shared: SharedPosition
  readonly tags: TagTable
  readonly done: DoneRanges
  readonly cursorFile: CursorFile
  readonly sharedCursor: SharedCursor
  readonly clock: Clock
}

interface Lent {
  readonly blocks: readonly Block[]
  readonly receivedMs: number | undefined
  /** Events that were passed with it, since they do not match. */
  readonly unmatched: number
}

class FileReader implements Reader {
  readonly #parts: ReaderParts
  readonly #ids = new IdBases()
  /** Batches that are not committed, in order, with what they hold on to. */
  readonly #lent = new Map<Batch, Lent>()
  #done: DoneRanges
  #durableCursor: Position
  #unmatched = 0
  #lastReceivedMs: number | undefined
  #dirty = false
  #bytesSinceStored = 0
  #timer: NodeJS.Timeout | undefined
  #storing: Promise<void> = Promise.resolve()

  constructor(parts: ReaderParts) {
    this.#parts = parts
    this.#done = parts.done
    this.#durableCursor = parts.done.cursor
    parts.sharedCursor.set(this.#durableCursor)
  }

  async read(limits: ReadLimits, signal: AbortSignal): Promise<Batch> {
    signal.throwIfAborted()
    let builder = this.#begin()
    try {
      for (let lingerUntil = 0; ; ) {
        const { version } = this.#parts.shared.look()
        const caughtUp = await this.#fill(builder, limits)
        if (isFull(builder, limits)) return this.#lend(builder)
        if (builder.count > 0) {
          if (lingerUntil === 0) lingerUntil = this.#parts.clock.monotonic() + limits.maxAgeMs
          if (!(await this.#linger(lingerUntil, signal))) return this.#lend(builder)
        } else {
          this.#passUnmatched(builder)
          builder = this.#begin()
          if (caughtUp) await abortable(this.#parts.shared.changed(version, WAIT_MS), signal)
        }
        signal.throwIfAborted()
      }
    } catch (error) {
      await this.#putBack(builder)
      throw error
    }
  }

  commit(batch: Batch, held: readonly Position[] = []): void {
    const lent = this.#lent.get(batch)
    if (lent === undefined) return
    this.#lent.delete(batch)
    this.#unmatched += lent.unmatched
    for (const block of lent.blocks) this.#parts.pool.release(block)
    let from = batch.from
    for (const position of held) {
      this.#finish(from, position)
      from = position + 1
    }
    this.#finish(from, batch.to)
    this.#bytesSinceStored += batch.bytes
    if (this.#bytesSinceStored >= CURSOR_BYTES) this.flush().catch(() => this.#storeLater())
  }

  finish(positions: readonly Position[]): void {
    for (const position of positions) this.#finish(position, position + 1)
  }

  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const before = this.#storing.catch(() => {})
    this.#storing = before.then(() => this.#store())
    await this.#storing
  }

  async seek(to: Position): Promise<void> {
    const { oldest, next } = this.#parts.shared.look()
    const position = Math.min(Math.max(to, oldest), next)
    this.#takeBack()
    this.#parts.sharedCursor.set(Math.min(position, this.#durableCursor))
    await this.#parts.source.seek(position)
    this.#done = new DoneRanges(position)
    this.#dirty = true
    await this.flush()
  }

  async skip(to: Position): Promise<number> {
    this.#takeBack()
    await this.#parts.source.seek(Math.max(to, this.#done.cursor))
    const skipped = this.#done.gaps(0, to).reduce((sum, gap) => sum + gap.to - gap.from, 0)
    this.#finish(this.#done.cursor, to)
    return skipped
  }

  parts(): Promise<readonly StoredPart[]> {
    const { files, directory } = this.#parts
    return storedParts(files, directory)
  }

  status(): ReaderStatus {
    const { next } = this.#parts.shared.look()
    const { cursor, eventsBeyond } = this.#done
    const lagEvents = Math.max(0, next - cursor - eventsBeyond)
    const [oldestLent] = this.#lent.values()
    return {
      cursor: this.#durableCursor,
      doneBeyondEvents: eventsBeyond,
      lagEvents,
      oldestReceivedMs: oldestLent?.receivedMs ?? (lagEvents > 0 ? this.#lastReceivedMs : undefined),
      unmatchedEvents: this.#unmatched,
      damagedEvents: this.#parts.source.damagedEvents,
      lastDamagedChunk: this.#parts.source.lastDamagedChunk,
    }
  }

  async close(): Promise<void> {
    try {
      await this.flush()
    } finally {
      await this.#parts.cursorFile.close()
      await this.#parts.source.close()
    }
  }

  #begin(): BatchBuilder {
    return new BatchBuilder(this.#parts.source.position, this.#parts.tags, this.#ids)
  }

  /** Takes frames until the batch is large enough, a block without a match was read, or (true) all that is durable. */
  async #fill(builder: BatchBuilder, limits: ReadLimits): Promise<boolean> {
    const { source } = this.#parts
    for (;;) {
      while (!isFull(builder, limits) && source.next()) {
        const { position } = source
        const from = position - source.header.count + source.skip
        if (this.#done.areBefore(from)) builder.take(source, from, position)
        else for (const gap of this.#done.gaps(from, position)) builder.take(source, gap.from, gap.to)
      }
      if (isFull(builder, limits)) return false
      if (!(await source.more())) return true
      if (builder.count === 0) return false
    }
  }

  /** Waits for more events; false when the time is up. */
  async #linger(until: number, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#parts
    const rest = until - clock.monotonic()
    if (rest > 0) await clock.sleep(Math.min(LINGER_STEP_MS, rest), signal)
    return rest > 0
  }

  #lend(builder: BatchBuilder): Batch {
    const batch = builder.batch(this.#parts.source.position)
    this.#lastReceivedMs = batch.streams.at(-1)?.receivedMs
    const { blocks, firstReceivedMs: receivedMs, unmatched } = builder
    this.#lent.set(batch, { blocks, receivedMs, unmatched })
    return batch
  }

  /** Nothing of what was read matches: no batch will move the cursor over it. */
  #passUnmatched(builder: BatchBuilder): void {
    this.#unmatched += builder.unmatched
    const to = this.#parts.source.position
    if (to > builder.from) this.#finish(builder.from, to)
  }

  #takeBack(): void {
    for (const { blocks } of this.#lent.values()) for (const block of blocks) this.#parts.pool.release(block)
    this.#lent.clear()
  }

  async #putBack(builder: BatchBuilder): Promise<void> {
    for (const block of builder.blocks) this.#parts.pool.release(block)
    if (builder.count > 0) await this.#parts.source.seek(builder.from)
  }

  #finish(from: Position, to: Position): void {
    this.#done.add(from, to)
    this.#dirty = true
    this.#storeLater()
  }

  /** Where the disk does not take the cursor it is tried again: nothing is lost, but after a crash more comes twice. */
  #storeLater(): void {
    this.#timer ??= setTimeout(() => this.flush().catch(() => this.#storeLater()), CURSOR_DELAY_MS).unref()
  }

  async #store(): Promise<void> {
    if (!this.#dirty) return
    this.#dirty = false
    this.#bytesSinceStored = 0
    const { cursor } = this.#done
    try {
      await this.#parts.cursorFile.store(this.#done)
    } catch (error) {
      this.#dirty = true
      throw error
    }
    this.#durableCursor = cursor
    this.#parts.sharedCursor.set(cursor)
  }
}

function isFull(builder: BatchBuilder, limits: ReadLimits): boolean {
  return builder.count >= limits.maxEvents || builder.bytes >= limits.maxBytes
}

/** Resolves when the promise does or the signal aborts, whichever is first. */
function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => resolve()
    if (signal.aborted) return done()
    signal.addEventListener('abort', done, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', done))
  })
}
