/**
 * What a GELF message is packed in, told by its first bytes, whatever else is said of it.
 *
 *   1f 8b               gzip
 *   CMF FLG             zlib: the low half of CMF is 8, the high half 7 at most, CMF * 256 + FLG a multiple of 31
 *   anything else       JSON as it is                                     [RFC 1952 2.3.1, RFC 1950 2.2]
 */
import { gunzipSync, inflateSync } from 'node:zlib'
import { Fault, LIMITS, malformed } from './limits.ts'

const isGzip = (bytes: Uint8Array) => bytes[0] === 0x1f && bytes[1] === 0x8b

function isZlib(bytes: Uint8Array): boolean {
  const method = bytes[0]! | 0
  return (method & 15) === 8 && method < 0x80 && bytes.length > 2 && (method * 256 + bytes[1]!) % 31 === 0
}

/** `limitBytes`: the most that a message may unpack to. @throws Fault LB-G003, LB-G005. */
export function unpack(bytes: Buffer, limitBytes: number): Buffer {
  const gzip = isGzip(bytes)
  if (!gzip && !isZlib(bytes)) return bytes
  const allowed = Math.max(LIMITS.freelyInflatedBytes, bytes.length * LIMITS.inflateRatio)
  const maxOutputLength = Math.min(allowed, limitBytes)
  try {
    return gzip ? gunzipSync(bytes, { maxOutputLength }) : inflateSync(bytes, { maxOutputLength })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') throw new Fault('LB-G005', { limit: maxOutputLength })
    throw malformed(`it is not ${gzip ? 'gzip' : 'zlib'}: ${message}`)
  }
}
