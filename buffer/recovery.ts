/**
 * What happens when a buffer is opened: all that was acknowledged is found again, and it always ends with a buffer
 * that runs.
 */
import path from 'node:path'
import { LogboomError } from '../server/core/errors.ts'
import type { Mark } from '../server/core/event.ts'
import type { Logger } from '../server/core/log.ts'
import type { RecoveryReport } from './buffer.ts'
import { readChunkEnd } from './chunk-end.ts'
import {
  CHUNK_HEADER_BYTES,
  type ChunkHeader,
  chunkFileName,
  decodeChunkHeader,
  FORMAT_VERSION,
  firstOfChunkFile,
  headerSeed,
} from './chunk-format.ts'
import type { StoredChunk } from './chunk-list.ts'
import { type ChunkScan, createScanMemory, type ScannedMark, scanChunk } from './chunk-scan.ts'
import { cursorDirectory, readCursor } from './cursor-file.ts'
import { REMEMBERED_MESSAGES_MIN } from './duplicates.ts'
import { type FileSystem, type OpenFile, readDespiteErrors } from './file-system.ts'
import { type Format, newBufferId, readFormat, writeFormat } from './format-file.ts'
import { readMarks } from './marks.ts'
import { cutTail, makeDurable, sealRecovered } from './newest-chunk.ts'
import { Quarantine } from './quarantine.ts'

/** No event is smaller than this in the buffer: an array, a time and a record. */
const EVENT_BYTES_MIN = 3

export interface Recovered {
  readonly bufferId: Uint8Array
  /** Position and chunk number of what is stored next. */
  readonly next: number
  readonly chunkNumber: number
  readonly chunks: readonly StoredChunk[]
  /** Id bases of the messages that are stored, oldest first. */
  readonly messages: readonly string[]
  /** The newest of each source, oldest first. */
  readonly marks: readonly Mark[]
  /** Those of all streams before it are in the file MARKS. */
  readonly marksNext: number
  readonly report: RecoveryReport
}

export function chunkDirectory(bufferPath: string): string {
  return path.join(bufferPath, 'chunks')
}

/**
 * The lock must be held. Throws LogboomError LB-B002 when a newer version wrote the buffer; then nothing was touched.
 */
export async function recover(files: FileSystem, bufferPath: string, log: Logger): Promise<Recovered> {
  const found = await findChunks(files, bufferPath)
  const format = await findFormat(files, bufferPath, found)
  for (const name of ['chunks', 'cursors', 'quarantine']) await files.makeDirectory(path.join(bufferPath, name))
  const kept = await readMarks(files, bufferPath)
  if (kept.damaged) log.warn({}, 'the file MARKS is damaged: inputs that read files may begin some of them again')
  const recovery = new Recovery(files, bufferPath, log, kept.next)
  // An older version must not open what this one is about to write.
  if (format.version < FORMAT_VERSION && found.length > 0) await writeFormat(files, bufferPath, format)
  await recovery.scanAll(found, format.bufferId)
  const { chunks, report, messages, marks: scanned } = recovery.result()
  // Without a chunk nothing shows which positions were used: a new id makes sure that no event id comes twice.
  const bufferId = chunks.length > 0 ? format.bufferId : newBufferId()
  const floor = Math.max(format.floor, recovery.floor)
  if (!format.onDisk || chunks.length === 0 || floor > format.floor)
    await writeFormat(files, bufferPath, { bufferId, floor })
  const marks = [...kept.marks, ...scanned.filter(({ position }) => position >= kept.next)]
  const next = Math.max(floor, kept.next, chunks.at(-1)?.next ?? 0, await furthestCursor(files, bufferPath))
  const chunkNumber = 1 + found.reduce((highest, { header }) => Math.max(highest, header?.number ?? 0), found.length)
  return { bufferId, next, chunkNumber, chunks, messages, marks, marksNext: kept.next, report }
}

/** A chunk file as it lies there. */
export interface FoundChunk {
  readonly first: number
  readonly bytes: number
  /** Undefined when it cannot be read. */
  readonly header: ChunkHeader | undefined
}

/** The chunk files, oldest first. */
export async function findChunks(files: FileSystem, bufferPath: string): Promise<FoundChunk[]> {
  const found: FoundChunk[] = []
  for (const name of await files.list(chunkDirectory(bufferPath))) {
    const first = firstOfChunkFile(name)
    if (first === undefined) continue
    const file = await files.open(path.join(chunkDirectory(bufferPath), name), 'read')
    try {
      const head = Buffer.alloc(CHUNK_HEADER_BYTES)
      const read = await readDespiteErrors(file, head, 0)
      found.push({ first, bytes: await file.size(), header: decodeChunkHeader(head.subarray(0, read)) })
    } finally {
      await file.close()
    }
  }
  return found
}

