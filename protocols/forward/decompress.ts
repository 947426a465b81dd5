/** Unpacks gzip (of several members) and zstd (of several frames), never to more than was allowed. */
import type { Transform } from 'node:stream'
import { constants, createGunzip, createZstdDecompress, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { MalformedError } from '../../server/core/msgpack.ts'
import type { BufferPool } from '../encoding/buffer-pool.ts'
import { gunzipInto } from './gunzip.ts'
import { BombError, LIMITS } from './limits.ts'
import type { Compression } from './message.ts'
import { ZstdFrames } from './zstd-frames.ts'

/** What the bytes are by their first ones. No entry begins with these: 0x1f and 0x28 are numbers in msgpack. */
export function sniffCompression(bytes: Uint8Array, start: number, end: number): Compression {
  if (end - start >= 2 && bytes[start] === 0x1f && bytes[start + 1] === 0x8b) return 'gzip'
  const zstd = end - start >= 4 && bytes[start] === 0x28 && bytes[start + 1] === 0xb5
  return zstd && bytes[start + 2] === 0x2f && bytes[start + 3] === 0xfd ? 'zstd' : 'none'
}

export interface Inflated {
  readonly bytes: Uint8Array
  /** The buffer of the pool that the bytes lie in, if they do. */
  readonly lent: Buffer | undefined
}

/**
 * Unpacks a small body on the spot: cheaper than a stream, and over in some milliseconds.
 * @returns undefined when the body or what it holds is too large for that.
 * @throws MalformedError, BombError.
 */
export function inflateAtOnce(
  body: Uint8Array,
  kind: 'gzip' | 'zstd',
  limitBytes: number,
  pool: BufferPool,
): Inflated | undefined {
  if (body.length > LIMITS.inflateAtOnceBytes) return undefined
  const maxOutputLength = Math.min(LIMITS.inflatedAtOnceBytes, limitBytes)
  try {
    if (kind === 'gzip') return inflateGzip(body, maxOutputLength, pool)
    return { bytes: inflateZstd(body, maxOutputLength), lent: undefined }
  } catch (error) {
    if (error instanceof MalformedError) throw error
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw notCompressed(error, kind)
    if (maxOutputLength === limitBytes) throw new BombError(limitBytes)
    return undefined
  }
}

function notCompressed(error: unknown, kind: string): MalformedError {
  return new MalformedError(`the entries are not ${kind}: ${(error as Error).message}`)
}

/** No byte of deflate becomes more than this. [RFC 1951: 258 bytes for a length and a distance of one bit each] */
const DEFLATE_RATIO_MAX = 1_032

/**
 * Into memory as large as the end of the body says that it has to be; a lie there costs no more memory than the bytes
 * that were sent allow for, and zlib's own way.
 */
function inflateGzip(body: Uint8Array, maxOutputLength: number, pool: BufferPool): Inflated {
  const said = gzipLength(body) + 1
  if (said <= Math.min(maxOutputLength, body.length * DEFLATE_RATIO_MAX)) {
    const lent = pool.take(said)
    const length = gunzipInto(body, lent)
    if (length !== undefined) return { bytes: lent.subarray(0, length), lent }
    pool.give(lent)
  }
  return { bytes: gunzipSync(body, { maxOutputLength }), lent: undefined }
}

/** Length of the last member's content: ISIZE, the last four bytes. [RFC 1952, 2.3.1] */
function gzipLength(body: Uint8Array): number {
  const at = body.length - 4
  return at < 0 ? 0 : (body[at]! | (body[at + 1]! << 8) | (body[at + 2]! << 16) | (body[at + 3]! << 24)) >>> 0
}

/** zstd frames that want a larger window than this are refused, as RFC 9659 allows. */
const ZSTD_OPTIONS = { params: { [constants.ZSTD_d_windowLogMax]: 23 } }
/** What a stream unpacks at a time, in bytes. */
const PIECE_BYTES = 256 * 1024

function inflateZstd(body: Uint8Array, maxOutputLength: number): Uint8Array {
  const frames = new ZstdFrames()
  const pieces: Buffer[] = []
  let left = maxOutputLength
  for (let at = 0; at < body.length; ) {
    const end = frames.advance(body, at)
    const piece = zstdDecompressSync(body.subarray(at, end), { ...ZSTD_OPTIONS, maxOutputLength: Math.max(left, 1) })
    pieces.push(piece)
    left -= piece.length
    at = end
  }
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

interface Unpacking {
  readonly stream: Transform
  readonly done: Promise<void>
}

/** Unpacks a body that comes in pieces and hands what it holds to `take`, one piece at a time. */
export class Inflater {
  readonly #kind: 'gzip' | 'zstd'
  readonly #take: (piece: Buffer) => Promise<unknown>
  readonly #limitBytes: number
  readonly #frames = new ZstdFrames()
  #current: Unpacking | undefined
  #total = 0

  constructor(kind: 'gzip' | 'zstd', limitBytes: number, take: (piece: Buffer) => Promise<unknown>) {
    this.#kind = kind
    this.#limitBytes = limitBytes
    this.#take = take
  }

  /** Resolves when more may be written. Rejects with MalformedError, BombError, or what `take` rejected with. */
  async write(piece: Uint8Array): Promise<void> {
    if (this.#kind === 'gzip') return this.#writePart(piece)
    for (let at = 0; at < piece.length; ) {
      const end = this.#frames.advance(piece, at)
      await this.#writePart(piece.subarray(at, end))
      if (this.#frames.atFrameEnd) await this.end()
      at = end
    }
  }

  /** Resolves when everything was taken. Rejects as `write` does, also when the last member or frame is not whole. */
  async end(): Promise<void> {
    const current = this.#current
    this.#current = undefined
    current?.stream.end()
    await current?.done
  }

  destroy(): void {
    this.#current?.stream.destroy()
    this.#current = undefined
  }

  async #writePart(part: Uint8Array): Promise<void> {
    this.#current ??= this.#open()
    const { stream, done } = this.#current
    await Promise.race([new Promise<void>((resolve) => stream.write(part, () => resolve())), done])
  }

  #open(): Unpacking {
    const stream =
      this.#kind === 'gzip'
        ? createGunzip({ chunkSize: PIECE_BYTES })
        : createZstdDecompress({ ...ZSTD_OPTIONS, chunkSize: PIECE_BYTES })
    // The pump sees errors while it runs; one that comes after it has given up is nobody's.
    stream.on('error', () => {})
    const done = this.#pump(stream)
    // Seen by whoever awaits `write` or `end`; until then it is nobody's rejection.
    done.catch(() => {})
    return { stream, done }
  }

  async #pump(stream: Transform): Promise<void> {
    const output = stream[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = await output.next().catch((error) => {
          throw notCompressed(error, this.#kind)
        })
        if (next.done) return
        const piece = next.value as Buffer
        this.#total += piece.length
        if (this.#total > this.#limitBytes) throw new BombError(this.#limitBytes)
        await this.#take(piece)
      }
    } finally {
      stream.destroy()
    }
  }
}
