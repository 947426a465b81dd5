/**
 * Group commit: takes the jobs one after the other, and for each: write → fdatasync → tell how far all is durable →
 * acknowledge. What comes while one is synced is the next. A disk that fails makes it try again; it never acknowledges
 * early.
 */
import type { Clock } from '../server/core/clock.ts'
import { LogboomError } from '../server/core/errors.ts'
import { failpoint } from '../server/core/failpoints.ts'
import type { Logger } from '../server/core/log.ts'
import { type ChunkFile, createChunk } from './chunk-file.ts'
import { CHUNK_HEADER_BYTES, headerSeed } from './chunk-format.ts'
import type { FileSystem } from './file-system.ts'
import type { WriteJob } from './write-job.ts'

/** Pause before a job is tried again after a fault of the disk. */
const RETRY_PAUSE_MS = 1_000

export interface WriterOptions {
  readonly files: FileSystem
  readonly clock: Clock
  readonly log: Logger
  /** The folder of the chunks. */
  readonly directory: string
  readonly bufferId: Uint8Array
  readonly chunkSizeBytes: number
  /** Acknowledge after the write; the sync follows. */
  readonly ackWritten: boolean
  /** Position of the first event that will be written, and the number of the first chunk. */
  readonly next: number
  readonly chunkNumber: number
  /** The next job; undefined when there is none just now, and `wake` is called when there is. */
  readonly take: () => WriteJob | undefined
  /** A job is durable, or a chunk was made. Called before the job is acknowledged. */
  readonly onProgress: (progress: Progress) => void
  /** The job is stored, or refused. */
  readonly onDone: (job: WriteJob, stored: boolean) => void
}

export interface Progress {
  readonly next: number
  readonly chunkFirst: number
  readonly chunkBytes: number
}

export class ChunkWriter {
  /** Why nothing is acknowledged just now. */
  trouble: string | undefined
  next: number
  /** The job that is being written. */
  job: WriteJob | undefined
  readonly #options: WriterOptions
  readonly #seed: number
  readonly #closing = new AbortController()
  #chunkNumber: number
  #chunk: ChunkFile | undefined
  #rollAsked = false
  #running: Promise<void> | undefined

  constructor(options: WriterOptions) {
    this.#options = options
    this.#seed = headerSeed(options.bufferId)
    this.next = options.next
    this.#chunkNumber = options.chunkNumber
  }

  /** There is a job. The first is taken when the sockets that are ready now were read, so that they share one sync. */
  wake(): void {
    this.#running ??= new Promise((resolve) => setImmediate(resolve)).then(() => this.#run())
  }

  /** Begins a new chunk although the last has room, so that the last can be deleted. */
  roll(): void {
    this.#rollAsked = true
    this.wake()
  }

