/**
 * Where an output's events may go: to its own destination, and from there to its `secondary`. Which of the two lets a
 * write out first is decided here; what became of it is not known here.
 */
import type { Writer } from '../../outputs/output.ts'
import type { Clock } from '../core/clock.ts'
import type { Circuit, Pass } from './circuit.ts'
import type { Complaints } from './complaints.ts'
import type { TroubleSource } from './health.ts'

export interface Destination {
  /** The output whose configuration it is. */
  readonly name: string
  readonly writer: Writer
  readonly circuit: Circuit
  readonly complaints: Complaints
  /** Whose trouble it is when nothing is accepted. */
  readonly source: TroubleSource
}

/** What takes the events that the first destination has not taken. */
export interface Secondary {
  readonly destination: Destination
  /** It is used once the first has accepted nothing for so long, `secondary_after`. */
  readonly afterMs: number
}

/** A write that may go out. */
export interface Way {
  readonly to: Destination
  readonly pass: Pass
}

/** How long until the secondary is used, ms; 0: it is used now. */
export function secondaryDueMs(first: Destination, { afterMs }: Secondary, clock: Clock): number {
  const nowMs = clock.monotonic()
  return Math.max(0, (first.circuit.status().failingSinceMs ?? nowMs) + afterMs - nowMs)
}

/**
 * The first destination that lets a write out, the earlier one where several do.
 * Undefined: the signal aborted before any did.
 */
export async function firstWay(destinations: readonly Destination[], signal: AbortSignal): Promise<Way | undefined> {
  const [only] = destinations
  if (destinations.length === 1) return enter(only!, signal)
  const decided = new AbortController()
  const stop = AbortSignal.any([signal, decided.signal])
  const entering = destinations.map((destination) => enter(destination, stop))
  await Promise.race(entering)
  decided.abort()
  const [way, ...others] = (await Promise.all(entering)).filter((it) => it !== undefined)
  for (const { to, pass } of others) to.circuit.abandoned(pass)
  return way
}

async function enter(to: Destination, signal: AbortSignal): Promise<Way | undefined> {
  const pass = await to.circuit.enter(signal)
  return pass && { to, pass }
}
