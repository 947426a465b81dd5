/**
 * The FORMAT file of a buffer: which version it is, the buffer's random id, and a floor below which no new position
 * lies.
 *
 *   logboom-buffer 2
 *   id <24 hex digits>
 *   floor <decimal>
 *   crc <8 hex digits, CRC-32 of the lines above>
 */
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { crc32 } from 'node:zlib'
import { BUFFER_ID_BYTES, FORMAT_VERSION } from './chunk-format.ts'
import { type FileSystem, readSmallFile, replaceFile } from './file-system.ts'

const FORMAT_BYTES_MAX = 4_096

export interface Format {
  readonly bufferId: Uint8Array
  readonly floor: number
  /** Of this version, or an older one, which is written anew before anything else is. */
  readonly version: number
}

export type FormatFile =
  | { readonly kind: 'valid'; readonly format: Format }
  | { readonly kind: 'missing' }
  /** Its checksum is wrong; `version` is what its first line says. */
  | { readonly kind: 'damaged'; readonly version: string | undefined }
  | { readonly kind: 'newer'; readonly version: string }

function fileName(bufferPath: string): string {
  return path.join(bufferPath, 'FORMAT')
}

function checksum(lines: string): string {
  return crc32(lines).toString(16).padStart(8, '0')
}

export function encodeFormat(format: Omit<Format, 'version'>): Buffer {
  const id = Buffer.from(format.bufferId).toString('hex')
  const lines = `logboom-buffer ${FORMAT_VERSION}\nid ${id}\nfloor ${format.floor}\n`
  return Buffer.from(`${lines}crc ${checksum(lines)}\n`)
}

export function decodeFormat(bytes: Uint8Array): FormatFile {
  if (bytes.length === 0) return { kind: 'missing' }
  const text = Buffer.from(bytes).toString('latin1')
  const version = /^logboom-buffer (\d+)\n/.exec(text)?.[1]
  const whole = /^([\s\S]*\n)crc ([0-9a-f]{8})\n$/.exec(text)
  if (whole === null || checksum(whole[1]!) !== whole[2]) return { kind: 'damaged', version }
  const fields = /^logboom-buffer \d+\nid ([0-9a-f]{24})\nfloor (\d+)\n$/.exec(whole[1]!)
  if (version === undefined || Number(version) > FORMAT_VERSION) return { kind: 'newer', version: version ?? 'unknown' }
  if (fields === null) return { kind: 'damaged', version }
  const [, id, floor] = fields
  return {
    kind: 'valid',
    format: { version: Number(version), bufferId: Buffer.from(id!, 'hex'), floor: Number(floor) },
  }
}

export async function readFormat(files: FileSystem, bufferPath: string): Promise<FormatFile> {
  const bytes = await readSmallFile(files, fileName(bufferPath), FORMAT_BYTES_MAX)
  return decodeFormat(bytes ?? Buffer.alloc(0))
}

export function writeFormat(files: FileSystem, bufferPath: string, format: Omit<Format, 'version'>): Promise<void> {
  return replaceFile(files, fileName(bufferPath), encodeFormat(format))
}

export function newBufferId(): Uint8Array {
  return randomBytes(BUFFER_ID_BYTES)
}
