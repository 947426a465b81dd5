/**
 * How far a file was read, and how the file is known again. All that an unfinished event needs is where it begins: its
 * bytes are read again with what follows, so that nothing of a file is kept in memory between two reads, and the place
 * is all there is to make durable.
 */
import { crc32 } from 'node:zlib'

/** Of one file. Offsets in bytes. */
export interface Place {
  /** Every whole line before it was looked at. */
  offset: number
  /**
   * By stream (0 stdout, 1 stderr): where the first piece of its unfinished event stands, before `offset`, or -1. The
   * lines between it and `offset` that belong to another event were stored already.
   */
  held: [number, number]
  /** The bytes before `startOf`: how many, and their CRC-32. */
  printBytes: number
  printCrc: number
}

export function placeAt(offset: number): Place {
  return { offset, held: [-1, -1], printBytes: 0, printCrc: 0 }
}

/** Where the next read begins. */
export function startOf({ offset, held: [first, second] }: Place): number {
  return Math.min(offset, first < 0 ? offset : first, second < 0 ? offset : second)
}

/** Whether there are bytes that were looked at and wait for what belongs to them. */
export function isHolding(place: Place): boolean {
  return place.held[0] >= 0 || place.held[1] >= 0
}

export function copyPlace(place: Place): Place {
  return { ...place, held: [...place.held] }
}

/** Remembers the last of the bytes `[start, end)`, which stand right before `startOf(place)` in the file. */
export function takePrint(place: Place, bytes: Uint8Array, start: number, end: number): void {
  place.printBytes = end - start
  place.printCrc = crc32(bytes.subarray(start, end))
}

/** What the buffer keeps of a file. */
export interface KeptPlace {
  readonly place: Place
  readonly path: string
  /** When the file was last looked for and had its path, ms since 1970. */
  readonly liveMs: number
}

export function encodePlace({ place, path, liveMs }: KeptPlace): string {
  const { offset, held, printBytes, printCrc } = place
  return [offset, ...held, printBytes, printCrc, liveMs, path].join(' ')
}

/** Undefined when it is none. */
export function decodePlace(text: string): KeptPlace | undefined {
  const fields = /^(\d+) (-1|\d+) (-1|\d+) (\d+) (\d+) (\d+) (.*)$/s.exec(text)
  if (fields === null) return undefined
  const [offset = 0, first = -1, second = -1, printBytes = 0, printCrc = 0, liveMs = 0] = fields.slice(1, 7).map(Number)
  return { place: { offset, held: [first, second], printBytes, printCrc }, path: fields[7]!, liveMs }
}
