/**
 * Parts of objects on disk, in the output's own folder:
 *
 *   manifest       what is staged (manifest-format.ts)
 *   part-17        compressed pieces back to back: an object to be
 *
 * An append is durable in the parts before the manifest tells of it, so that what the manifest tells is there. What a
 * failed append or a crash leaves behind the bytes that count is written over by the next.
 */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { failpoint } from '../../server/core/failpoints.ts'
import { type Compression, compress } from './compression.ts'
import { type Group, groupName, type Round } from './lines.ts'
import { ManifestFile, syncDirectory, writeAt } from './manifest-file.ts'
import { applyLine, type ManifestLine, type Part, partsOf } from './manifest-format.ts'
import { type Ranges, StagedPositions } from './staged-positions.ts'

/** Parts that are appended to at a time: windows and tags. With more, the one that is due first is sealed. */
export const OPEN_PARTS_MAX = 256
/** Stems of which the last index is remembered; of another one the destination says which is free. */
const INDEXES_MAX = 1_000
/** Parts at a time, sealed ones too: those of an hour's many tags, while the destination is away. */
export const PARTS_MAX = 10_000
const PART_NAME = /^part-(\d{1,15})$/

export interface StagingOptions {
  readonly directory: string
  readonly compression: Compression
  /** A part of this size is full, bytes. */
  readonly maxBytes: number
  /** When a part of a window that is begun now is full at the latest, ms since 1970. */
  readonly dueMs: (windowStart: number) => number
}

export class Staging {
  /** What the start found: positions of events that are staged and may be read again. */
  readonly found: Ranges
  /** Lines and files of the last run that were not whole. */
  readonly damage: readonly string[]
  readonly #options: StagingOptions
  readonly #manifest: ManifestFile
  readonly #parts: Map<number, Part>
  readonly #positions = new StagedPositions()
  /** Ids of the parts that are appended to, by groupName. */
  readonly #open = new Map<string, number>()
  readonly #files = new Map<number, FileHandle>()
  readonly #indexes = new Map<string, number>()
  #nextId: number
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(options: StagingOptions, recovered: Recovered, manifest: ManifestFile) {
    this.#options = options
    this.#manifest = manifest
    this.#parts = recovered.parts
    this.#nextId = recovered.nextId
    this.found = recovered.positions
    this.damage = recovered.damage
    this.#positions.add(recovered.positions)
    for (const part of this.#parts.values()) {
      if (part.object === undefined) this.#open.set(openName(part), part.id)
      else this.#rememberIndex(part.stem, part.object.index)
    }
  }

  /** Recovers what the last run left. Throws when the disk does not let it. */
  static async open(options: StagingOptions): Promise<Staging> {
    const recovered = await recover(options.directory)
    const { parts, positions } = recovered
    const manifest = await ManifestFile.create(options.directory, { parts: [...parts.values()], positions })
    return new Staging(options, recovered, manifest)
  }

  /** Bytes of all parts, and how many they are. */
  get size(): { readonly bytes: number; readonly parts: number } {
    let bytes = 0
    for (const part of this.#parts.values()) bytes += part.bytes
    return { bytes, parts: this.#parts.size }
  }

  /** Those that nothing more is appended to, the oldest first. */
  get sealed(): readonly Part[] {
    return [...this.#parts.values()].filter(({ object }) => object !== undefined)
  }

  fileOf({ id }: Part): string {
    return path.join(this.#options.directory, `part-${id}`)
  }

  /** Resolves when the round is durable. Throws when the disk does not take it: then nothing of it was staged. */
  append(round: Round): Promise<void> {
    return this.#exclusively(async () => {
      if (round.groups.size === 0) return
      const groups = [...round.groups.values()]
      await this.#makeRoom(groups)
      const firstNew = this.#nextId
      const parts = await this.#writeAll(groups, round.positions).catch(async (error) => {
        await this.#dropFrom(firstNew)
        throw error
      })
      this.#positions.add(round.positions)
      for (const part of parts) this.#open.set(openName(part), part.id)
      await failpoint('s3.staging.after-manifest')
      // The round is staged: a disk that does not take the rest gets it another time.
      await this.#tidy().catch(() => {})
    })
  }

  async #tidy(): Promise<void> {
    await this.#seal(this.#openParts().filter(({ bytes }) => bytes >= this.#options.maxBytes))
    if (this.#manifest.isLong) await this.#manifest.replace(this.#snapshot())
  }

  /** Seals the parts whose time has come; with Infinity all of them. From then on their keys and bytes are fixed. */
  sealDue(nowMs: number): Promise<void> {
    return this.#exclusively(() => this.#seal(this.#openParts().filter(({ dueMs }) => dueMs <= nowMs)))
  }

  /** The key belongs to another object: the part gets the next one. */
  takeNextIndex(part: Part): Promise<void> {
    return this.#exclusively(() => this.#tell({ parts: [{ ...part, object: this.#nextObject(part) }] }))
  }

