/**
 * The store of one output's dead letters: what comes is appended, in groups; what is done with is removed. The files
 * are dead-letter-files.ts's matter; why an event died is the engine's.
 */
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Logger } from '../core/log.ts'
import {
  fileNames,
  type LetterPlace,
  recoverFile,
  removeDrafts,
  removeFile,
  removeFromFile,
  rewriteFile,
  type StoredFile,
  syncDirectory,
  writeFully,
} from './dead-letter-files.ts'
import { createFileHeader, type DeadLetter, encodeDeadLetter, saltOf } from './dead-letter-format.ts'

/** A file that has grown past this is followed by the next. */
export const DEAD_LETTER_FILE_BYTES = 16 * 2 ** 20

export class DeadLettersFullError extends Error {
  override readonly name = 'DeadLettersFullError'
}

export interface DeadLetters {
  /**
   * Resolves when the letters are durable; those of several calls share one fdatasync. All or none.
   * Throws DeadLettersFullError, or what the disk says: then none counts as kept.
   */
  append(letters: readonly DeadLetter[]): Promise<void>
  /**
   * Takes letters out; resolves when that is durable. What comes in their place is appended first, also where the
   * store is full. One call at a time. Throws what the disk says: a letter may be there once more, and none is lost.
   */
  replace(places: readonly LetterPlace[], letters: readonly DeadLetter[]): Promise<void>
  /** Letters in the store. */
  count(): number
  close(): Promise<void>
}

export interface DeadLettersOptions {
  readonly log: Logger
  /** Bytes of all files; at the limit the output is blocked, and nothing is lost. */
  readonly bytesMax: number
  readonly fileBytes?: number
}

interface OpenFile {
  readonly name: string
  readonly handle: FileHandle
  readonly salt: number
  readonly stored: StoredFile
}

interface Group {
  readonly letters: readonly DeadLetter[]
  /** Also where there is no room. */
  readonly isUrgent: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Opens the store in `directory`, which is made if need be, and cuts torn tails. A file that cannot be read, by damage
 * or since another version wrote it, stays as it is, and the log says so.
 * Throws what the disk says.
 */
export async function openDeadLetters(directory: string, options: DeadLettersOptions): Promise<DeadLetters> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const files = new Map<string, StoredFile>()
  await removeDrafts(directory)
  for (const name of await fileNames(directory)) {
    const stored = await recoverFile(directory, name, options.log)
    if (stored !== undefined) files.set(name, stored)
  }
  return new FileDeadLetters(directory, files, options)
}

/** Appends what waits in one write and one fdatasync; what comes meanwhile waits for the next. */
class FileDeadLetters implements DeadLetters {
  readonly #directory: string
  readonly #files: Map<string, StoredFile>
  readonly #bytesMax: number
  readonly #fileBytes: number
  #waiting: Group[] = []
  #flushing: Promise<void> | undefined
  /** Begun with the first letter after opening, and after any fault: what a failed fdatasync left behind is unknown. */
  #open: OpenFile | undefined

  constructor(directory: string, files: Map<string, StoredFile>, options: DeadLettersOptions) {
    this.#directory = directory
    this.#files = files
    this.#bytesMax = options.bytesMax
    this.#fileBytes = options.fileBytes ?? DEAD_LETTER_FILE_BYTES
  }

  append(letters: readonly DeadLetter[]): Promise<void> {
    return this.#enqueue(letters, false)
  }

