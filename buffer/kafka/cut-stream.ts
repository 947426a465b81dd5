/** Cuts the entries of a stream where one record would hold too many or be too large. Pure. */
import { LogboomError } from '../../server/core/errors.ts'
import { nextEntry } from '../../server/core/packed-entries.ts'
import { EVENTS_MAX } from './record.ts'

export interface Cut {
  readonly packed: Uint8Array
  readonly count: number
}

/** Whole entries each, in order. Throws LogboomError LB-B005 when one entry alone is larger than `bytesMax`. */
export function cutStream(packed: Uint8Array, count: number, bytesMax: number): Cut[] {
  if (count <= EVENTS_MAX && packed.length <= bytesMax) return [{ packed, count }]
  const cuts: Cut[] = []
  let [start, at, events] = [0, 0, 0]
  while (at < packed.length) {
    const next = nextEntry(packed, at, packed.length)
    if (next - at > bytesMax) throw new LogboomError('LB-B005', { size: next - at, limit: bytesMax })
    if (events === EVENTS_MAX || next - start > bytesMax) {
      cuts.push({ packed: packed.subarray(start, at), count: events })
      start = at
      events = 0
    }
    events += 1
    at = next
  }
  if (events > 0) cuts.push({ packed: packed.subarray(start, at), count: events })
  return cuts
}
