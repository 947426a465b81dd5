/**
 * Where event streams arrive: labelled, told from duplicates, gathered into groups; those for whom there is no room
 * wait.
 */
import { crc32 } from 'node:zlib'
import { LogboomError } from '../server/core/errors.ts'
import type { EventStream, SpooledEntries } from '../server/core/event.ts'
import { CHUNK_HEADER_BYTES, FRAME_HEADER_BYTES, PAYLOAD_BYTES_MAX } from './chunk-format.ts'
import type { Duplicates } from './duplicates.ts'
import { idBaseText, messageIdBase } from './event-id.ts'
import { streamFrameBytes } from './group.ts'
import type { Labels, StreamLabel } from './labels.ts'
import { GroupJob, SpooledJob, spooledBytes, type WriteJob } from './write-job.ts'

/** A group is not made larger than this, unless one stream is. */
const GROUP_BYTES_MAX = 16 * 1024 * 1024
/** Streams that are taken but not yet durable; more wait with the input that sent them. */
const PENDING_BYTES_MAX = 64 * 1024 * 1024
/** What a group needs beside its streams: a COMMIT, and perhaps a SEAL and the header of a chunk. */
const GROUP_OVERHEAD_BYTES = 2 * FRAME_HEADER_BYTES + CHUNK_HEADER_BYTES

export interface IntakeOptions {
  readonly labels: Labels
  readonly duplicates: Duplicates
  readonly chunkSizeBytes: number
  readonly maxSizeBytes: number
  /** The streams' memory is the caller's again before they are durable. */
  readonly copyAll: boolean
  /** Bytes of the chunks on disk. */
  readonly storedBytes: () => number
  /** There is a job to take. */
  readonly onJob: () => void
}

interface Waiting {
  readonly stream: EventStream
  readonly resolve: (stored: Promise<void>) => void
  readonly reject: (error: unknown) => void
}

