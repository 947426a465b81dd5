/** The bytes of a request's body, unpacked, piece by piece, never more than was allowed. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Transform } from 'node:stream'
import { constants, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import type { Compression } from './body-format.ts'
import { BodyFault, Refusal, tooLarge } from './limits.ts'

export interface BodyLimits {
  /** As it is sent. */
  readonly body_size_limit: number
  /** Unpacked. */
  readonly decompression_size_limit: number
}

/** What is unpacked at a time, in bytes. */
const PIECE_BYTES = 64 * 1024
/** A larger window than this is refused, as RFC 9659 allows. */
const ZSTD_OPTIONS = { params: { [constants.ZSTD_d_windowLogMax]: 23 }, chunkSize: PIECE_BYTES }

/**
 * @throws Refusal 413 for a body that is too large, packed or unpacked; BodyFault for one that cannot be unpacked.
 * Whoever stops reading before the end has to `raw.resume()`, so that the connection goes on.
 */
export async function* readBody(
  raw: IncomingMessage,
  compression: Compression,
  limits: BodyLimits,
): AsyncGenerator<Buffer> {
  const declared = Number(raw.headers['content-length'] ?? 0)
  if (declared > limits.body_size_limit) throw tooLarge(limits.body_size_limit, 'body_size_limit')
  const sent = { bytes: 0 }
  const source = readSent(raw, limits.body_size_limit, sent)
  if (compression === 'none') yield* source
  else yield* unpack(source, compression, limits.decompression_size_limit, sent)
}

async function* readSent(raw: IncomingMessage, limit: number, sent: { bytes: number }): AsyncGenerator<Buffer> {
  for await (const chunk of raw.iterator({ destroyOnReturn: false })) {
    sent.bytes += (chunk as Buffer).length
    if (sent.bytes > limit) throw tooLarge(limit, 'body_size_limit')
    yield chunk as Buffer
  }
}

async function* unpack(
  source: AsyncGenerator<Buffer>,
  compression: Exclude<Compression, 'none'>,
  limit: number,
  sent: { readonly bytes: number },
): AsyncGenerator<Buffer> {
  const unpacker = createUnpacker(compression)
  const stop = new AbortController()
  const feeding = feed(source, unpacker, stop.signal)
  let total = 0
  try {
    for await (const piece of unpacker) {
      total += (piece as Buffer).length
      if (total > limit) throw new Refusal(413, 'LB-H007', { limit })
      yield piece as Buffer
    }
  } catch (error) {
    const isFault = /^(Z_|ZSTD_|ERR_ZLIB)/.test((error as NodeJS.ErrnoException).code ?? '')
    throw isFault ? new BodyFault(`not ${compression}: ${(error as Error).message}`, sent.bytes) : error
  } finally {
    unpacker.destroy()
    stop.abort()
    await feeding
  }
}

/** Writes what is sent into the unpacker; what fails is the unpacker's error. Never rejects. */
async function feed(source: AsyncGenerator<Buffer>, unpacker: Transform, signal: AbortSignal): Promise<void> {
  try {
    for await (const chunk of source) {
      if (signal.aborted) return
      if (!unpacker.write(chunk)) await once(unpacker, 'drain', { signal })
    }
    unpacker.end()
  } catch (error) {
    unpacker.destroy(error as Error)
  }
}

function createUnpacker(compression: Exclude<Compression, 'none'>): Transform {
  if (compression === 'gzip') return createGunzip({ chunkSize: PIECE_BYTES })
  return compression === 'zstd' ? createZstdDecompress(ZSTD_OPTIONS) : createInflate({ chunkSize: PIECE_BYTES })
}
