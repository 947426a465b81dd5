/** Writes the events of one file: time, record, and the path where `path_key` asks for it. */
import type { EntryWriter } from '../encoding/entry-writer.ts'

/** What every event of a file has besides. */
export interface PathPair {
  readonly key: Buffer
  path: Buffer
}

export function writeTime(to: EntryWriter, ms: number): void {
  const seconds = Math.floor(ms / 1_000)
  to.entry()
  to.eventTime(seconds, Math.round((ms - seconds * 1_000) * 1e6))
}

/** Writes the pair behind the others of a map whose head it is not counted in. */
export function writePath(to: EntryWriter, pair: PathPair): void {
  to.string(pair.key, 0, pair.key.length)
  to.string(pair.path, 0, pair.path.length)
}

/** Counts one pair more in the map that was written from `map` on, whose count was found by writing it. */
export function countOneMore(to: EntryWriter, map: number): void {
  const head = to.bytes[map]!
  if (head === 0x8f) to.closeMap(map, 16)
  else if (head < 0x8f) to.bytes[map] = head + 1
  else if (head === 0xde) to.bytes.writeUInt16BE(to.bytes.readUInt16BE(map + 1) + 1, map + 1)
}
