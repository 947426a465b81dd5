/**
 * Reads the frames of the chunk files in order, up to where all is durable; what is damaged is skipped and counted.
 * What the frames mean to an output is the reader's matter.
 */
import path from 'node:path'
import { BLOCK_BYTES, type Block, type BlockPool } from './block-pool.ts'
import {
  CHUNK_HEADER_BYTES,
  chunkFileName,
  emptyFrameHeader,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  findFrame,
  firstOfChunkFile,
  frameBytes,
  payloadCrc,
  readFrameHeader,
  SEAL,
  STREAM,
} from './chunk-format.ts'
import type { DamagedBytes } from './chunk-scan.ts'
import { type FileSystem, type OpenFile, readDespiteErrors } from './file-system.ts'
import type { Durable, SharedPosition } from './shared-position.ts'

/** What lies behind a SEAL is no matter: no file is as long. */
const BEYOND_THE_SEAL = 2 ** 52

interface OpenChunk {
  readonly first: number
  readonly file: OpenFile
  /** Known once nothing more is written to it: its length, and the first position that is not to be read here. */
  finished: { readonly bytes: number; readonly end: number } | undefined
}

export interface SourceOptions {
  readonly files: FileSystem
  /** The folder of the chunks. */
  readonly directory: string
  readonly seed: number
  readonly shared: SharedPosition
  readonly pool: BlockPool
  readonly position: number
  /** Damage that has cost events, told when the chunk that begins at `first` is left. Must not reject. */
  readonly onDamage?: (file: OpenFile, first: number, damage: DamagedBytes) => Promise<void>
}

export class FrameSource {
  /** Every event before it was handed out, or is counted as damaged. */
  position: number
  damagedEvents = 0
  /** The name of the chunk in which damage has last cost events. */
  lastDamagedChunk: string | undefined
  /** The frame that `next` has found: it stands at `frameAt` in `block`, header and all. */
  readonly header: FrameHeader = emptyFrameHeader()
  frameAt = 0
  /** Events at the start of the frame that lie before the position asked for. */
  skip = 0
  #block: Block | undefined
  /** The part of the file that the block holds. */
  #base = 0
  #filled = 0
  /** Where the next frame stands in the file, and how many bytes of it are needed. */
  #at = CHUNK_HEADER_BYTES
  #need = FRAME_HEADER_BYTES
  #chunk: OpenChunk | undefined
  /** Bytes of the chunk that are no frames, until it is known whether events are missing. */
  #suspect: { readonly offset: number; bytes: number } | undefined
  /** Of the chunk. */
  #damages: DamagedBytes[] = []
  readonly #options: SourceOptions

  constructor(options: SourceOptions) {
    this.#options = options
    this.position = options.position
  }

  get block(): Block {
    return this.#block!
  }

