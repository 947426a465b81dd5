/**
 * What becomes of events that an output does not get rid of: `on_lag: skip` gives up the oldest of them, `on_lag: park`
 * moves them out of the way (parking.ts).
 */
import type { Reader, ReadLimits, StoredPart } from '../../buffer/buffer.ts'
import type { Clock } from '../core/clock.ts'
import { LogboomError } from '../core/errors.ts'
import type { Position } from '../core/event.ts'
import type { Logger } from '../core/log.ts'
import type { OutputStats } from '../core/output-stats.ts'
import { type Parked, park } from './parking.ts'

const LOOK_INTERVAL_MS = 1_000
/** Each try to park interrupts what is in flight, so that it is seldom made while there is no room. */
const FULL_INTERVAL_MS = 60_000

/** How far an output may stay behind before the oldest events are skipped or parked; one of them at least. */
export interface LagLimit {
  readonly bytes: number | undefined
  readonly ageMs: number | undefined
  /** They are parked. */
  readonly isParked?: boolean
}

/**
 * Where to go on so that no more than the limit lies behind; undefined: nothing is to be skipped. Whole parts are
 * skipped, since only that makes room, and never the one that is being written. A part is too old when the next one
 * was begun that long ago.
 */
export function skipTarget(
  parts: readonly StoredPart[],
  { cursor, nowMs, limit }: { readonly cursor: Position; readonly nowMs: number; readonly limit: LagLimit },
): Position | undefined {
  let bytes = parts.reduce(
    (sum, part, index) => ((parts[index + 1]?.from ?? Infinity) > cursor ? sum + part.bytes : sum),
    0,
  )
  let target: Position | undefined
  for (const [index, part] of parts.entries()) {
    const next = parts[index + 1]
    if (next === undefined) break
    if (next.from <= cursor) continue
    const isOld = limit.ageMs !== undefined && nowMs - next.createdMs > limit.ageMs
    if (!isOld && (limit.bytes === undefined || bytes <= limit.bytes)) break
    bytes -= part.bytes
    target = next.from
  }
  return target
}

export interface LagParts {
  readonly output: string
  readonly reader: Reader
  readonly stats: OutputStats
  readonly clock: Clock
  readonly log: Logger
  readonly limit: LagLimit
  readonly limits: ReadLimits
  /** Where the limit says that events are parked. */
  readonly parked: Parked | undefined
  /** Runs a change while nothing is in flight. */
  readonly whileIdle: (change: () => Promise<boolean>) => Promise<boolean>
}

/** Looks once a second until the signal aborts. What it cannot look at now, it looks at then. */
export async function watchLag(parts: LagParts, signal: AbortSignal): Promise<void> {
  const { clock, log, output } = parts
  for (let restMs = LOOK_INTERVAL_MS; ; ) {
    await clock.sleep(restMs, signal)
    if (signal.aborted) return
    restMs = LOOK_INTERVAL_MS
    try {
      if ((await targetOf(parts)) === undefined) continue
      const hasRoom = await parts.whileIdle(() => giveWay(parts, signal))
      if (!hasRoom) restMs = FULL_INTERVAL_MS
    } catch (error) {
      if (signal.aborted) return
      log.debug({ err: error, output }, 'how far the output lags could not be told')
    }
  }
}

async function targetOf({ reader, clock, limit }: LagParts): Promise<Position | undefined> {
  return skipTarget(await reader.parts(), { cursor: reader.status().cursor, nowMs: clock.now(), limit })
}

/** False: there is no room to park more. */
async function giveWay(parts: LagParts, signal: AbortSignal): Promise<boolean> {
  const { reader, parked } = parts
  // What was in flight may be done now, and the cursor that is told is the durable one.
  await reader.flush()
  const to = await targetOf(parts)
  if (to === undefined) return true
  if (parts.limit.isParked === true && parked !== undefined) return park({ ...parts, parked }, to, signal)
  await skip(parts, to)
  return true
}

/** Counted before the cursor moves, so that the ledger adds up at any time. */
async function skip({ output, reader, stats, log }: LagParts, to: Position): Promise<void> {
  const from = reader.status().cursor
  const count = await reader.skip(to)
  stats.add('dropped', count)
  await reader.flush()
  const error = new LogboomError('LB-P006', { output, count, from, to: to - 1 })
  log.warn({ code: error.code, count, from, to: to - 1 }, `${error.message}. ${error.help}`)
}
