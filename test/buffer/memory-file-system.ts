/**
 * A disk in memory that may be pulled from under a buffer at any call. At a power cut each sector of 512 bytes that was
 * not synced is any of the versions it has had since, each file any of the lengths, each name that was not synced is
 * there or not: whatever order the disk took them in. A kill loses nothing, but what was not synced may be lost later.
 */
import path from 'node:path'
import type { FileSystem, OpenFile } from '../../buffer/file-system.ts'
import { createRandom } from '../random.ts'
import type { DiskCall } from './harness.ts'

const SECTOR_BYTES = 512
const NO_SECTOR = Buffer.alloc(SECTOR_BYTES)

function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!
}

/** What a file holds, and what of it is surely on the platter. Sectors are never changed, only replaced. */
class Inode {
  size = 0
  sectors: Buffer[] = []
  #durableSize = 0
  #durable: Buffer[] = []
  /** Since the last sync: the lengths, and the versions of each sector. */
  #sizes: number[] = []
  #dirty = new Map<number, Buffer[]>()

  write(bytes: Uint8Array, offset: number): void {
    for (let at = 0; at < bytes.length; ) {
      const index = Math.floor((offset + at) / SECTOR_BYTES)
      const within = (offset + at) % SECTOR_BYTES
      const length = Math.min(SECTOR_BYTES - within, bytes.length - at)
      const sector = Buffer.from(this.sectors[index] ?? NO_SECTOR)
      sector.set(bytes.subarray(at, at + length), within)
      this.#put(index, sector)
      at += length
    }
    this.#resize(Math.max(this.size, offset + bytes.length))
  }

  truncate(bytes: number): void {
    for (let index = Math.floor(bytes / SECTOR_BYTES); index < this.sectors.length; index++) {
      const sector = Buffer.from(this.sectors[index] ?? NO_SECTOR)
      this.#put(index, sector.fill(0, Math.max(0, bytes - index * SECTOR_BYTES)))
    }
    this.#resize(bytes)
  }

  read(): Buffer {
    const sectors = Array.from({ length: Math.ceil(this.size / SECTOR_BYTES) }, (_, i) => this.sectors[i] ?? NO_SECTOR)
    return Buffer.concat(sectors).subarray(0, this.size)
  }