  /** Stores what is left, and seals the chunk. Jobs that the disk does not take now are refused. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.wake()
    while (this.#running !== undefined) await this.#running
    await this.#leaveChunk()
  }

  async #run(): Promise<void> {
    for (;;) {
      if (this.#rollAsked) await this.#rollNow()
      this.job = this.#options.take()
      if (this.job === undefined) break
      await this.#store(this.job)
      this.job = undefined
    }
    this.#running = undefined
  }

  async #store(job: WriteJob): Promise<void> {
    for (;;) {
      try {
        await this.#tryToStore(job)
        this.#recovered()
        return
      } catch (error) {
        if (error instanceof LogboomError) return this.#refuse(job, error)
        this.#complain(error as Error)
        if (this.#closing.signal.aborted) return this.#refuse(job, this.#unwritable(error as Error))
        await this.#options.clock.sleep(RETRY_PAUSE_MS, this.#closing.signal)
      }
    }
  }

  async #tryToStore(job: WriteJob): Promise<void> {
    const chunk = await this.#chunkFor(job)
    const next = await this.#write(chunk, job)
    if (this.#options.ackWritten) job.acknowledge()
    await this.#sync(chunk)
    this.next = next
    chunk.noteMessages(job.ids)
    chunk.noteMarks(job.marks.length)
    this.#tell(chunk)
    job.acknowledge()
    this.#options.onDone(job, true)
    job.release()
  }

  #refuse(job: WriteJob, error: LogboomError): void {
    this.#options.onDone(job, false)
    job.refuse(error)
  }

  async #write(chunk: ChunkFile, job: WriteJob): Promise<number> {
    try {
      const next = await job.write(chunk, this.next, this.#seed)
      await failpoint('buffer.after-write')
      return next
    } catch (error) {
      // If this fails too the next try writes over what is left, and after a crash recovery cuts it off.
      await chunk.cutBack().catch(() => {})
      throw error
    }
  }

  async #sync(chunk: ChunkFile): Promise<void> {
    try {
      await chunk.sync()
      await failpoint('buffer.after-sync')
    } catch (error) {
      await this.#fence()
      throw error
    }
  }

  /**
   * After a failed sync the kernel may have marked the pages clean: nothing since the last group can be trusted to be
   * on disk, and no further sync of this file would tell. The group goes to a new chunk, which begins at the group's
   * first position; for readers and for recovery the newer chunk is the one that counts.
   */
  async #fence(): Promise<void> {
    const chunk = this.#chunk
    this.#chunk = undefined
    await chunk?.close().catch(() => {})
  }

  async #chunkFor(job: WriteJob): Promise<ChunkFile> {
    const chunk = this.#chunk
    const used = chunk?.durableBytes ?? 0
    if (used > CHUNK_HEADER_BYTES && used + job.bytes > this.#options.chunkSizeBytes) await this.#leaveFullChunk()
    this.#chunk ??= await this.#createChunk()
    return this.#chunk
  }

  async #createChunk(): Promise<ChunkFile> {
    const { files, directory, bufferId, clock } = this.#options
    const place = { number: this.#chunkNumber, first: this.next }
    const chunk = await createChunk(files, { directory, bufferId, ...place, createdMs: clock.now() })
    this.#chunkNumber += 1
    this.#tell(chunk)
    return chunk
  }

  /** Seals the chunk, so that the next job begins a new one. */
  async #leaveChunk(): Promise<void> {
    const chunk = this.#chunk
    if (chunk === undefined) return
    this.#chunk = undefined
    try {
      await chunk.seal(this.next, this.#seed)
      this.#tell(chunk)
    } catch (error) {
      this.#options.log.warn({ reason: (error as Error).message }, 'a chunk could not be sealed; nothing is lost')
    }
    await chunk.close().catch(() => {})
  }

  async #leaveFullChunk(): Promise<void> {
    await this.#leaveChunk()
    await failpoint('buffer.roll')
  }

  async #rollNow(): Promise<void> {
    this.#rollAsked = false
    if (this.#closing.signal.aborted || this.#chunk?.durableBytes === CHUNK_HEADER_BYTES) return
    try {
      await this.#leaveFullChunk()
      this.#chunk = await this.#createChunk()
      this.#recovered()
    } catch (error) {
      this.#complain(error as Error)
    }
  }

  #tell(chunk: ChunkFile): void {
    this.#options.onProgress({ next: this.next, chunkFirst: chunk.first, chunkBytes: chunk.durableBytes })
  }

  #unwritable(cause: Error): LogboomError {
    return new LogboomError('LB-B003', { path: this.#options.directory, reason: cause.message }, { cause })
  }

  #complain(cause: Error): void {
    const error = this.#unwritable(cause)
    if (this.trouble !== error.message) this.#options.log.error({ code: error.code }, `${error.message}. ${error.help}`)
    this.trouble = error.message
  }

  #recovered(): void {
    if (this.trouble === undefined) return
    this.trouble = undefined
    this.#options.log.info({}, 'the buffer can be written again; what waited is stored')
  }
}
