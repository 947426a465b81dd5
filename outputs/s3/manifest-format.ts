/**
 * The manifest: what is staged, as lines that are only ever appended. Pure.
 *
 *   9a3c01ff {"parts":[{"id":1,"stem":"logs/…","windowStart":…,"bytes":5120,…}],"positions":[1000,1300]}\n
 *   8 hex digits: CRC-32 of the text behind the blank
 *
 * A line says how things stand and not what changed, so that a line that is read twice, or one that is lost to a disk,
 * changes little. The last line may be torn by a crash: it counts as never written.
 */
import { crc32 } from 'node:zlib'
import type { Compression } from './compression.ts'
import type { Ranges } from './staged-positions.ts'

/** One object, or what will become one: a file of compressed pieces. */
export interface Part {
  readonly id: number
  /** The key with `{index}` still in it. */
  readonly stem: string
  /** Seconds since 1970. */
  readonly windowStart: number
  readonly compression: Compression
  /** When it is full at the latest, ms since 1970. */
  readonly dueMs: number
  /** Bytes of the file that count; behind them may stand what a crash or a full disk left. */
  readonly bytes: number
  readonly events: number
  /** Once nothing more is appended: what tells the object from others, and the number in its key. */
  readonly object?: { readonly id: string; readonly index: number }
}

export interface ManifestLine {
  /** As they stand from now on. */
  readonly parts?: readonly Part[]
  /** Of the events that the parts have got. */
  readonly positions?: Ranges
  /** Ids of parts that are stored: their files may be gone. */
  readonly stored?: readonly number[]
}

export function encodeLine(line: ManifestLine): Buffer {
  const text = Buffer.from(JSON.stringify(line))
  return Buffer.concat([Buffer.from(`${crc32(text).toString(16).padStart(8, '0')} `), text, Buffer.from('\n')])
}

export interface Manifest {
  readonly lines: readonly ManifestLine[]
  /** Where the last whole line ends. */
  readonly end: number
  /** Lines before `end` that are not whole: a crash does not leave any. */
  readonly damaged: number
}

export function decodeManifest(bytes: Buffer): Manifest {
  const lines: ManifestLine[] = []
  let end = 0
  let bad = 0
  let damaged = 0
  for (let at = 0; ; ) {
    const newline = bytes.indexOf(0x0a, at)
    if (newline < 0) return { lines, end, damaged }
    const line = decodeLine(bytes.subarray(at, newline))
    at = newline + 1
    if (line === undefined) {
      bad += 1
      continue
    }
    lines.push(line)
    damaged += bad
    bad = 0
    end = at
  }
}

function decodeLine(line: Buffer): ManifestLine | undefined {
  const text = line.subarray(9)
  if (line.length < 11 || line.toString('latin1', 0, 8) !== crc32(text).toString(16).padStart(8, '0')) return undefined
  return JSON.parse(text.toString()) as ManifestLine
}

/** The parts that are not stored yet. */
export function partsOf(lines: readonly ManifestLine[]): Map<number, Part> {
  const parts = new Map<number, Part>()
  for (const line of lines) applyLine(parts, line)
  return parts
}

export function applyLine(parts: Map<number, Part>, { parts: changed = [], stored = [] }: ManifestLine): void {
  for (const part of changed) parts.set(part.id, part)
  for (const id of stored) parts.delete(id)
}
