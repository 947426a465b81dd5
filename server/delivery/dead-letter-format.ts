/**
 * The bytes of dead letters: records to bytes and back, and what to make of a damaged file. No file is touched here.
 *
 *   file    "LOGBDEAD" | u16 version 1 | u16 0 | u32 salt | u32 CRC-32 of the 16 bytes before | record*   little-endian
 *
 *   record  +-------+----------+-----------+-----------+------+
 *           | magic | bodySize | bodyCrc   | headCrc   | body |   headCrc: CRC-32 of the 12 bytes before, from the salt
 *           +--u32--+---u32----+----u32----+----u32----+------+   bodyCrc: CRC-32 of the body
 *
 *   body    u64 position | f64 receivedMs | f64 refusedMs | u32 attempts
 *           | u16 tagSize | u16 idSize | u16 reasonSize | u16 detailSize | tag | id | reason | detail | entry (rest)
 *
 * A record is whole when both sums fit. What follows the last whole one is a torn tail: nobody was told it is safe.
 * The salt is random, so that an event which holds the bytes of a record is never taken for one.
 *
 *   removals  u32 offset of the record's head in the file | u32 CRC-32 of the 4 bytes before, from the file's salt
 *
 * stand in a file beside it, since a file of letters is never changed in place. A removal that is torn, or that another
 * salt gave, is none.
 */
import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Position } from '../core/event.ts'

export interface DeadLetter {
  readonly position: Position
  readonly id: string
  readonly tag: string
  /** When the buffer took the event, ms since 1970. */
  readonly receivedMs: number
  /** When it was refused for good, ms since 1970. */
  readonly refusedMs: number
  /** How often it was handed to the destination. */
  readonly attempts: number
  /** The destination's name for the fault, or `retry_limit`. */
  readonly reason: string
  /** The destination's words. */
  readonly detail: string
  /** `[time, record]` in msgpack, as the output was handed it: behind its filters. */
  readonly entry: Uint8Array
}

const VERSION = 1
const RECORD_MAGIC = 0x4c44_0a1a
const HEAD_SIZE = 16
const FIXED_SIZE = 36
export const FILE_HEADER_SIZE = 20
/** Longer texts are cut; the event itself never is. */
const TEXT_BYTES_MAX = 4_096

export function createFileHeader(): Buffer {
  const header = Buffer.alloc(FILE_HEADER_SIZE)
  header.write('LOGBDEAD', 0, 'latin1')
  header.writeUInt16LE(VERSION, 8)
  header.set(randomBytes(4), 12)
  header.writeUInt32LE(crc32(header.subarray(0, 16)), 16)
  return header
}

/** The salt of a file; undefined when its header is torn, damaged, or of another program or version. */
export function saltOf(file: Buffer): number | undefined {
  if (file.byteLength < FILE_HEADER_SIZE || file.readUInt32LE(16) !== crc32(file.subarray(0, 16))) return undefined
  if (file.toString('latin1', 0, 8) !== 'LOGBDEAD' || file.readUInt16LE(8) !== VERSION) return undefined
  return file.readUInt32LE(12)
}

export function encodeDeadLetter(letter: DeadLetter, salt: number): Uint8Array {
  const texts = [letter.tag, letter.id, letter.reason, letter.detail].map((text) =>
    Buffer.from(text, 'utf8').subarray(0, TEXT_BYTES_MAX),
  )
  const size = FIXED_SIZE + texts.reduce((sum, text) => sum + text.byteLength, 0) + letter.entry.byteLength
  const record = Buffer.alloc(HEAD_SIZE + size)
  const body = record.subarray(HEAD_SIZE)
  body.writeBigUInt64LE(BigInt(letter.position), 0)
  body.writeDoubleLE(letter.receivedMs, 8)
  body.writeDoubleLE(letter.refusedMs, 16)
  body.writeUInt32LE(letter.attempts, 24)
  let at = FIXED_SIZE
  for (const [index, text] of texts.entries()) {
    body.writeUInt16LE(text.byteLength, 28 + 2 * index)
    body.set(text, at)
    at += text.byteLength
  }
  body.set(letter.entry, at)
  record.writeUInt32LE(RECORD_MAGIC, 0)
  record.writeUInt32LE(size, 4)
  record.writeUInt32LE(crc32(body), 8)
  record.writeUInt32LE(crc32(record.subarray(0, 12), salt), 12)
  return record
}