  async replace(places: readonly LetterPlace[], letters: readonly DeadLetter[]): Promise<void> {
    if (letters.length > 0) await this.#enqueue(letters, true)
    const byFile = Map.groupBy(places, ({ file }) => file)
    for (const [name, own] of byFile) {
      await this.#remove(
        name,
        own.map(({ start }) => start),
      )
    }
  }

  count(): number {
    return this.#sum((file) => file.letters)
  }

  async close(): Promise<void> {
    await this.#flushing
    await this.#endFile()
  }

  #enqueue(letters: readonly DeadLetter[], isUrgent: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ letters, isUrgent, resolve, reject })
      this.#flushing ??= this.#flushAll()
    })
  }

  /** A file that holds more removed bytes than others is written anew, so that removing makes room. */
  async #remove(name: string, starts: readonly number[]): Promise<void> {
    const stored = this.#files.get(name)
    if (stored === undefined) return
    const removedBytes = await removeFromFile(this.#directory, name, starts)
    stored.letters -= starts.length
    stored.removedBytes += removedBytes
    if (this.#open?.name === name) return
    if (stored.letters === 0) {
      await removeFile(this.#directory, name)
      this.#files.delete(name)
    } else if (stored.removedBytes * 2 >= stored.bytes) {
      this.#files.set(name, await rewriteFile(this.#directory, name))
    }
  }

  async #flushAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const groups = this.#waiting
      this.#waiting = []
      await this.#flush(groups)
    }
    this.#flushing = undefined
  }

  async #flush(groups: readonly Group[]): Promise<void> {
    try {
      const file = await this.#current()
      const written: Group[] = []
      const records: Uint8Array[] = []
      let bytes = 0
      for (const group of groups) {
        const own = group.letters.map((letter) => encodeDeadLetter(letter, file.salt))
        const size = own.reduce((sum, record) => sum + record.byteLength, 0)
        if (!group.isUrgent && !(await this.#hasRoom(bytes + size))) {
          group.reject(new DeadLettersFullError(this.#fullWords()))
          continue
        }
        written.push(group)
        records.push(...own)
        bytes += size
      }
      await this.#write(file, records)
      for (const group of written) group.resolve()
    } catch (error) {
      for (const group of groups) group.reject(error)
    }
  }

  /** Either all records are durable, or what of them reached the file is cut off again where the disk lets us. */
  async #write(file: OpenFile, records: readonly Uint8Array[]): Promise<void> {
    const { handle, stored } = file
    const bytes = Buffer.concat(records)
    try {
      await writeFully(handle, bytes, stored.bytes)
      await handle.datasync()
    } catch (error) {
      await handle.truncate(stored.bytes).catch(() => {})
      await this.#endFile()
      throw error
    }
    stored.bytes += bytes.byteLength
    stored.letters += records.length
  }

  async #hasRoom(bytes: number): Promise<boolean> {
    if (this.#sum((file) => file.bytes) + bytes <= this.#bytesMax) return true
    await this.#forgetDeletedFiles()
    return this.#sum((file) => file.bytes) + bytes <= this.#bytesMax
  }

  #fullWords(): string {
    return `its dead letters are full (${Math.floor(this.#bytesMax / 2 ** 20)} MiB in ${this.#directory})`
  }

  #sum(of: (file: StoredFile) => number): number {
    return [...this.#files.values()].reduce((sum, file) => sum + of(file), 0)
  }

  /** An operator may delete files to make room. */
  async #forgetDeletedFiles(): Promise<void> {
    const present = new Set(await fileNames(this.#directory))
    for (const name of this.#files.keys()) {
      if (!present.has(name) && name !== this.#open?.name) this.#files.delete(name)
    }
  }

  async #current(): Promise<OpenFile> {
    const isDeleted = this.#open !== undefined && (await this.#open.handle.stat()).nlink === 0
    if (isDeleted || (this.#open?.stored.bytes ?? 0) >= this.#fileBytes) await this.#endFile()
    if (isDeleted) await this.#forgetDeletedFiles()
    this.#open ??= await this.#beginFile()
    return this.#open
  }

  /** A file's name must be durable before the first letter in it is. */
  async #beginFile(): Promise<OpenFile> {
    const last = Math.max(0, ...(await fileNames(this.#directory)).map((name) => Number.parseInt(name, 10)))
    const name = `${String(last + 1).padStart(8, '0')}.dlq`
    const header = createFileHeader()
    const handle = await open(path.join(this.#directory, name), 'wx', 0o600)
    try {
      await writeFully(handle, header, 0)
      await handle.datasync()
      await syncDirectory(this.#directory)
    } catch (error) {
      await handle.close().catch(() => {})
      await rm(path.join(this.#directory, name), { force: true }).catch(() => {})
      throw error
    }
    const stored = { bytes: header.byteLength, letters: 0, removedBytes: 0 }
    this.#files.set(name, stored)
    return { name, handle, salt: saltOf(header)!, stored }
  }

  /** A file that never held a letter is taken away, so that a full disk does not fill with empty files. */
  async #endFile(): Promise<void> {
    const file = this.#open
    if (file === undefined) return
    this.#open = undefined
    await file.handle.close().catch(() => {})
    if (file.stored.letters > 0) return
    this.#files.delete(file.name)
    await removeFile(this.#directory, file.name).catch(() => {})
  }
}
