/**
 * Lines as pieces that may stand one behind the other in one object: members of gzip (RFC 1952 §2.2), frames of zstd
 * (RFC 8878 §3.1), or the lines themselves.
 */
import { promisify } from 'node:util'
import { gzip, zstdCompress } from 'node:zlib'

export const COMPRESSIONS = ['gzip', 'zstd', 'none'] as const
export type Compression = (typeof COMPRESSIONS)[number]

export const KEY_ENDING: Readonly<Record<Compression, string>> = { gzip: '.gz', zstd: '.zst', none: '.log' }

/** For gzip what fluentd's plugin gives. */
export const CONTENT_TYPE: Readonly<Record<Compression, string>> = {
  gzip: 'application/x-gzip',
  zstd: 'application/zstd',
  none: 'text/plain; charset=utf-8',
}

const toGzip = promisify<Uint8Array, Buffer>(gzip)
const toZstd = promisify<Uint8Array, Buffer>(zstdCompress)

/** Resolves with a view of `lines` where nothing is to be done. */
export async function compress(compression: Compression, lines: Uint8Array): Promise<Uint8Array> {
  if (compression === 'none') return lines
  return compression === 'gzip' ? toGzip(lines) : toZstd(lines)
}