  /** The object is stored. */
  remove(part: Part): Promise<void> {
    return this.#exclusively(async () => {
      await this.#tell({ stored: [part.id] })
      await failpoint('s3.stored.before-unlink')
      await rm(this.fileOf(part), { force: true })
    })
  }

  close(): Promise<void> {
    return this.#exclusively(async () => {
      for (const file of this.#files.values()) await file.close()
      this.#files.clear()
      await this.#manifest.close()
    })
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#turn.catch(() => {}).then(task)
    this.#turn = turn
    return turn
  }

  #openParts(): Part[] {
    return [...this.#open.values()].map((id) => this.#parts.get(id)!)
  }

  #snapshot(): ManifestLine {
    return { parts: [...this.#parts.values()], positions: this.#positions.ranges }
  }

  /** Parts as they are once the groups are in them; the manifest knows. */
  async #writeAll(groups: readonly Group[], positions: Ranges): Promise<Part[]> {
    const writes = await Promise.allSettled(groups.map((group) => this.#write(group)))
    const parts = writes.map((it) => {
      if (it.status === 'rejected') throw it.reason
      return it.value
    })
    if (parts.some(({ id }) => !this.#parts.has(id))) await syncDirectory(this.#options.directory)
    await failpoint('s3.staging.before-manifest')
    await this.#tell({ parts, positions })
    return parts
  }

  /** Takes back the files that a failed append has begun. */
  async #dropFrom(firstNew: number): Promise<void> {
    for (const [id, file] of this.#files) {
      if (id < firstNew) continue
      this.#files.delete(id)
      await file.close().catch(() => {})
      await rm(path.join(this.#options.directory, `part-${id}`), { force: true }).catch(() => {})
    }
  }

  async #tell(line: ManifestLine): Promise<void> {
    await this.#manifest.append(line)
    applyLine(this.#parts, line)
  }

  /** Seals so many open parts that the new ones are not too many. */
  async #makeRoom(groups: readonly Group[]): Promise<void> {
    const wanted = new Set(groups.map((group) => nameOf(group, this.#options.compression)))
    const others = this.#openParts().filter((part) => !wanted.has(openName(part)))
    const surplus = others.length + wanted.size - OPEN_PARTS_MAX
    if (surplus > 0) await this.#seal(others.sort((a, b) => a.dueMs - b.dueMs).slice(0, surplus))
  }

  /** Appends the lines of a group to its part's file. Returns the part as it is then. */
  async #write(group: Group): Promise<Part> {
    const { compression, dueMs } = this.#options
    const { stem, windowStart, sink, events } = group
    const id = this.#open.get(nameOf(group, compression))
    const part = (id === undefined ? undefined : this.#parts.get(id)) ?? {
      id: this.#nextId++,
      stem,
      windowStart,
      compression,
      dueMs: dueMs(windowStart),
      bytes: 0,
      events: 0,
    }
    const piece = await compress(compression, sink.bytes.subarray(0, sink.at))
    const file = await this.#fileFor(part)
    await writeAt(file, piece, part.bytes)
    await file.datasync()
    return { ...part, bytes: part.bytes + piece.length, events: part.events + events }
  }

  async #fileFor(part: Part): Promise<FileHandle> {
    const known = this.#files.get(part.id)
    if (known !== undefined) return known
    const file = await open(this.fileOf(part), part.bytes === 0 ? 'w' : 'r+')
    this.#files.set(part.id, file)
    return file
  }

  async #seal(parts: readonly Part[]): Promise<void> {
    if (parts.length === 0) return
    await this.#tell({ parts: parts.map((part) => ({ ...part, object: this.#nextObject(part) })) })
    for (const part of parts) {
      this.#open.delete(openName(part))
      await this.#files.get(part.id)?.close()
      this.#files.delete(part.id)
    }
  }

  #nextObject({ stem, object }: Part): NonNullable<Part['object']> {
    const index = (this.#indexes.get(stem) ?? -1) + 1
    this.#rememberIndex(stem, index)
    return { id: object?.id ?? randomUUID(), index }
  }

  #rememberIndex(stem: string, index: number): void {
    const highest = Math.max(index, this.#indexes.get(stem) ?? 0)
    this.#indexes.delete(stem)
    this.#indexes.set(stem, highest)
    const [oldest] = this.#indexes.keys()
    if (this.#indexes.size > INDEXES_MAX) this.#indexes.delete(oldest!)
  }
}

const nameOf = ({ windowStart, stem }: Pick<Part, 'windowStart' | 'stem'>, compression: Compression) =>
  `${compression} ${groupName(windowStart, stem)}`
const openName = (part: Part) => nameOf(part, part.compression)

interface Recovered {
  readonly parts: Map<number, Part>
  readonly positions: Ranges
  readonly nextId: number
  readonly damage: readonly string[]
}

/** Files that the manifest does not tell of are of no use and deleted. */
async function recover(directory: string): Promise<Recovered> {
  const { lines, damaged } = await ManifestFile.read(directory)
  const parts = partsOf(lines)
  const damage = damaged > 0 ? [`${damaged} lines of the manifest`] : []
  for (const part of parts.values()) {
    const file = path.join(directory, `part-${part.id}`)
    const { size } = await stat(file).catch(() => ({ size: 0 }))
    if (size >= part.bytes) continue
    damage.push(`${file} has ${size} bytes of ${part.bytes}`)
    if (size === 0) parts.delete(part.id)
    else parts.set(part.id, { ...part, bytes: size })
  }
  let nextId = 0
  for (const name of await readdir(directory)) {
    const [, digits] = PART_NAME.exec(name) ?? []
    if (digits === undefined) continue
    nextId = Math.max(nextId, Number(digits) + 1)
    if (!parts.has(Number(digits))) await rm(path.join(directory, name), { force: true })
  }
  const positions = new StagedPositions()
  for (const line of lines) positions.add(line.positions ?? [])
  return { parts, positions: positions.ranges, nextId, damage }
}