export class Intake {
  /** Streams that were acknowledged without being stored. */
  duplicates = 0
  /** Bytes of the jobs that are not yet durable. */
  #pendingBytes = 0
  /** Whether the size of the buffer is what makes streams wait. */
  full = false
  readonly #jobs: WriteJob[] = []
  /** The last of the jobs, while streams may be added to it. */
  #group: GroupJob | undefined
  #waiting: Waiting[] = []
  #closed = false
  readonly #options: IntakeOptions
  readonly #groupBytesMax: number

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#groupBytesMax = Math.min(GROUP_BYTES_MAX, options.chunkSizeBytes)
  }

  /** Appends that wait for room. */
  get waiting(): number {
    return this.#waiting.length
  }
  /** Appends that were taken and that the writer has not begun. */
  get queuedAppends(): number {
    return this.#jobs.reduce((sum, job) => sum + job.appends, 0)
  }

  append(stream: EventStream): Promise<void> {
    if (this.#closed) return Promise.reject(new LogboomError('LB-B004', {}))
    if (this.#waiting.length > 0) return this.#wait(stream)
    try {
      return this.#take(stream) ?? this.#wait(stream)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The next job for the writer. */
  takeJob(): WriteJob | undefined {
    const job = this.#jobs.shift()
    if (job === this.#group) this.#group = undefined
    return job
  }

  /** The writer is done with a job: it is stored, or refused. */
  jobDone(job: WriteJob, stored: boolean): void {
    this.#pendingBytes -= job.bytes
    if (!stored) for (const id of job.ids) this.#options.duplicates.forget(id)
    this.admitWaiting()
  }

  /** Takes those who wait, in order, as far as there is room. */
  admitWaiting(): void {
    let admitted = 0
    for (const { stream, resolve, reject } of this.#waiting) {
      try {
        const stored = this.#take(stream)
        if (stored === undefined) break
        resolve(stored)
      } catch (error) {
        reject(error)
      }
      admitted += 1
    }
    if (admitted > 0) this.#waiting = this.#waiting.slice(admitted)
  }

  /** No more streams. Those that wait are refused; those that were taken are not. */
  close(): void {
    this.#closed = true
    for (const { reject } of this.#waiting) reject(new LogboomError('LB-B004', {}))
    this.#waiting = []
  }

  #wait(stream: EventStream): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ stream, resolve, reject })
    })
  }

  /** Undefined when there is no room. Throws when there can never be. */
  #take(stream: EventStream): Promise<void> | undefined {
    const label = this.#options.labels.of(stream)
    const { packed } = stream
    return packed instanceof Uint8Array
      ? this.#takePacked(stream, packed, label)
      : this.#takeSpooled(stream, packed, label)
  }

  #takePacked(stream: EventStream, packed: Uint8Array, label: StreamLabel): Promise<void> | undefined {
    const bytes = streamFrameBytes(packed.length, label)
    if (bytes > PAYLOAD_BYTES_MAX) throw new LogboomError('LB-B005', { size: bytes, limit: PAYLOAD_BYTES_MAX })
    if (!this.#hasRoom(bytes)) return undefined
    const packedCrc = stream.chunkId === undefined ? undefined : crc32(packed)
    const packedBytes = packed.length
    const id = packedCrc === undefined ? undefined : this.#identify(stream, label, { packedCrc, packedBytes })
    const known = this.#known(id)
    if (known !== undefined) return known
    const job = this.#groupFor(bytes)
    const before = job.bytes
    job.add({ packed, packedCrc, count: stream.count, label })
    return this.#added(stream, job, job.bytes - before, id)
  }

  #takeSpooled(stream: EventStream, entries: SpooledEntries, label: StreamLabel): Promise<void> | undefined {
    const bytes = spooledBytes(entries, label)
    if (!this.#hasRoom(bytes)) return undefined
    const id = this.#identify(stream, label, { packedCrc: entries.crc32, packedBytes: entries.byteLength })
    const known = this.#known(id)
    if (known !== undefined) return known
    const job = new SpooledJob(entries, label, bytes)
    this.#jobs.push(job)
    this.#group = undefined
    return this.#added(stream, job, bytes, id)
  }

  /** Puts the id of the message, if it has one, into the label. */
  #identify(
    stream: EventStream,
    label: StreamLabel,
    payload: { packedCrc: number; packedBytes: number },
  ): string | undefined {
    if (stream.chunkId === undefined) return undefined
    label.idBase = messageIdBase({ tag: stream.tag, chunkId: stream.chunkId, ...payload })
    return idBaseText(label.idBase)
  }

  #known(id: string | undefined): Promise<void> | undefined {
    const known = id === undefined ? undefined : this.#options.duplicates.find(id)
    if (known !== undefined) this.duplicates += 1
    return known
  }

  #added(stream: EventStream, job: WriteJob, bytes: number, id: string | undefined): Promise<void> {
    this.#pendingBytes += bytes
    if (stream.mark !== undefined) job.marks.push(stream.mark)
    if (id !== undefined) {
      job.ids.push(id)
      this.#options.duplicates.remember(id, job.promise)
    }
    this.#options.onJob()
    return job.promise
  }

  #hasRoom(bytes: number): boolean {
    const needed = bytes + GROUP_OVERHEAD_BYTES
    const { maxSizeBytes } = this.#options
    if (needed + CHUNK_HEADER_BYTES > maxSizeBytes) {
      const reason = `a message of ${bytes} bytes is larger than the buffer may be (${maxSizeBytes})`
      throw new LogboomError('LB-B003', { path: 'the buffer', reason })
    }
    this.full = this.#options.storedBytes() + this.#pendingBytes + needed > maxSizeBytes
    const pendingFits = this.#pendingBytes === 0 || this.#pendingBytes + needed <= PENDING_BYTES_MAX
    return !this.full && pendingFits
  }

  #groupFor(bytes: number): GroupJob {
    const open = this.#group
    if (open !== undefined && open.bytes + bytes <= this.#groupBytesMax) return open
    const job = new GroupJob({ copyAll: this.#options.copyAll })
    this.#pendingBytes += job.bytes
    this.#jobs.push(job)
    this.#group = job
    return job
  }
}
