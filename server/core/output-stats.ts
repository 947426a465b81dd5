/**
 * One output's counters, in memory that its thread and the main thread share: the thread adds, the main thread looks.
 * Each slot has one writer, so plain reads and writes of doubles are enough.
 */
import { DEAD_REASONS, FILTER_REASONS, LATENCY_BUCKETS_S } from './metrics.ts'

/** Together all events that an output is done with, each counted once, before the cursor passes it. */
export const DONE_COUNTERS = [
  'delivered',
  /** Taken by the output that is named as `secondary`. */
  'secondary',
  'dead',
  'dropped',
  /** Moved out of the buffer, to be delivered later (`on_lag: park`). */
  'parked',
  /** Events that a filter made part of another. */
  'joined',
  'unmatched',
  'damaged',
] as const

const GAUGES = [
  ...DONE_COUNTERS,
  'oldestReceivedMs',
  'cursor',
  'startPosition',
  /** Events that the reader knows of and that are not done. */
  'readerLag',
  'blocked',
  'deadLetters',
  /** Dead letters that the destination took in a replay, and those that were thrown away. */
  'replayed',
  'discarded',
  /** Events that are parked now; parked ones that the destination took, and those it refused for good. */
  'parkedEvents',
  'parkedDelivered',
  'parkedDead',
  /** What outputs measure themselves. Kinesis: records and bytes that shards took, how many shards, the busiest one. */
  'records',
  'bytes',
  'shards',
  'busiestShard',
  /** S3: bytes that wait on disk to be stored. */
  'stagedBytes',
  'inFlight',
  'attempt',
  'nextTryMs',
  'latencySumS',
  'latencyCount',
  /** Times the thread died and was started again; the main thread counts these. */
  'restarts',
  'retry_network',
  'retry_timeout',
  'retry_throttled',
  'retry_unavailable',
  'retry_blocked',
  'retry_other',
  ...DEAD_REASONS.map((reason) => `dead_${reason}` as const),
  ...FILTER_REASONS.map((reason) => `filter_${reason}` as const),
] as const
export type OutputCounter = (typeof GAUGES)[number]

const SLOTS = GAUGES.length + LATENCY_BUCKETS_S.length
const slotOf = Object.fromEntries(GAUGES.map((name, index) => [name, index])) as Record<OutputCounter, number>

export class OutputStats {
  readonly memory: SharedArrayBuffer
  readonly #slots: Float64Array
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(SLOTS * 8)) {
    this.memory = memory
    this.#slots = new Float64Array(memory)
  }
  get(name: OutputCounter): number {
    return this.#slots[slotOf[name]]!
  }
  set(name: OutputCounter, value: number): void {
    this.#slots[slotOf[name]] = value
  }
  add(name: OutputCounter, by: number): void {
    this.#slots[slotOf[name]]! += by
  }
  observeLatency(seconds: number): void {
    this.add('latencySumS', seconds)
    this.add('latencyCount', 1)
    const bucket = LATENCY_BUCKETS_S.findIndex((bound) => seconds <= bound)
    if (bucket !== -1) this.#slots[GAUGES.length + bucket]! += 1
  }
  /** Adds to the dead letters by their reasons; reasons that are not known beforehand are counted together. */
  countDead(byReason: ReadonlyMap<string, number>): void {
    for (const [reason, count] of byReason) {
      this.add(`dead_${DEAD_REASONS.find((it) => it === reason) ?? 'other'}`, count)
    }
  }
  /** Events that are done, one way or another, since the output was opened first. */
  countDone(): number {
    return DONE_COUNTERS.reduce((sum, name) => sum + this.get(name), 0)
  }
  /** Not cumulative: how many fell into each bucket of LATENCY_BUCKETS_S. */
  latencyBuckets(): number[] {
    return [...this.#slots.subarray(GAUGES.length)]
  }
}
