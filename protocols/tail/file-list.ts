/**
 * Which files are followed: found by the globs, known again by device and inode and by the bytes before their place,
 * kept after a rotation until they are read to their end.
 */
import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { LogboomError } from '../../server/core/errors.ts'
import { createRateLimit } from '../../server/core/log.ts'
import type { InputContext } from '../protocol.ts'
import { createdSince, type FoundFile, findFiles, findSiblings, openToRead, readPrint } from './find-files.ts'
import { LIMITS } from './limits.ts'
import { decodePlace, encodePlace, type KeptPlace, type Place, placeAt, takePrint } from './place.ts'
import { tagOf } from './tag.ts'
import { type FileKey, fileKey, type TailedFile } from './tailed-file.ts'

export interface FileListOptions {
  readonly context: InputContext
  readonly patterns: readonly string[]
  readonly exclude: readonly string[]
  readonly tag: string
  readonly readFromHead: boolean
  readonly fileLimit: number
}

/** `path`: the name it goes by; after a rotation not the one it is found under. */
interface Following extends KeptPlace {
  readonly rotatedMs: number | undefined
}

interface FinishedFile {
  readonly path: string
  /** Since when it is missing from its folder, monotonic ms; undefined: it was there when it was last looked for. */
  goneMs: number | undefined
}

export class FileList {
  readonly files = new Map<FileKey, TailedFile>()
  readonly #options: FileListOptions
  readonly #complain
  /** Files by every name they are known under, for what the system tells. */
  readonly #names = new Map<string, TailedFile>()
  /** Files that were read to their end and left. */
  readonly #finished = new Map<FileKey, FinishedFile>()
  /** When the last search began. */
  #searchedMs = 0

  constructor(options: FileListOptions) {
    this.#options = options
    this.#complain = createRateLimit(LIMITS.complaintMs, () => options.context.clock.monotonic())
  }

