/**
 * Files for the entries of messages that are too large for memory, until they are appended. Nothing in them is
 * durable.
 */
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { LogboomError } from '../server/core/errors.ts'
import type { Spool, SpooledEntries, SpoolSection } from '../server/core/event.ts'
import { LABEL_BYTES, PAYLOAD_BYTES_MAX } from './chunk-format.ts'
import type { FileSystem, OpenFile } from './file-system.ts'

/** A section is ended before it would be larger than this, unless one write is. */
const SECTION_BYTES_MAX = 4 * 1024 * 1024
const WRITE_BYTES_MAX = PAYLOAD_BYTES_MAX - 4 * 1024 - LABEL_BYTES

/** Deletes what an earlier process has left. */
export async function emptySpoolDirectory(files: FileSystem, directory: string): Promise<void> {
  await files.makeDirectory(directory)
  for (const name of await files.list(directory)) await files.unlink(path.join(directory, name))
}

/** `number` tells it from the other spools of this process. */
export async function openSpool(files: FileSystem, directory: string, number: number): Promise<Spool> {
  const name = path.join(directory, `${number}.spool`)
  try {
    return new SpoolFile(files, name, await files.open(name, 'create'))
  } catch (cause) {
    throw unwritable(name, cause as Error)
  }
}

function unwritable(name: string, cause: Error): LogboomError {
  return new LogboomError('LB-B003', { path: name, reason: cause.message }, { cause })
}

class SpoolFile implements Spool {
  readonly #files: FileSystem
  readonly #name: string
  readonly #file: OpenFile
  readonly #sections: { offset: number; byteLength: number; count: number }[] = []
  #bytes = 0
  #crc = 0
  #discarded = false

  constructor(files: FileSystem, name: string, file: OpenFile) {
    this.#files = files
    this.#name = name
    this.#file = file
  }

  /**
   * Throws LogboomError LB-B003 when the disk does not take it, LB-B005 when the entries are larger than a frame may
   * be.
   */
  async write(entries: Uint8Array, count: number): Promise<void> {
    if (entries.length > WRITE_BYTES_MAX) {
      throw new LogboomError('LB-B005', { size: entries.length, limit: WRITE_BYTES_MAX })
    }
    const written = await this.#file.write([entries], this.#bytes).catch((cause: Error) => {
      throw unwritable(this.#name, cause)
    })
    if (written !== entries.length) throw unwritable(this.#name, new Error('the disk is full'))
    this.#crc = crc32(entries, this.#crc)
    const last = this.#sections.at(-1)
    if (last !== undefined && last.byteLength + entries.length <= SECTION_BYTES_MAX) {
      last.byteLength += entries.length
      last.count += count
    } else {
      this.#sections.push({ offset: this.#bytes, byteLength: entries.length, count })
    }
    this.#bytes += entries.length
  }

  async finish(): Promise<SpooledEntries> {
    return {
      byteLength: this.#bytes,
      sections: this.#sections,
      crc32: this.#crc,
      read: (section) => this.#read(section),
      discard: () => this.discard(),
    }
  }

  async discard(): Promise<void> {
    if (this.#discarded) return
    this.#discarded = true
    await this.#file.close()
    await this.#files.unlink(this.#name)
  }

  async #read(section: SpoolSection): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafe(section.byteLength)
    const read = await this.#file.read(bytes, section.offset)
    if (read !== bytes.length) throw new Error(`only ${read} of ${bytes.length} bytes`)
    return bytes
  }
}