export function decodeDeadLetter(body: Buffer): DeadLetter {
  let at = FIXED_SIZE
  const text = (index: number) => {
    const size = body.readUInt16LE(28 + 2 * index)
    at += size
    return body.toString('utf8', at - size, at)
  }
  const [tag, id, reason, detail] = [text(0), text(1), text(2), text(3)]
  return {
    position: Number(body.readBigUInt64LE(0)),
    receivedMs: body.readDoubleLE(8),
    refusedMs: body.readDoubleLE(16),
    attempts: body.readUInt32LE(24),
    tag,
    id,
    reason,
    detail,
    entry: Uint8Array.from(body.subarray(at)),
  }
}

export interface DeadLetterScan {
  /** Bodies of the whole records, in order; views of the file's bytes. */
  readonly bodies: readonly Buffer[]
  /** Where the head of each stands in the file. */
  readonly starts: readonly number[]
  /** Where the last whole record ends. */
  readonly wholeSize: number
  /** Bytes between whole records that are none: damage, since what was torn stands at the end. */
  readonly damagedBytes: number
}

/** Finds the whole records of a file. Never throws, whatever the bytes are. */
export function scanDeadLetters(file: Buffer, salt: number): DeadLetterScan {
  const bodies: Buffer[] = []
  const starts: number[] = []
  let wholeSize = FILE_HEADER_SIZE
  let damagedBytes = 0
  for (let at = FILE_HEADER_SIZE; at + HEAD_SIZE <= file.byteLength; ) {
    const body = wholeBody(file, at, salt)
    if (body === undefined) {
      at = nextMagic(file, at + 1)
      continue
    }
    bodies.push(body)
    starts.push(at)
    damagedBytes += at - wholeSize
    at += HEAD_SIZE + body.byteLength
    wholeSize = at
  }
  return { bodies, starts, wholeSize, damagedBytes }
}

function wholeBody(file: Buffer, at: number, salt: number): Buffer | undefined {
  if (file.readUInt32LE(at) !== RECORD_MAGIC) return undefined
  if (file.readUInt32LE(at + 12) !== crc32(file.subarray(at, at + 12), salt)) return undefined
  const size = file.readUInt32LE(at + 4)
  const begin = at + HEAD_SIZE
  if (size < FIXED_SIZE || begin + size > file.byteLength) return undefined
  const body = file.subarray(begin, begin + size)
  return crc32(body) === file.readUInt32LE(at + 8) ? body : undefined
}

const REMOVAL_SIZE = 8

export function encodeRemovals(starts: readonly number[], salt: number): Buffer {
  const bytes = Buffer.alloc(starts.length * REMOVAL_SIZE)
  for (const [index, start] of starts.entries()) {
    const at = index * REMOVAL_SIZE
    bytes.writeUInt32LE(start, at)
    bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 4), salt), at + 4)
  }
  return bytes
}

/** Where the records stand that are removed. Never throws. */
export function decodeRemovals(bytes: Buffer, salt: number): Set<number> {
  const starts = new Set<number>()
  for (let at = 0; at + REMOVAL_SIZE <= bytes.byteLength; at += REMOVAL_SIZE) {
    if (bytes.readUInt32LE(at + 4) === crc32(bytes.subarray(at, at + 4), salt)) starts.add(bytes.readUInt32LE(at))
  }
  return starts
}

/** Length of what is whole of a file of removals. */
export function wholeRemovals(byteLength: number): number {
  return byteLength - (byteLength % REMOVAL_SIZE)
}

function nextMagic(file: Buffer, from: number): number {
  const found = file.indexOf(Buffer.of(0x1a, 0x0a, 0x44, 0x4c), from)
  return found === -1 ? file.byteLength : found
}