  /**
   * The first search. Files that were followed before and lost their name since are looked for too. Where the input has
   * never run, and it shall not read from the head, files begin at their end.
   */
  async start(): Promise<void> {
    const { context, readFromHead } = this.#options
    const marks = context.marks.find(this.#source(''))
    const isFirst = marks.size === 0
    const found = await this.#find()
    await this.#findRotated(new Set(found.map(({ key }) => key)), marks)
    const placeOf = isFirst && !readFromHead ? atEnd : async () => placeAt(0)
    await this.#take(found, placeOf)
    if (!isFirst) return
    await context.marks.set([
      ...[...this.files.values()].map((file) => ({ source: file.source, place: encodePlace(file) })),
      { source: this.#source('started'), place: 'yes' },
    ])
  }

  /** Looks for files that have come, gone, or changed their names. What has come is read from its head. */
  async refresh(): Promise<void> {
    const found = await this.#find()
    const keys = new Set(found.map(({ key }) => key))
    const gone = [...this.files.values()].filter(({ key, rotatedMs }) => !keys.has(key) && rotatedMs === undefined)
    for (const file of gone) file.rotatedMs = this.#options.context.clock.monotonic()
    for (const file of gone) await this.#findUnseen(file, keys)
    await this.#take(found, async () => placeAt(0))
  }

  /** By the name that the system says has changed. */
  named(name: string): TailedFile | undefined {
    return this.#names.get(name)
  }

  /** Folders in which files are followed. */
  folders(): Set<string> {
    return new Set([...this.#names.keys()].map((name) => path.dirname(name)))
  }

  /**
   * The file was read to its end and will not grow. Its mark is kept as long as the file is on disk: it may get a name
   * of the globs again, or have lost it only because a folder could not be read for a moment.
   */
  async done(file: TailedFile): Promise<void> {
    this.files.delete(file.key)
    this.#count()
    for (const [name, named] of this.#names) if (named === file) this.#names.delete(name)
    for (const other of this.files.values()) if (other.predecessor === file) other.predecessor = undefined
    this.#finished.set(file.key, { path: file.path, goneMs: undefined })
    await file.handle.close()
  }

  /**
   * Forgets the marks of files that were read to their end and are deleted. While others are renamed a folder may be
   * listed without a file that is in it: so a file is deleted when it has been missing for a while.
   */
  async forgetDeleted(): Promise<void> {
    const { context } = this.#options
    const now = context.clock.monotonic()
    const folders = new Map<string, Set<FileKey> | undefined>()
    for (const [key, file] of this.#finished) {
      const folder = path.dirname(await realpath(file.path).catch(() => file.path))
      if (!folders.has(folder)) folders.set(folder, await keysIn(folder))
      const keys = folders.get(folder)
      if (keys === undefined) continue
      file.goneMs = keys.has(key) ? undefined : (file.goneMs ?? now)
      if (file.goneMs === undefined || now - file.goneMs < LIMITS.goneMs) continue
      this.#finished.delete(key)
      if (!this.files.has(key)) await context.marks.set([{ source: this.#source(key), place: undefined }])
    }
  }

  async close(): Promise<void> {
    const handles = [...this.files.values()].flatMap(({ handle, copies }) => [handle, ...copies])
    await Promise.all(handles.map((handle) => handle.close()))
    this.files.clear()
    this.#count()
  }

  #find(): Promise<FoundFile[]> {
    // By the clock that the file system stamps its files with.
    this.#searchedMs = Date.now()
    return findFiles(this.#options.patterns, this.#options.exclude)
  }

  #source(name: string): string {
    return `${this.#options.context.name}/${name}`
  }

  #count(): void {
    this.#options.context.stats.files = this.files.size
  }

  async #take(found: readonly FoundFile[], placeOf: (file: FoundFile) => Promise<Place>): Promise<void> {
    for (const file of found) {
      const known = this.files.get(file.key)
      if (known === undefined) {
        await this.#follow(file, placeOf)
        continue
      }
      known.rotatedMs = undefined
      known.liveMs = this.#searchedMs
      if (known.path !== file.path) await this.#rename(known, file.path)
    }
  }

  async #rename(file: TailedFile, name: string): Promise<void> {
    for (const [old, named] of this.#names) if (named === file) this.#names.delete(old)
    file.path = name
    await this.#name(file)
  }

  async #name(file: TailedFile): Promise<void> {
    const real = await realpath(file.path).catch(() => file.path)
    for (const name of [file.path, real]) this.#names.set(name, file)
  }

  async #follow(found: FoundFile, placeOf: (file: FoundFile) => Promise<Place>): Promise<void> {
    if (this.files.size >= this.#options.fileLimit) return this.#tooMany(found.path)
    const place = this.#kept(found.key) ?? (await placeOf(found).catch(() => placeAt(0)))
    await this.#open(found, { path: found.path, place, rotatedMs: undefined, liveMs: this.#searchedMs })
  }

  async #open(found: FoundFile, { path: name, place, rotatedMs, liveMs }: Following): Promise<void> {
    const { context, tag } = this.#options
    try {
      const handle = await openToRead(found.path)
      const stats = await handle.stat({ bigint: true })
      // It was rotated meanwhile: the next search finds both.
      if (fileKey(stats) !== found.key || !stats.isFile()) return void (await handle.close())
      const named = this.#names.get(name)
      const now = context.clock.monotonic()
      const file: TailedFile = {
        ...{ key: found.key, source: this.#source(found.key), path: name, handle, place, rotatedMs, liveMs },
        tag: Buffer.from(tagOf(tag, name)),
        pathBytes: Buffer.from(name),
        predecessor: named?.rotatedMs === undefined ? undefined : named,
        ...{ copies: [], seen: 0, grownMs: now, caughtUp: false, retryMs: 0, busy: false, changed: false },
      }
      this.files.set(file.key, file)
      this.#count()
      await this.#name(file)
    } catch (error) {
      this.#say(new LogboomError('LB-T002', { path: found.path, reason: (error as Error).message }))
    }
  }

  /**
   * Files that have a mark and no name of the globs: rotated while nobody looked. They are found by their inode beside
   * the name they had. Of those that are gone for good the mark is forgotten, later.
   */
  async #findRotated(keys: ReadonlySet<FileKey>, marks: ReadonlyMap<string, string>): Promise<void> {
    for (const [source, text] of marks) {
      const key = source.slice(this.#source('').length)
      const kept = decodePlace(text)
      if (kept === undefined || keys.has(key)) continue
      const real = await realpath(kept.path).catch(() => kept.path)
      const siblings = await findSiblings(real).catch(() => undefined)
      const file = siblings?.find((each) => each.key === key)
      if (file === undefined) this.#finished.set(key, { path: kept.path, goneMs: undefined })
      // Under its old name it was not rotated: the configuration no longer names it.
      if (file === undefined || file.path === real) continue
      if (!this.files.has(key)) await this.#open(file, { ...kept, rotatedMs: this.#options.context.clock.monotonic() })
      await this.#findUnseen(kept, keys)
    }
  }

  /** What had the path of a rotated file after it, and was rotated too, before anybody looked. */
  async #findUnseen({ path: name, liveMs }: Pick<KeptPlace, 'path' | 'liveMs'>, keys: ReadonlySet<FileKey>) {
    const real = await realpath(name).catch(() => name)
    const siblings = await findSiblings(real).catch(() => [])
    const rotatedMs = this.#options.context.clock.monotonic()
    for (const file of createdSince(siblings, real, liveMs)) {
      if (keys.has(file.key) || this.files.has(file.key)) continue
      await this.#open(file, { path: name, place: this.#kept(file.key) ?? placeAt(0), rotatedMs, liveMs })
    }
  }

  #kept(key: FileKey): Place | undefined {
    const source = this.#source(key)
    const kept = this.#options.context.marks.find(source).get(source)
    return kept === undefined ? undefined : decodePlace(kept)?.place
  }

  #tooMany(name: string): void {
    const { context, fileLimit } = this.#options
    this.#say(new LogboomError('LB-T004', { path: name, limit: fileLimit, input: context.name }))
  }

  #say(error: LogboomError): void {
    const { log } = this.#options.context
    this.#complain(`${error.code} ${error.details.path}`, () => {
      log.warn({ code: error.code }, `${error.message}. ${error.help}`)
    })
  }
}

async function keysIn(folder: string): Promise<Set<FileKey> | undefined> {
  const files = await findSiblings(path.join(folder, '-')).catch(() => undefined)
  return files && new Set(files.map(({ key }) => key))
}

async function atEnd({ path: name, size }: FoundFile): Promise<Place> {
  const handle = await openToRead(name)
  try {
    const print = await readPrint(handle, size)
    const place = placeAt(size)
    takePrint(place, print, 0, print.length)
    return place
  } finally {
    await handle.close()
  }
}
