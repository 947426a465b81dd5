/**
 * How fast records are sent. A stream takes 1,000 records and 1 MB a second for each shard, and shards come and go: the
 * rate is learned from what is throttled. Nothing is held back until then; then a little less than what was taken, and
 * from there more with each second without a complaint.
 */
import type { Clock } from '../../server/core/clock.ts'

/** Records a second, at the least: what one shard takes is 1,000. */
const RATE_MIN = 100
/** Share of what was taken lately that is asked for after a complaint. */
const BACK_OFF = 0.9
/** More with each second without a complaint: a doubled stream is used in full after about 14 s. */
const GROWTH_PER_SECOND = 0.05
/** Over which the rate that was taken is measured. */
const WINDOW_MS = 1_000

export class StreamRate {
  readonly #clock: Clock
  /** Records a second; Infinity: nothing was ever throttled. */
  #rate = Number.POSITIVE_INFINITY
  /** When what was let through so far is paid for, ms. */
  #paidUntil = 0
  #grownAt = 0
  #windowStart = 0
  #taken = 0
  #takenRate = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Records a second just now. */
  get perSecond(): number {
    return this.#rate
  }

  /** Resolves when so many records may be sent; earlier when the signal aborts. */
  async take(records: number, signal: AbortSignal): Promise<void> {
    if (this.#rate === Number.POSITIVE_INFINITY) return
    const now = this.#clock.monotonic()
    const start = Math.max(now, this.#paidUntil)
    this.#paidUntil = start + (records / this.#rate) * 1_000
    if (start > now) await this.#clock.sleep(start - now, signal)
  }

  /** Tells what became of a request. */
  answered(taken: number, throttled: number): void {
    const now = this.#clock.monotonic()
    this.#measure(taken, now)
    if (throttled > 0) {
      // What a second has taken, or this second so far, where the stream was never measured.
      const lately = Math.max(this.#takenRate, this.#taken)
      this.#rate = Math.max(RATE_MIN, Math.min(this.#rate, lately) * BACK_OFF)
      this.#grownAt = now
    } else if (this.#rate !== Number.POSITIVE_INFINITY) {
      this.#rate *= 1 + (GROWTH_PER_SECOND * (now - this.#grownAt)) / 1_000
      this.#grownAt = now
    }
  }

  #measure(taken: number, now: number): void {
    if (now - this.#windowStart >= WINDOW_MS) {
      this.#takenRate = (this.#taken / (now - this.#windowStart)) * 1_000
      this.#windowStart = now
      this.#taken = 0
    }
    this.#taken += taken
  }
}
