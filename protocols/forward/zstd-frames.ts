/**
 * Where zstd frames end, found from their headers alone, in bytes that come piece by piece. Node's decoder stops behind
 * the first frame; a client that compresses append by append sends one frame after the other.
 *
 *   frame       28 b5 2f fd | descriptor | window 0..1 | dictionary 0..4 | content size 0..8 | block* | checksum 0..4
 *   block       3 bytes, little-endian: last 1 bit, type 2 bits (0 raw, 1 repeats a byte, 2 compressed), size 21 bits
 *   skippable   5x 2a 4d 18 | u32 size | content                                               [RFC 8878, section 3.1]
 */
import { MalformedError } from '../../server/core/msgpack.ts'

type Part = 'magic' | 'descriptor' | 'skippable' | 'block'

const DICTIONARY_BYTES = [0, 1, 2, 4]
const CONTENT_SIZE_BYTES = [0, 2, 4, 8]
const HEADER_BYTES: Record<Part, number> = { magic: 4, descriptor: 1, skippable: 4, block: 3 }

export class ZstdFrames {
  #part: Part = 'magic'
  /** The part's header so far, little-endian, and how many bytes of it. */
  #header = 0
  #headerBytes = 0
  /** Bytes to step over before the next header; after them the frame may be over. */
  #skip = 0
  #last = false
  #checksumBytes = 0

  /** Whether what was seen ends with a whole frame. */
  get atFrameEnd(): boolean {
    return this.#part === 'magic' && this.#headerBytes === 0 && this.#skip === 0
  }

  /**
   * Goes on from `start`. @returns where the frame ends, or the length of the bytes when it goes on behind them.
   * @throws MalformedError when this is no zstd frame.
   */
  advance(bytes: Uint8Array, start: number): number {
    let at = start
    while (at < bytes.length) {
      const skipped = Math.min(this.#skip, bytes.length - at)
      at += skipped
      this.#skip -= skipped
      if (this.#skip > 0) return at
      if (this.#last) {
        this.#last = false
        this.#part = 'magic'
        return at
      }
      if (at === bytes.length) return at
      this.#header += bytes[at]! * 2 ** (8 * this.#headerBytes)
      this.#headerBytes += 1
      at += 1
      if (this.#headerBytes === HEADER_BYTES[this.#part]) this.#endHeader()
      if (this.#last && this.#skip === 0) {
        this.#last = false
        this.#part = 'magic'
        return at
      }
    }
    return at
  }

  #endHeader(): void {
    const header = this.#header
    this.#header = 0
    this.#headerBytes = 0
    if (this.#part === 'magic') this.#readMagic(header)
    else if (this.#part === 'descriptor') this.#readDescriptor(header)
    else if (this.#part === 'skippable') {
      this.#skip = header
      this.#last = true
    } else this.#readBlock(header)
  }

  #readMagic(magic: number): void {
    if (magic === 0xfd2fb528) this.#part = 'descriptor'
    else if (magic >= 0x184d2a50 && magic <= 0x184d2a5f) this.#part = 'skippable'
    else throw new MalformedError('the entries are not zstd')
  }

  #readDescriptor(descriptor: number): void {
    const singleSegment = (descriptor & 0x20) !== 0
    const contentSize = CONTENT_SIZE_BYTES[descriptor >> 6]! || (singleSegment ? 1 : 0)
    this.#skip = (singleSegment ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3]! + contentSize
    this.#checksumBytes = (descriptor & 4) === 0 ? 0 : 4
    this.#part = 'block'
  }

  #readBlock(header: number): void {
    const last = (header & 1) === 1
    const repeated = ((header >> 1) & 3) === 1
    this.#skip = (repeated ? 1 : header >> 3) + (last ? this.#checksumBytes : 0)
    this.#last = last
  }
}