/** The buffer's id stands in FORMAT and in every chunk: either is enough. Throws LogboomError LB-B002. */
export async function findFormat(
  files: FileSystem,
  bufferPath: string,
  found: readonly FoundChunk[],
): Promise<Format & { onDisk: boolean }> {
  const file = await readFormat(files, bufferPath)
  if (file.kind === 'valid') return { ...file.format, onDisk: true }
  const header = found.findLast((chunk) => chunk.header !== undefined)?.header
  const version = file.kind === 'missing' ? undefined : file.version
  const newer = file.kind === 'newer' || (header === undefined && Number(version) > FORMAT_VERSION)
  if (newer) throw new LogboomError('LB-B002', { path: bufferPath, found: version ?? 'unknown', known: FORMAT_VERSION })
  return { version: FORMAT_VERSION, bufferId: header?.bufferId ?? newBufferId(), floor: 0, onDisk: false }
}

async function furthestCursor(files: FileSystem, bufferPath: string): Promise<number> {
  let furthest = 0
  for (const name of await files.list(cursorDirectory(bufferPath))) {
    if (!name.endsWith('.cursor')) continue
    const record = await readCursor(files, path.join(cursorDirectory(bufferPath), name))
    furthest = Math.max(furthest, record?.cursor ?? 0, record?.ranges.at(-1)?.to ?? 0)
  }
  return furthest
}

class Recovery {
  /** No new position may lie below: a chunk that cannot be read may have used those. */
  floor = 0
  readonly #files: FileSystem
  readonly #directory: string
  readonly #log: Logger
  readonly #quarantine: Quarantine
  /** Newest first, like the messages. */
  readonly #chunks: StoredChunk[] = []
  readonly #messages: string[] = []
  /** Of the chunks, newest first; those of one chunk oldest first. Only the newest of each source. */
  readonly #marks: ScannedMark[][] = []
  readonly #marked = new Set<string>()
  readonly #marksNext: number
  readonly #memory = createScanMemory()
  #tornBytes = 0
  #damagedFrames = 0
  #damagedEvents = 0

  /** `marksNext`: the marks of all streams before this position are known already. */
  constructor(files: FileSystem, bufferPath: string, log: Logger, marksNext: number) {
    this.#files = files
    this.#marksNext = marksNext
    this.#directory = chunkDirectory(bufferPath)
    this.#log = log
    this.#quarantine = new Quarantine(files, bufferPath)
  }

  /** From the newest to the oldest, since where the next begins decides what counts in one. */
  async scanAll(found: readonly FoundChunk[], bufferId: Uint8Array): Promise<void> {
    for (const chunk of found.toReversed()) await this.#take(chunk, bufferId)
    const [oldest] = found
    const kept = this.#chunks.at(-1)
    if (oldest !== undefined && kept !== undefined) this.#damagedEvents += kept.first - oldest.first
  }

