/** The manifest on disk: each line is durable when `append` resolves, or has not been written. */
import { type FileHandle, open, readFile, rename } from 'node:fs/promises'
import path from 'node:path'
import { failpoint } from '../../server/core/failpoints.ts'
import { decodeManifest, encodeLine, type Manifest, type ManifestLine } from './manifest-format.ts'

const NAME = 'manifest'
/** What may be appended before the file is written anew, bytes. */
const GROWTH_MAX = 8 * 1024 * 1024

export class ManifestFile {
  readonly #directory: string
  #file: FileHandle
  #end: number
  #grownFrom: number
  /** What a failed append has left is still behind the end. */
  #isDirty = false
  /** Its name is durable. */
  #isNamed = true

  private constructor(directory: string, file: FileHandle, end: number) {
    this.#directory = directory
    this.#file = file
    this.#end = end
    this.#grownFrom = end
  }

  static async read(directory: string): Promise<Manifest> {
    const bytes = await readFile(path.join(directory, NAME)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0)
      throw error
    })
    return decodeManifest(bytes)
  }

  /** Writes a file of this one line in the place of the one that is there. */
  static async create(directory: string, line: ManifestLine): Promise<ManifestFile> {
    const { file, end } = await writeAnew(directory, line)
    await syncDirectory(directory)
    return new ManifestFile(directory, file, end)
  }

  /** True: `replace` would make the file shorter by much. */
  get isLong(): boolean {
    return this.#end - this.#grownFrom > GROWTH_MAX
  }

  /** Throws when the disk does not take it: then nothing was written. One call at a time. */
  async append(line: ManifestLine): Promise<void> {
    const bytes = encodeLine(line)
    await this.#keepName()
    await this.#clean()
    this.#isDirty = true
    await writeAt(this.#file, bytes, this.#end)
    await failpoint('s3.manifest.after-write')
    await this.#file.datasync()
    this.#isDirty = false
    this.#end += bytes.length
  }

  /** The file becomes this one line. */
  async replace(line: ManifestLine): Promise<void> {
    const { file, end } = await writeAnew(this.#directory, line)
    await this.#file.close().catch(() => {})
    this.#file = file
    this.#end = end
    this.#grownFrom = end
    this.#isDirty = false
    this.#isNamed = false
    await this.#keepName()
  }

  /** What is appended must not be in a file that a crash takes the name from. */
  async #keepName(): Promise<void> {
    if (this.#isNamed) return
    await syncDirectory(this.#directory)
    this.#isNamed = true
  }

  /** A whole line that nobody was told of must not be found after a crash. */
  async #clean(): Promise<void> {
    if (!this.#isDirty) return
    await this.#file.truncate(this.#end)
    await this.#file.datasync()
    this.#isDirty = false
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

async function writeAnew(directory: string, line: ManifestLine): Promise<{ file: FileHandle; end: number }> {
  const bytes = encodeLine(line)
  const draft = path.join(directory, `${NAME}.new`)
  const file = await open(draft, 'w+')
  try {
    await writeAt(file, bytes, 0)
    await file.datasync()
    await rename(draft, path.join(directory, NAME))
  } catch (error) {
    await file.close()
    throw error
  }
  return { file, end: bytes.length }
}

/** Makes the names in a folder durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const folder = await open(directory, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Writes all of it, or throws. */
export async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}
