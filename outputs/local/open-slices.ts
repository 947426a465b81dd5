/** The slices that a search reads: opened when needed, a bounded number at a time, dropped when they are deleted. */
import { statSync } from 'node:fs'
import type { Position } from '../../server/core/event.ts'
import { openToRead } from './schema.ts'
import { listSlices } from './slice-files.ts'
import { SliceReader } from './slice-reader.ts'
import { isDamage } from './sqlite-fault.ts'

/** Connections that stay open: each costs about 1 MiB. */
const OPEN_MAX = 8

export interface Slice {
  readonly path: string
  readonly first: Position
  /** Where the next slice begins: positions of this one are below. */
  readonly end: Position
}

interface OpenSlice {
  readonly reader: SliceReader
  /** A file of the same name may be another one. */
  readonly inode: number
}

export class OpenSlices {
  readonly #directory: string
  readonly #onDamage: (path: string, reason: string) => void
  /** The one used last stands last. */
  readonly #open = new Map<string, OpenSlice>()

  constructor(directory: string, onDamage: (path: string, reason: string) => void) {
    this.#directory = directory
    this.#onDamage = onDamage
  }

  /** What is there now, in the order of positions. */
  list(): Slice[] {
    const files = listSlices(this.#directory)
    const paths = new Set(files.map((file) => file.path))
    for (const path of this.#open.keys()) if (!paths.has(path)) this.#close(path)
    return files.map((file, index) => ({ ...file, end: files[index + 1]?.first ?? Number.MAX_SAFE_INTEGER }))
  }

  /** @returns what `ask` says; undefined when the slice is gone or damaged, which is said once. */
  use<T>(slice: Slice, ask: (reader: SliceReader) => T): T | undefined {
    try {
      const reader = this.#reader(slice.path)
      return reader && ask(reader)
    } catch (error) {
      this.#close(slice.path)
      if (statSync(slice.path, { throwIfNoEntry: false }) === undefined) return undefined
      if (!isDamage(error)) throw error
      this.#onDamage(slice.path, (error as Error).message)
      return undefined
    }
  }

  close(): void {
    for (const path of [...this.#open.keys()]) this.#close(path)
  }

  #reader(path: string): SliceReader | undefined {
    const inode = statSync(path, { throwIfNoEntry: false })?.ino
    if (inode === undefined) return undefined
    const known = this.#open.get(path)
    this.#open.delete(path)
    if (known?.inode === inode) {
      this.#open.set(path, known)
      return known.reader
    }
    known?.reader.close()
    while (this.#open.size >= OPEN_MAX) this.#close(this.#open.keys().next().value!)
    const reader = new SliceReader(openToRead(path))
    this.#open.set(path, { reader, inode })
    return reader
  }

  #close(path: string): void {
    const open = this.#open.get(path)
    this.#open.delete(path)
    open?.reader.close()
  }
}