  /** Goes on to the next STREAM that is in memory and whole; false when more must be read first. */
  next(): boolean {
    const block = this.#block
    if (block === undefined) return false
    const { bytes, view } = block
    for (;;) {
      const at = this.#at - this.#base
      this.#need = FRAME_HEADER_BYTES
      if (at + FRAME_HEADER_BYTES > this.#filled) return false
      if (!readFrameHeader(bytes, view, at, this.#options.seed, this.header)) {
        if (!this.#findNext(block, at)) return false
      } else if (this.header.type !== STREAM) {
        if (this.header.position > this.#end) return this.#passRest()
        this.#passTo(this.header.position)
        this.#at = this.header.type === SEAL ? BEYOND_THE_SEAL : this.#at + frameBytes(this.header)
      } else {
        const wanted = this.#want(block, at)
        if (wanted !== undefined) return wanted
      }
    }
  }

  /** Reads more. False when all that is durable was handed out. */
  async more(): Promise<boolean> {
    for (;;) {
      const durable = this.#options.shared.look()
      if (this.#chunk === undefined && !(await this.#openChunk(durable))) return false
      const chunk = this.#chunk!
      const active = chunk.first === durable.activeFirst
      if (!active) chunk.finished ??= await this.#finish(chunk, durable)
      const limit = chunk.finished?.bytes ?? durable.activeBytes
      if (this.#at + this.#need <= limit && (await this.#read(chunk, limit))) return true
      if (chunk.finished === undefined) return false
      this.#passTo(chunk.finished.end)
      await this.#leaveChunk()
    }
  }

  /** Goes to a position. Blocks that are lent stay valid. */
  async seek(position: number): Promise<void> {
    await this.#leaveChunk()
    this.position = position
  }

  async close(): Promise<void> {
    await this.#leaveChunk()
  }

  /**
   * Looks at a STREAM: true when it is to be handed out, false when more must be read, undefined when it is passed
   * over.
   */
  #want(block: Block, at: number): boolean | undefined {
    const { header } = this
    const frame = frameBytes(header)
    if (header.position >= this.#end) return this.#passRest()
    if (header.position + header.count <= this.position) {
      this.#at += frame
      return undefined
    }
    this.#need = frame
    if (at + frame > this.#filled) return false
    this.#at += frame
    this.#passTo(header.position)
    this.skip = this.position - header.position
    this.position = header.position + header.count
    if (payloadCrc(block.bytes, at, header) === header.payloadCrc) {
      this.frameAt = at
      return true
    }
    this.#lost(header.count - this.skip, { offset: this.#at - frame, bytes: frame })
    return undefined
  }

  /** The first position that is not to be read in this chunk. */
  get #end(): number {
    return this.#chunk?.finished?.end ?? Number.POSITIVE_INFINITY
  }

  /** What follows was given up when a sync failed: the next chunk has it. */
  #passRest(): false {
    this.#suspect = undefined
    this.#at = this.#chunk!.finished!.bytes
    return false
  }

  /** What lies before `position` and was not found is lost. */
  #passTo(position: number): void {
    const suspect = this.#suspect
    this.#suspect = undefined
    if (position <= this.position) return
    this.#lost(position - this.position, suspect)
    this.position = position
  }

  #lost(events: number, damage: DamagedBytes | undefined): void {
    this.damagedEvents += events
    if (this.#chunk !== undefined) this.lastDamagedChunk = chunkFileName(this.#chunk.first)
    if (damage !== undefined) this.#damages.push(damage)
  }

  /** Where a frame should be there is none: goes to the next in the block, or else to the block's end. */
  #findNext(block: Block, at: number): boolean {
    const range = { from: at + 8, to: this.#filled, seed: this.#options.seed, position: this.position }
    const found = findFrame(block.bytes, block.view, range, this.header)
    const searched = this.#filled - FRAME_HEADER_BYTES
    this.#at = this.#base + (found !== -1 ? found : Math.max(at + 8, searched - (searched % 8) + 8))
    this.#suspect ??= { offset: this.#base + at, bytes: 0 }
    this.#suspect.bytes = this.#at - this.#suspect.offset
    return found !== -1
  }

  /** False when the file has become shorter than it was. */
  async #read(chunk: OpenChunk, limit: number): Promise<boolean> {
    const start = this.#at - this.#base
    const fits = this.#block !== undefined && start >= 0 && start <= this.#filled
    if (!fits || start + this.#need > this.#block!.bytes.length) this.#takeBlock()
    const block = this.#block!
    const to = Math.min(block.bytes.length, limit - this.#base)
    const into = block.bytes.subarray(this.#filled, to)
    const read = await readDespiteErrors(chunk.file, into, this.#base + this.#filled)
    this.#filled += read
    return read > 0
  }

  #takeBlock(): void {
    this.#dropBlock()
    this.#block = this.#options.pool.take(Math.max(this.#need, BLOCK_BYTES))
    this.#base = this.#at
    this.#filled = 0
  }

  #dropBlock(): void {
    if (this.#block !== undefined) this.#options.pool.release(this.#block)
    this.#block = undefined
    this.#base = 0
    this.#filled = 0
  }

  /** Nothing more is written to the chunk: the one that follows tells which frames count. */
  async #finish(chunk: OpenChunk, durable: Durable): Promise<{ bytes: number; end: number }> {
    const follows = (await this.#chunkFirsts()).find((first) => first > chunk.first)
    return { bytes: await chunk.file.size(), end: follows ?? durable.next }
  }

  async #chunkFirsts(): Promise<number[]> {
    const names = await this.#options.files.list(this.#options.directory)
    return names.map(firstOfChunkFile).filter((first) => first !== undefined)
  }

  /** Opens the chunk that holds the position, or the next there is. False when nothing more is durable. */
  async #openChunk(durable: Durable): Promise<boolean> {
    while (this.position < durable.next) {
      const firsts = await this.#chunkFirsts()
      const first = firsts.findLast((start) => start <= this.position) ?? firsts[0]
      this.#passTo(Math.min(first ?? durable.next, durable.next))
      if (first === undefined || this.position >= durable.next) return false
      try {
        const file = await this.#options.files.open(path.join(this.#options.directory, chunkFileName(first)), 'read')
        this.#chunk = { first, file, finished: undefined }
        this.#at = CHUNK_HEADER_BYTES
        this.#need = FRAME_HEADER_BYTES
        return true
      } catch (error) {
        // Deleted since it was listed: every output has passed it.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
    return false
  }

  async #leaveChunk(): Promise<void> {
    this.#dropBlock()
    const chunk = this.#chunk
    const damages = this.#damages
    this.#chunk = undefined
    this.#damages = []
    this.#suspect = undefined
    if (chunk === undefined) return
    for (const damage of damages) await this.#options.onDamage?.(chunk.file, chunk.first, damage)
    await chunk.file.close()
  }
}
