/**
 * Reads a block of a file, makes events of it, hands them to the buffer, and moves the file's place when they are
 * durable. The memory is used again for the next block, whichever file it is of.
 */
import { crc32 } from 'node:zlib'
import { EntryWriter } from '../encoding/entry-writer.ts'
import type { InputContext } from '../protocol.ts'
import type { Block, BlockEnd, Decoder } from './decoder.ts'
import type { PathPair } from './event-writer.ts'
import { LIMITS } from './limits.ts'
import { copyPlace, encodePlace, type Place, startOf, takePrint } from './place.ts'
import type { TailedFile } from './tailed-file.ts'

/** `replaced`: the bytes before the place are not those that were read: the file was truncated, or is another. */
export type ReadResult = 'more' | 'end' | 'replaced'

export interface BlockReaderOptions {
  readonly context: InputContext
  readonly decoder: Decoder
  readonly path: PathPair | undefined
  /** Bytes of a block where one event needs them. */
  readonly blockBytesMax: number
}

export class BlockReader {
  readonly #options: BlockReaderOptions
  readonly #to = new EntryWriter(LIMITS.blockBytes)
  readonly #block: Block = { bytes: allocate(LIMITS.blockBytes), start: 0, end: 0, offset: 0 }

  constructor(options: BlockReaderOptions) {
    this.#options = options
  }

  /**
   * Reads one block of the file, or of its copy. Rejects with what reading or `emit` rejected with; the file's place is
   * then what it was.
   */
  async read(file: TailedFile, blockEnd: BlockEnd): Promise<ReadResult> {
    const block = this.#block
    for (let room = LIMITS.blockBytes; ; room = this.#options.blockBytesMax) {
      const isWhole = await this.#load(file, room)
      if (isWhole === undefined) return 'replaced'
      const place = copyPlace(file.place)
      const count = this.#decode(file, place, isWhole ? blockEnd : 'open')
      const hasMoved = count > 0 || place.offset > file.place.offset
      if (!hasMoved && !isWhole && room < this.#options.blockBytesMax) continue
      if (hasMoved) await this.#store(file, place, count)
      else if (!isWhole) await this.#endByForce(file)
      if (block.bytes.length > LIMITS.printBytes + LIMITS.blockBytes) block.bytes = allocate(LIMITS.blockBytes)
      return isWhole ? 'end' : 'more'
    }
  }

  /** @returns whether the block reaches to the end of the file; undefined when it is another file's. */
  async #load(file: TailedFile, room: number): Promise<boolean | undefined> {
    const block = this.#block
    const { printBytes, printCrc } = file.place
    if (block.bytes.length < LIMITS.printBytes + room) block.bytes = allocate(room)
    const from = startOf(file.place)
    const handle = file.copies[0] ?? file.handle
    const { bytesRead } = await handle.read(block.bytes, 0, printBytes + room, from - printBytes)
    if (bytesRead < printBytes || crc32(block.bytes.subarray(0, printBytes)) !== printCrc) return undefined
    block.start = printBytes
    block.end = bytesRead
    block.offset = from
    this.#see(file, from - printBytes + bytesRead)
    return bytesRead < printBytes + room
  }

  /** An event that waits for further lines waits as long as they come. */
  #see(file: TailedFile, end: number): void {
    if (end !== file.seen) file.grownMs = this.#options.context.clock.monotonic()
    file.seen = end
  }

  #decode(file: TailedFile, place: Place, blockEnd: BlockEnd): number {
    const { decoder, path, context } = this.#options
    if (path !== undefined) path.path = file.pathBytes
    this.#to.length = 0
    return decoder.decode(this.#block, place, blockEnd, context.clock.now(), this.#to)
  }

  /** No event ends within the largest block there may be: what waits in it is ended. */
  async #endByForce(file: TailedFile): Promise<void> {
    const place = copyPlace(file.place)
    await this.#store(file, place, this.#decode(file, place, 'idle'))
  }

  async #store(file: TailedFile, place: Place, count: number): Promise<void> {
    const { context } = this.#options
    const { bytes, start, offset } = this.#block
    const end = start + startOf(place) - offset
    takePrint(place, bytes, Math.max(0, end - LIMITS.printBytes), end)
    const newBytes = place.offset - file.place.offset
    if (count > 0) {
      const mark = { source: file.source, place: encodePlace({ ...file, place }) }
      await context.emit({ tag: file.tag, packed: this.#to.bytes.subarray(0, this.#to.length), count, mark })
    }
    context.stats.events += count
    context.stats.bytes += newBytes
    file.place = place
  }
}

function allocate(room: number): Buffer {
  return Buffer.allocUnsafeSlow(LIMITS.printBytes + room)
}
