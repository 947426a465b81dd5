/**
 * The dead letters of one output on disk: numbered files, appended to and never rewritten. The bytes are drawn in
 * dead-letter-format.ts; why an event died is the engine's matter.
 */
import { type FileHandle, mkdir, open, readdir, readFile, rm, truncate } from 'node:fs/promises'
import path from 'node:path'
import type { Logger } from '../core/log.ts'
import {
  createFileHeader,
  type DeadLetter,
  decodeDeadLetter,
  encodeDeadLetter,
  saltOf,
  scanDeadLetters,
} from './dead-letter-format.ts'

/** Bytes of all files of one output; at the limit the output is blocked, and nothing is lost. */
export const DEAD_LETTERS_BYTES_MAX = 256 * 2 ** 20
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
  /** Letters in the store. */
  count(): number
  close(): Promise<void>
}

export interface DeadLettersOptions {
  readonly log: Logger
  readonly bytesMax?: number
  readonly fileBytes?: number
}

interface StoredFile {
  bytes: number
  letters: number
}

interface OpenFile {
  readonly name: string
  readonly handle: FileHandle
  readonly salt: number
  readonly stored: StoredFile
}

interface Group {
  readonly letters: readonly DeadLetter[]
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
  for (const name of await fileNames(directory)) {
    files.set(name, await recoverFile(path.join(directory, name), options.log))
  }
  return new FileDeadLetters(directory, files, options)
}

/** All letters of a store in the order they came; damaged ones are left out. The store may be open elsewhere. */
export async function* readDeadLetters(directory: string): AsyncGenerator<DeadLetter> {
  for (const name of await fileNames(directory)) {
    const bytes = await readFile(path.join(directory, name))
    const salt = saltOf(bytes)
    if (salt !== undefined) yield* scanDeadLetters(bytes, salt).bodies.map(decodeDeadLetter)
  }
}

async function fileNames(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => /^\d{8}\.dlq$/.test(name)).sort()
}

async function recoverFile(file: string, log: Logger): Promise<StoredFile> {
  const bytes = await readFile(file)
  const salt = saltOf(bytes)
  if (salt === undefined) {
    log.warn({ file, bytes: bytes.byteLength }, 'a file of dead letters cannot be read; it is left as it is')
    return { bytes: bytes.byteLength, letters: 0 }
  }
  const { bodies, wholeSize, damagedBytes } = scanDeadLetters(bytes, salt)
  if (damagedBytes > 0)
    log.warn({ file, damagedBytes }, 'a file of dead letters is damaged; the others in it are whole')
  if (wholeSize < bytes.byteLength) {
    log.info({ file, tornBytes: bytes.byteLength - wholeSize }, 'cut a dead letter that was never finished')
    await truncate(file, wholeSize)
  }
  return { bytes: wholeSize, letters: bodies.length }
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
    this.#bytesMax = options.bytesMax ?? DEAD_LETTERS_BYTES_MAX
    this.#fileBytes = options.fileBytes ?? DEAD_LETTER_FILE_BYTES
  }

  append(letters: readonly DeadLetter[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ letters, resolve, reject })
      this.#flushing ??= this.#flushAll()
    })
  }

  count(): number {
    return this.#sum((file) => file.letters)
  }

  async close(): Promise<void> {
    await this.#flushing
    await this.#endFile()
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
        if (!(await this.#hasRoom(bytes + size))) {
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
    const stored = { bytes: header.byteLength, letters: 0 }
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
    await rm(path.join(this.#directory, file.name), { force: true }).catch(() => {})
  }
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    done += (await handle.write(bytes, done, bytes.byteLength - done, position + done)).bytesWritten
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
