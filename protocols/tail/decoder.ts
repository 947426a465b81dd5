/** The contract of what makes events of a file's bytes. A decoder keeps nothing from one block to the next. */
import type { EntryWriter } from '../encoding/entry-writer.ts'
import type { Place } from './place.ts'

/** Bytes of a file: `bytes[start, end)` stand at `offset` in it, and `offset` is `startOf` the place. */
export interface Block {
  bytes: Buffer
  start: number
  end: number
  offset: number
}

/**
 * `open`: more may follow. `idle`: nothing came for a while, or there is no room for more: events that wait for further
 * lines are ended. `final`: nothing will follow: what has no line end is a line too.
 */
export type BlockEnd = 'open' | 'idle' | 'final'

export interface Decoder {
  /**
   * Writes the events of the block's lines and moves the place behind what was looked at.
   * @param nowMs time of events that have none of their own
   * @returns how many events were written
   */
  decode(block: Block, place: Place, end: BlockEnd, nowMs: number, to: EntryWriter): number
}

const NEWLINE = 0x0a
const RETURN = 0x0d

/**
 * The end of the line that begins at `at`, its newline included; a line of more than `lineBytes` is cut into pieces of
 * that size, not within a character. -1: the line is not whole before `end`.
 */
export function lineEnd(bytes: Buffer, at: number, end: number, lineBytes: number): number {
  const newline = bytes.indexOf(NEWLINE, at)
  const next = newline === -1 || newline >= end ? -1 : newline + 1
  if (next !== -1 && next - at <= lineBytes + 1) return next
  if (end - at <= lineBytes) return -1
  let cut = at + lineBytes
  for (let back = 0; back < 3 && (bytes[cut]! & 0xc0) === 0x80; back += 1) cut -= 1
  return (bytes[cut]! & 0xc0) === 0x80 ? at + lineBytes : cut
}

/** Where the text of a line ends: without its `\n` or `\r\n`, as fluentd's in_tail takes it. */
export function textEnd(bytes: Buffer, start: number, end: number): number {
  if (end === start || bytes[end - 1] !== NEWLINE) return end
  return end - 1 > start && bytes[end - 2] === RETURN ? end - 2 : end - 1
}
