/**
 * Hears from the system which files change. It may miss some, and it may not be allowed to watch all folders: every
 * file is looked at from time to time as well.
 */
import { type FSWatcher, watch } from 'node:fs'
import path from 'node:path'
import { LIMITS } from './limits.ts'

export interface Heard {
  /** The content of the file of this name has changed. */
  changed(name: string): void
  /** Names in a folder have come or gone. */
  renamed(): void
}

export class FolderWatch {
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #heard: Heard

  constructor(heard: Heard) {
    this.#heard = heard
  }

  /** Watches these folders and no others. Those that cannot be watched are left to the regular looks. */
  watch(folders: ReadonlySet<string>): void {
    for (const folder of this.#watchers.keys()) if (!folders.has(folder)) this.#leave(folder)
    for (const folder of folders) {
      if (!this.#watchers.has(folder) && this.#watchers.size < LIMITS.watches) this.#begin(folder)
    }
  }

  close(): void {
    for (const folder of [...this.#watchers.keys()]) this.#leave(folder)
  }

  #begin(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false })
      watcher.on('change', (type, name) => {
        if (type === 'rename') this.#heard.renamed()
        else if (name !== null) this.#heard.changed(path.join(folder, name.toString()))
      })
      watcher.on('error', () => this.#leave(folder))
      this.#watchers.set(folder, watcher)
    } catch {
      // It does not exist yet, or the system's limit is reached.
    }
  }

  #leave(folder: string): void {
    this.#watchers.get(folder)?.close()
    this.#watchers.delete(folder)
  }
}