  result(): Pick<Recovered, 'chunks' | 'messages' | 'report'> & { marks: readonly ScannedMark[] } {
    const report = {
      tornBytes: this.#tornBytes,
      damagedFrames: this.#damagedFrames,
      damagedEvents: this.#damagedEvents,
      quarantined: this.#quarantine.moved,
    }
    const marks = this.#marks.toReversed().flat()
    return { chunks: this.#chunks.toReversed(), messages: this.#messages.toReversed(), marks, report }
  }

  async #take(chunk: FoundChunk, bufferId: Uint8Array): Promise<void> {
    const name = path.join(this.#directory, chunkFileName(chunk.first))
    const { header } = chunk
    const newest = this.#chunks.length === 0
    const isForeign =
      header !== undefined && (header.first !== chunk.first || Buffer.compare(header.bufferId, bufferId) !== 0)
    // It holds no event: it was being made when the process ended, perhaps in a life before this buffer had its id.
    if ((header === undefined || isForeign) && chunk.bytes <= CHUNK_HEADER_BYTES && newest)
      return this.#removeUnborn(name, chunk.bytes)
    if (isForeign) return this.#setAside(name, chunk, 'it belongs to another buffer')
    const file = await this.#files.open(name, 'write')
    try {
      if (header !== undefined && (await this.#takeSealed(file, { ...chunk, header }))) return
      const scan = await this.#scan(file, chunk, bufferId)
      if (header === undefined && scan.frames === 0)
        return await this.#setAside(name, chunk, 'nothing in it can be read')
      await this.#keep(file, chunk, scan, headerSeed(bufferId))
    } finally {
      await file.close()
    }
  }

  /** A chunk that was closed in good order: what in it is damaged is found, and counted, when it is read. */
  async #takeSealed(file: OpenFile, chunk: FoundChunk & { readonly header: ChunkHeader }): Promise<boolean> {
    const { first, bytes, header } = chunk
    const newer = this.#chunks.at(-1)
    const wantMessages = this.#wantMessages
    const seed = headerSeed(header.bufferId)
    const end = await readChunkEnd(file, { size: bytes, seed, wantMessages }).catch(() => undefined)
    if (end === undefined || end.next < first || (newer !== undefined && end.next !== newer.first)) return false
    if (header.version === 1 && wantMessages) return false
    // Its marks are in the file MARKS, or it has to be gone through.
    if (end.marks > 0 && end.next > this.#marksNext) return false
    if (newer === undefined) await file.syncData()
    this.#chunks.push({ first, next: end.next, bytes })
    this.#addMessages(end.messages)
    return true
  }

  get #wantMessages(): boolean {
    return this.#messages.length < REMEMBERED_MESSAGES_MIN
  }

  #addMessages(messages: readonly string[]): void {
    for (let i = messages.length - 1; i >= 0 && this.#wantMessages; i--) this.#messages.push(messages[i]!)
  }

  #scan(file: OpenFile, chunk: FoundChunk, bufferId: Uint8Array): Promise<ChunkScan> {
    const newer = this.#chunks.at(-1)
    // Older chunks were synced long ago; their payloads are checked when they are read.
    const verifyPayloads = newer === undefined || newer.next === newer.first
    const { first } = chunk
    const seed = headerSeed(bufferId)
    const wantMessages = this.#wantMessages
    return scanChunk(file, { seed, first, end: newer?.first, verifyPayloads, wantMessages, memory: this.#memory })
  }

  async #keep(file: OpenFile, chunk: FoundChunk, scan: ChunkScan, seed: number): Promise<void> {
    const newest = this.#chunks.length === 0
    const { first, header } = chunk
    const damages = header === undefined ? [{ offset: 0, bytes: CHUNK_HEADER_BYTES }, ...scan.damages] : scan.damages
    this.#damagedFrames += damages.length
    this.#damagedEvents += scan.damagedEvents
    if (damages.length > 0 || scan.damagedEvents > 0) this.#reportDamage(first, scan.damagedEvents)
    for (const damage of damages) await this.#copy(file, first, damage)
    const settled = newest
      ? await this.#settle(file, scan, header?.version === FORMAT_VERSION ? seed : undefined)
      : scan
    this.#chunks.push({ first, next: scan.next, bytes: settled.fileBytes })
    this.#addMessages(settled.messages)
    this.#marks.push(this.#newestMarks(settled.marks))
  }

  /**
   * Makes the newest chunk durable, and with a `seed` seals it. What the disk refuses costs nothing: a torn end that
   * stays does no harm, since a new chunk begins before it; and messages and marks of which nobody knows whether they
   * are durable are forgotten, so that they are stored again when they are sent, or read, again.
   */
  async #settle(
    file: OpenFile,
    scan: ChunkScan,
    seed: number | undefined,
  ): Promise<Pick<ChunkScan, 'fileBytes' | 'messages' | 'marks'>> {
    const { committedBytes, fileBytes, lastGroup } = scan
    let known: Pick<ChunkScan, 'messages' | 'marks'> = {
      messages: scan.messages.slice(0, lastGroup.messagesBefore),
      marks: scan.marks.slice(0, lastGroup.marksBefore),
    }
    this.#tornBytes += fileBytes - committedBytes
    try {
      if (committedBytes < fileBytes) await cutTail(file, scan)
      await makeDurable(file, scan)
      known = scan
      const sealed = seed === undefined || scan.frames === 0 ? committedBytes : await sealRecovered(file, scan, seed)
      return { fileBytes: sealed, messages: known.messages, marks: known.marks }
    } catch (error) {
      this.#log.warn({ reason: (error as Error).message }, 'the end of the newest chunk could not be made good')
      return { fileBytes: committedBytes, messages: known.messages, marks: known.marks }
    }
  }

  #newestMarks(marks: readonly ScannedMark[]): ScannedMark[] {
    const newest = new Map(marks.map((mark) => [mark.source, mark]))
    const unseen = [...newest.values()].filter(({ source }) => !this.#marked.has(source))
    for (const { source } of unseen) this.#marked.add(source)
    return unseen.sort((a, b) => a.position - b.position)
  }

  /**
   * A chunk that was not yet made when the process ended: its header is durable before anything is written behind it.
   */
  async #removeUnborn(name: string, bytes: number): Promise<void> {
    await this.#files.unlink(name)
    this.#tornBytes += bytes
  }

  async #setAside(name: string, chunk: FoundChunk, reason: string): Promise<void> {
    this.#log.error({ code: 'LB-B006', file: name, reason }, `${name} is moved to quarantine/: ${reason}`)
    if (this.#chunks.length === 0)
      this.floor = Math.max(this.floor, chunk.first + Math.ceil(chunk.bytes / EVENT_BYTES_MIN))
    await this.#quarantine.move(name)
  }

  async #copy(file: OpenFile, first: number, damage: { offset: number; bytes: number }): Promise<void> {
    try {
      await this.#quarantine.copy(file, first, damage)
    } catch (error) {
      this.#log.warn({ reason: (error as Error).message }, 'damaged bytes could not be copied to quarantine/')
    }
  }

  #reportDamage(first: number, events: number): void {
    const error = new LogboomError('LB-B006', { file: chunkFileName(first), events })
    this.#log.error({ code: error.code }, `${error.message}. ${error.help}`)
  }
}
