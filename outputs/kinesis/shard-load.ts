/**
 * How much the shards take: counted from the answers of PutRecords, which name the shard of each record, so that no
 * right beyond kinesis:PutRecords is needed. Shards come and go, and may be thousands: none of them is a label of a
 * metric, but how many there are is told, and how busy the busiest one is.
 */
import type { Clock } from '../../server/core/clock.ts'
import type { OutputContext } from '../output.ts'

/** Over which a shard's load is measured, ms. */
export const WINDOW_MS = 10_000
/** What a shard takes in a second. ["Quotas and limits", Amazon Kinesis Data Streams] */
const RECORDS_PER_SECOND = 1_000
const BYTES_PER_SECOND = 1_000_000
/** Shards that are told apart; of those beyond, records and bytes are counted and no more. */
const SHARDS_MAX = 10_000

interface Taken {
  records: number
  bytes: number
}

export class ShardLoad {
  readonly #clock: Clock
  readonly #stats: OutputContext['stats']
  readonly #closed = new AbortController()
  #shards = new Map<string, Taken>()
  #windowStart: number

  constructor({ clock, stats }: Pick<OutputContext, 'clock' | 'stats'>) {
    this.#clock = clock
    this.#stats = stats
    this.#windowStart = clock.monotonic()
    void this.#watch()
  }

  /** A shard took a record; `bytes`: its data and its key. */
  took(shard: string, bytes: number): void {
    this.#stats.add('records', 1)
    this.#stats.add('bytes', bytes)
    const known = this.#shards.get(shard)
    if (known !== undefined) {
      known.records += 1
      known.bytes += bytes
    } else if (this.#shards.size < SHARDS_MAX) this.#shards.set(shard, { records: 1, bytes })
  }

  close(): void {
    this.#closed.abort()
  }

  /** Also while nothing is written, so that a busy shard does not seem to stay busy. */
  async #watch(): Promise<void> {
    const { signal } = this.#closed
    for (;;) {
      await this.#clock.sleep(WINDOW_MS, signal)
      if (signal.aborted) return
      this.#endWindow()
    }
  }

  #endWindow(): void {
    const now = this.#clock.monotonic()
    const seconds = (now - this.#windowStart) / 1_000
    let most = 0
    for (const { records, bytes } of this.#shards.values()) {
      most = Math.max(most, records / RECORDS_PER_SECOND, bytes / BYTES_PER_SECOND)
    }
    this.#stats.set('busiestShard', most / seconds)
    if (this.#shards.size > 0) this.#stats.set('shards', this.#shards.size)
    this.#windowStart = now
    this.#shards = new Map()
  }
}
