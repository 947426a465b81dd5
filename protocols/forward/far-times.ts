/**
 * Finds clients whose times lie far from any that is meant, as milliseconds do that are sent as seconds: their events
 * get the time of receipt, and the operator is told why. Looks at one event of each stream.
 */
import type { Emit } from '../../server/core/event.ts'
import { entryTimeAt, readTimeSeconds } from '../../server/core/packed-entries.ts'

/** 2262-04-11, seconds since 1970: what lies behind it is taken as no time by every output. */
const SECONDS_END = 9_223_372_036

/** `emit`, with `found` called for streams that begin with such a time. */
export function watchFarTimes(emit: Emit, found: (peer: string) => void): Emit {
  return (stream) => {
    const { packed, peer } = stream
    if (packed instanceof Uint8Array && isFar(packed)) found(peer ?? '')
    return emit(stream)
  }
}

/** Only 8 bytes can say so much; nearly every client sends other times. */
function isFar(packed: Uint8Array): boolean {
  const time = entryTimeAt(packed, 0)
  const first = packed[time]!
  return (first === 0xcf || first === 0xd3 || first === 0xcb) && readTimeSeconds(packed, time) > SECONDS_END
}
