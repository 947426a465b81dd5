/**
 * The chunk file that is being written: made durable before its first group, cut back or fenced when its disk fails.
 */
import path from 'node:path'
import { failpoint } from '../server/core/failpoints.ts'
import { encodeChunkEnd } from './chunk-end.ts'
import { CHUNK_HEADER_BYTES, chunkFileName, encodeChunkHeader } from './chunk-format.ts'
import { REMEMBERED_MESSAGES_MIN } from './duplicates.ts'
import type { FileSystem, OpenFile } from './file-system.ts'

export interface NewChunk {
  /** The folder of the chunks. */
  readonly directory: string
  readonly bufferId: Uint8Array
  readonly number: number
  readonly first: number
  readonly createdMs: number
}

/** The disk took fewer bytes than it was given: it is full. */
export class ShortWrite extends Error {
  override readonly name = 'ShortWrite'
  constructor(written: number, wanted: number) {
    super(`only ${written} of ${wanted} bytes were written: the disk is full`)
  }
}

export class ChunkFile {
  readonly first: number
  /** Up to the end of the last group that is durable. */
  durableBytes = CHUNK_HEADER_BYTES
  /** Where the next piece goes. */
  #end = CHUNK_HEADER_BYTES
  readonly #file: OpenFile
  /** Id bases of the messages that are durable in it, oldest first. */
  #messages: string[] = []
  #marks = 0

  constructor(file: OpenFile, first: number) {
    this.#file = file
    this.first = first
  }

  /** Writes the pieces behind those before. Throws when the disk did not take them all. */
  async append(pieces: readonly Uint8Array[]): Promise<void> {
    let wanted = 0
    for (const piece of pieces) wanted += piece.length
    const written = await this.#file.write(pieces, this.#end)
    if (written !== wanted) throw new ShortWrite(written, wanted)
    this.#end += wanted
  }

  /**
   * Makes what was appended durable. If it throws, this file must be fenced: a second fsync would succeed and mean
   * nothing.
   */
  async sync(): Promise<void> {
    await this.#file.syncData()
    this.durableBytes = this.#end
  }

  /** Takes back what was appended since the last `sync`. */
  async cutBack(): Promise<void> {
    this.#end = this.durableBytes
    await this.#file.truncate(this.durableBytes)
  }

  /** These messages are durable in it: they will be told when it is sealed, the newest of them. */
  noteMessages(ids: readonly string[]): void {
    for (const id of ids) this.#messages.push(id)
    if (this.#messages.length > 2 * REMEMBERED_MESSAGES_MIN) this.#messages = this.#newestMessages()
  }

  /** So many marks more are durable in it. */
  noteMarks(count: number): void {
    this.#marks += count
  }

  /** Ends the chunk in good order. Nothing is lost without it, but then the next start goes through the chunk. */
  async seal(next: number, seed: number): Promise<void> {
    await this.append([encodeChunkEnd({ next, messages: this.#newestMessages(), marks: this.#marks }, seed)])
    await this.sync()
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  #newestMessages(): string[] {
    return this.#messages.slice(-REMEMBERED_MESSAGES_MIN)
  }
}

/**
 * Makes a chunk whose header and name are durable: file first, then folder.
 * A file of that name can only be one that was given up before any event in it was acknowledged.
 */
export async function createChunk(files: FileSystem, chunk: NewChunk): Promise<ChunkFile> {
  const name = path.join(chunk.directory, chunkFileName(chunk.first))
  await files.unlink(name)
  const file = await files.open(name, 'create')
  try {
    const header = encodeChunkHeader(chunk)
    const written = await file.write([header], 0)
    if (written !== header.length) throw new ShortWrite(written, header.length)
    await file.sync()
    await failpoint('buffer.create.before-directory-sync')
    await files.syncDirectory(chunk.directory)
  } catch (error) {
    await file.close().catch(() => {})
    throw error
  }
  return new ChunkFile(file, chunk.first)
}
