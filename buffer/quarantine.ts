/** Where recovery puts what it cannot read, so that nothing is deleted because it is damaged. */
import path from 'node:path'
import { failpoint } from '../server/core/failpoints.ts'
import { chunkFileName } from './chunk-format.ts'
import type { DamagedBytes } from './chunk-scan.ts'
import { type FileSystem, type OpenFile, readDespiteErrors } from './file-system.ts'

/** Bytes of one damage that are copied. */
const COPY_BYTES_MAX = 64 * 1024 * 1024

export class Quarantine {
  /** Files that were moved here, by name. */
  readonly moved: string[] = []
  readonly #files: FileSystem
  readonly #directory: string

  constructor(files: FileSystem, bufferPath: string) {
    this.#files = files
    this.#directory = path.join(bufferPath, 'quarantine')
  }

  /** Moves the file here, under a name that is free. */
  async move(file: string): Promise<void> {
    const taken = new Set(await this.#files.list(this.#directory))
    const base = path.basename(file)
    let name = base
    for (let copy = 2; taken.has(name); copy++) name = `${base}.${copy}`
    await this.#files.rename(file, path.join(this.#directory, name))
    await failpoint('quarantine.after-rename')
    for (const directory of [this.#directory, path.dirname(file)]) await this.#files.syncDirectory(directory)
    this.moved.push(name)
  }

  /** Keeps a copy of a part of a chunk that is damaged, once. */
  async copy(chunk: OpenFile, first: number, damage: DamagedBytes): Promise<void> {
    const name = `${chunkFileName(first)}.${damage.offset}.damaged`
    if ((await this.#files.list(this.#directory)).includes(name)) return
    const bytes = Buffer.alloc(Math.min(damage.bytes, COPY_BYTES_MAX))
    const read = await readDespiteErrors(chunk, bytes, damage.offset)
    const copy = await this.#files.open(path.join(this.#directory, name), 'create')
    try {
      await copy.write([bytes.subarray(0, read)], 0)
      await copy.sync()
    } finally {
      await copy.close()
    }
  }
}
