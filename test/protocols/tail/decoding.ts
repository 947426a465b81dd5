/** Runs a decoder over bytes as a reader does, in reads of any size, and shows the events. For tests only. */
import { Packr } from 'msgpackr'
import { EntryWriter } from '../../../protocols/encoding/entry-writer.ts'
import type { BlockEnd, Decoder } from '../../../protocols/tail/decoder.ts'
import { copyPlace, type Place, placeAt, startOf } from '../../../protocols/tail/place.ts'

const packr = new Packr({ useRecords: false, int64AsType: 'number' })
export const NOW_MS = 1_795_000_000_250

export interface Shown {
  /** Seconds and nanoseconds, as text. */
  readonly time: string
  readonly record: Record<string, unknown>
}

function showTime(bytes: Buffer, at: number): string {
  return `${bytes.readUInt32BE(at + 3)}.${String(bytes.readUInt32BE(at + 7)).padStart(9, '0')}`
}

/** The events of packed bytes. */
export function showEvents(packed: Uint8Array): Shown[] {
  const bytes = Buffer.from(packed)
  if (bytes.length === 0) return []
  const shown: Shown[] = []
  const records: Record<string, unknown>[] = []
  const starts: number[] = []
  packr.unpackMultiple(bytes, (value: unknown, start?: number) => {
    records.push((value as [unknown, Record<string, unknown>])[1])
    starts.push(start!)
  })
  for (const [index, record] of records.entries()) shown.push({ time: showTime(bytes, starts[index]!), record })
  return shown
}

export interface Run {
  readonly events: Shown[]
  readonly place: Place
}

/** What the decoder makes of one block that holds `file[startOf(place), end)`. */
export function decodeOnce(
  decoder: Decoder,
  file: Buffer,
  end: number,
  place: Place,
  blockEnd: BlockEnd = 'open',
): Run {
  const moved = copyPlace(place)
  const from = startOf(place)
  // Something before and behind, so that a decoder that looks there is found out.
  const bytes = Buffer.concat([Buffer.from('??\n'), file.subarray(from, end), Buffer.from('\n!!\n')])
  const to = new EntryWriter(64)
  const block = { bytes, start: 3, end: 3 + end - from, offset: from }
  const count = decoder.decode(block, moved, blockEnd, NOW_MS, to)
  const events = showEvents(to.bytes.subarray(0, to.length))
  if (events.length !== count) throw new Error(`${count} events were counted, ${events.length} written`)
  return { events, place: moved }
}

/** Reads that end at these offsets, one after the other; the last is followed by a final one. */
export function decodeInReads(makeDecoder: () => Decoder, file: Buffer, ends: readonly number[]): Shown[] {
  let place = placeAt(0)
  const events: Shown[] = []
  for (const end of [...ends, file.length]) {
    // A new decoder each time: it may keep nothing.
    const run = decodeOnce(makeDecoder(), file, end, place)
    events.push(...run.events)
    place = run.place
  }
  events.push(...decodeOnce(makeDecoder(), file, file.length, place, 'final').events)
  return events
}