  /** Flips a bit on the platter and in the cache. */
  flip(bit: number): void {
    const index = Math.floor(bit / 8 / SECTOR_BYTES)
    for (const sectors of [this.sectors, this.#durable]) {
      const sector = Buffer.from(sectors[index] ?? NO_SECTOR)
      sector[Math.floor(bit / 8) % SECTOR_BYTES]! ^= 1 << (bit % 8)
      sectors[index] = sector
    }
  }

  sync(): void {
    for (const index of this.#dirty.keys()) this.#durable[index] = this.sectors[index]!
    this.#durableSize = this.size
    this.#dirty.clear()
    this.#sizes = []
  }

  /** What a kernel does: some of it is on the platter, and all of it counts as written from now on. */
  failSync(random: () => number): void {
    for (const [index, versions] of this.#dirty) this.#durable[index] = this.#any(index, versions, random)
    this.#durableSize = pick(random, [this.#durableSize, ...this.#sizes])
    this.#dirty.clear()
    this.#sizes = []
  }

  /** `kept`: how likely it is that what was not synced is there. */
  cutPower(random: () => number, kept: number): void {
    const sectors = [...this.#durable]
    for (const [index, versions] of this.#dirty) {
      if (random() < kept) sectors[index] = this.#any(index, versions, random)
    }
    this.size = random() < kept ? pick(random, [this.#durableSize, ...this.#sizes]) : this.#durableSize
    this.#durable = sectors
    this.sectors = [...sectors]
    this.#durableSize = this.size
    this.#dirty.clear()
    this.#sizes = []
  }

  #any(index: number, versions: readonly Buffer[], random: () => number): Buffer {
    return pick(random, [this.#durable[index] ?? NO_SECTOR, ...versions, versions.at(-1)!])
  }
  #put(index: number, sector: Buffer): void {
    this.sectors[index] = sector
    const versions = this.#dirty.get(index)
    if (versions === undefined) this.#dirty.set(index, [sector])
    else versions.push(sector)
  }
  #resize(bytes: number): void {
    if (bytes !== this.size) this.#sizes.push(bytes)
    this.size = bytes
  }
}

/** A change of names that is not durable. A rename within a folder is whole or not at all. */
interface NameChange {
  readonly directory: string
  readonly add: string | undefined
  readonly remove: string | undefined
  readonly inode: Inode | undefined
  /** It never happens without that one: a file that is moved to another folder is never in neither. */
  readonly after: NameChange | undefined
}

export type Verdict = Error | number | undefined
export type CrashKind = 'kill' | 'power'

export class MemoryDisk {
  /** May make a call fail, as in `ruledFileSystem`; a sync that fails loses what it was to write. */
  rule: (call: DiskCall) => Verdict = () => undefined
  /** Calls so far. */
  calls = 0
  crashes = 0
  names = new Map<string, Inode>()
  readonly #random: () => number
  #durableNames = new Map<string, Inode>()
  #changes: NameChange[] = []
  #directories = new Set<string>()
  #locks = new Set<string>()
  #life = 0
  #crashAt: { call: number; kind: CrashKind } | undefined

  constructor(seed: number) {
    this.#random = createRandom(seed)
  }

  /** Makes a file whose name and content are durable. */
  put(file: string, bytes: Uint8Array): void {
    const inode = new Inode()
    inode.write(bytes, 0)
    inode.sync()
    this.names.set(file, inode)
    this.#durableNames.set(file, inode)
  }

  /** Crashes at the n-th call from now, half of the times when it has already done its work. */
  crashIn(calls: number, kind: CrashKind): void {
    this.#crashAt = { call: this.calls + calls, kind }
  }

  /** Every call of those who used the disk before never returns. */
  crash(kind: CrashKind): void {
    this.#life += 1
    this.crashes += 1
    this.#crashAt = undefined
    this.#locks.clear()
    if (kind === 'kill') return
    const kept = pick(this.#random, [0, 0.5, 0.9, 1])
    const done = new Set<NameChange>()
    for (const change of this.#changes) {
      const possible = change.after === undefined || !this.#changes.includes(change.after) || done.has(change.after)
      if (!possible || this.#random() >= kept) continue
      done.add(change)
      applyTo(this.#durableNames, change)
    }
    this.#changes = []
    this.names = new Map(this.#durableNames)
    for (const inode of new Set(this.names.values())) inode.cutPower(this.#random, kept)
  }

  /** The disk as a process sees it until the next crash. */
  mount(): FileSystem {
    const life = this.#life
    const call = <T>(kind: DiskCall['call'] | 'read', file: string, act: (short?: number) => T) =>
      this.#call(life, { kind, file, act })
    return {
      open: (file, mode) =>
        call(mode === 'create' ? 'create' : 'open', file, () => this.#openFile(file, this.#find(file, mode), call)),
      makeDirectory: async (directory) => void this.#directories.add(directory),
      syncDirectory: (directory) => call('syncDirectory', directory, () => this.#syncNames(directory)),
      list: (directory) =>
        call('read', directory, () =>
          [...this.names.keys()]
            .filter((name) => path.dirname(name) === directory)
            .map((name) => path.basename(name))
            .sort(),
        ),
      rename: (from, to) => call('rename', to, () => this.#rename(from, to)),
      unlink: (file) => call('unlink', file, () => this.#unlink(file)),
      lock: (file) => call('read', file, () => this.#lock(file)),
    }
  }

  /** Each call is a turn of its own, so that others come between. */
  async #call<T>(
    life: number,
    { kind, file, act }: { kind: DiskCall['call'] | 'read'; file: string; act: (short?: number) => T },
  ): Promise<T> {
    await undefined
    if (life !== this.#life) return new Promise<T>(() => {})
    this.calls += 1
    const crash = this.#crashAt
    if (crash !== undefined && crash.call <= this.calls) {
      if (this.#random() < 0.5) act()
      this.crash(crash.kind)
      return new Promise<T>(() => {})
    }
    const verdict = kind === 'read' ? undefined : this.rule({ call: kind, name: path.basename(file) })
    if (!(verdict instanceof Error)) return act(verdict)
    if (kind === 'sync' || kind === 'syncData') this.names.get(file)?.failSync(this.#random)
    throw verdict
  }

  #openFile(
    file: string,
    inode: Inode,
    call: <T>(kind: DiskCall['call'] | 'read', file: string, act: (short?: number) => T) => Promise<T>,
  ): OpenFile {
    return {
      write: (pieces, offset) =>
        call('write', file, (short) => {
          const bytes = Buffer.concat(pieces).subarray(0, short)
          inode.write(bytes, offset)
          return bytes.length
        }),
      read: (into, offset) => call('read', file, () => inode.read().copy(into, 0, Math.min(offset, inode.size))),
      syncData: () => call('syncData', file, () => inode.sync()),
      sync: () => call('sync', file, () => inode.sync()),
      truncate: (bytes) => call('truncate', file, () => inode.truncate(bytes)),
      size: () => call('read', file, () => inode.size),
      close: async () => {},
    }
  }

  #find(file: string, mode: 'read' | 'write' | 'create'): Inode {
    const found = this.names.get(file)
    if (found !== undefined && mode === 'create') throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' })
    if (found !== undefined) return found
    if (mode === 'read') throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
    const inode = new Inode()
    this.#change({ directory: path.dirname(file), add: file, remove: undefined, inode, after: undefined })
    return inode
  }

  #rename(from: string, to: string): void {
    const inode = this.names.get(from)
    if (inode === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
    const [fromDirectory, toDirectory] = [path.dirname(from), path.dirname(to)]
    if (fromDirectory === toDirectory)
      return void this.#change({ directory: toDirectory, add: to, remove: from, inode, after: undefined })
    const added = this.#change({ directory: toDirectory, add: to, remove: undefined, inode, after: undefined })
    this.#change({ directory: fromDirectory, add: undefined, remove: from, inode: undefined, after: added })
  }

  #unlink(file: string): void {
    if (!this.names.has(file)) return
    this.#change({ directory: path.dirname(file), add: undefined, remove: file, inode: undefined, after: undefined })
  }

  #change(change: NameChange): NameChange {
    applyTo(this.names, change)
    this.#changes.push(change)
    return change
  }

  #syncNames(directory: string): void {
    for (const change of this.#changes) if (change.directory === directory) applyTo(this.#durableNames, change)
    this.#changes = this.#changes.filter((change) => change.directory !== directory)
  }

  #lock(file: string): { release(): void } | undefined {
    if (this.#locks.has(file)) return undefined
    this.#locks.add(file)
    return { release: () => this.#locks.delete(file) }
  }
}

function applyTo(names: Map<string, Inode>, { add, remove, inode }: NameChange): void {
  if (remove !== undefined) names.delete(remove)
  if (add !== undefined && inode !== undefined) names.set(add, inode)
}
