/** Keeps the files of one input read: who is woken by what, and when new files are looked for. */
import path from 'node:path'
import type { InputContext } from '../protocol.ts'
import type { BlockReader } from './block-reader.ts'
import { FileList, type FileListOptions } from './file-list.ts'
import { type TurnOptions, type TurnResult, takeTurn } from './file-turn.ts'
import { FolderWatch } from './folder-watch.ts'
import { LIMITS } from './limits.ts'
import { ReadingQueue } from './reading-queue.ts'
import type { TailedFile } from './tailed-file.ts'

export interface TailingOptions extends FileListOptions {
  readonly readers: readonly BlockReader[]
  readonly rotateWaitMs: number
  readonly flushMs: number
  readonly refreshMs: number
}

export class Tailing {
  readonly #context: InputContext
  readonly #options: TailingOptions
  readonly #list: FileList
  readonly #queue: ReadingQueue
  readonly #watch: FolderWatch
  readonly #closing = new AbortController()
  #looking: Promise<void> = Promise.resolve()
  #searching: Promise<void> | undefined
  #searchAgain = false
  readonly #leaving = new Set<Promise<void>>()
  #closed: Promise<void> | undefined

  constructor(options: TailingOptions) {
    this.#options = options
    this.#context = options.context
    this.#list = new FileList(options)
    const isFollowed = (key: string) => this.#list.files.has(key)
    const turn: TurnOptions = { ...options, closing: this.#closing.signal, isFollowed }
    this.#queue = new ReadingQueue({
      context: options.context,
      readers: options.readers,
      takeTurn: (file, reader) => takeTurn(file, reader, turn),
      onTurn: (file, result) => this.#turned(file, result),
    })
    this.#watch = new FolderWatch({ changed: (name) => this.#changed(name), renamed: () => this.#search() })
  }

  async start(): Promise<void> {
    // Watched while it is searched: what comes in between is told, and looked for afterwards.
    this.#searching = this.#list.start().finally(() => {
      this.#searching = undefined
    })
    this.#watch.watch(this.#folders())
    await this.#searching
    this.#afterSearch()
    if (this.#searchAgain) this.#search()
    this.#looking = this.#look()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    this.#watch.close()
    await Promise.all([this.#looking, this.#searching, this.#queue.close()])
    await Promise.all(this.#leaving)
    await this.#list.close()
  }

  /** The safety net beneath what the system tells. */
  async #look(): Promise<void> {
    const { clock } = this.#context
    let searchedMs = clock.monotonic()
    while (!this.#closing.signal.aborted) {
      await clock.sleep(LIMITS.pollMs, this.#closing.signal)
      for (const file of this.#list.files.values()) this.#queue.wake(file)
      if (clock.monotonic() - searchedMs < this.#options.refreshMs) continue
      searchedMs = clock.monotonic()
      this.#search()
    }
  }

  #changed(name: string): void {
    const file = this.#list.named(name)
    if (file !== undefined) this.#queue.wake(file)
  }

  #turned(file: TailedFile, result: TurnResult): void {
    if (result === 'done') {
      const left = this.#list.done(file)
      this.#leaving.add(left)
      left.finally(() => this.#leaving.delete(left))
    }
    if (file.rotatedMs === undefined || !file.caughtUp) return
    for (const other of this.#list.files.values()) if (other.predecessor === file) this.#queue.wake(other)
  }

  /** One search at a time, and one more for all that asked meanwhile. */
  #search(): void {
    if (this.#closing.signal.aborted) return
    this.#searchAgain = true
    this.#searching ??= this.#searchAll().finally(() => {
      this.#searching = undefined
    })
  }

  async #searchAll(): Promise<void> {
    while (this.#searchAgain && !this.#closing.signal.aborted) {
      this.#searchAgain = false
      try {
        await this.#list.refresh()
        await this.#list.forgetDeleted()
        this.#afterSearch()
      } catch (error) {
        this.#context.log.warn({ reason: (error as Error).message }, 'files could not be looked for; it is tried again')
      }
      await this.#context.clock.sleep(LIMITS.searchPauseMs, this.#closing.signal)
    }
  }

  #afterSearch(): void {
    this.#watch.watch(this.#folders())
    for (const file of this.#list.files.values()) this.#queue.wake(file)
  }

  #folders(): Set<string> {
    const folders = this.#list.folders()
    for (const pattern of this.#options.patterns) folders.add(fixedFolder(pattern))
    return folders
  }
}

/** The folder of a glob before its first wildcard. */
function fixedFolder(pattern: string): string {
  const parts = pattern.split('/')
  const wild = parts.findIndex((part) => /[*?[{\\]/.test(part))
  return wild === -1 ? path.dirname(pattern) : parts.slice(0, wild).join('/') || '/'
}
