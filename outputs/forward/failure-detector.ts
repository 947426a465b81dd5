/**
 * Tells from the gaps between heartbeats that a server has failed: fluentd's phi accrual failure detector. Pure; times
 * are given, in ms. [fluentd, out_forward/failure_detector.rb; Hayashibara et al., "The φ accrual failure detector"]
 */

const SAMPLES_MAX = 1_000
const SECOND_MS = 1_000

export class FailureDetector {
  readonly #intervalMs: number
  #lastMs: number
  /** Gaps between heartbeats, oldest first. */
  #gaps: number[]

  /** @param intervalMs between two heartbeats. `nowMs` counts as the first of them. */
  constructor(intervalMs: number, nowMs: number) {
    this.#intervalMs = intervalMs
    this.#lastMs = nowMs
    this.#gaps = [intervalMs]
  }

  /** Heartbeats since the last `clear`. */
  get samples(): number {
    return this.#gaps.length
  }

  /** A heartbeat. */
  add(nowMs: number): void {
    this.#gaps.push(this.#gaps.length === 0 ? this.#intervalMs : nowMs - this.#lastMs)
    if (this.#gaps.length > SAMPLES_MAX) this.#gaps.shift()
    this.#lastMs = nowMs
  }

  clear(): void {
    this.#gaps = []
  }

  /** How long there was no heartbeat. */
  silenceMs(nowMs: number): number {
    return nowMs - this.#lastMs
  }

  /**
   * How sure it is that the server has failed: the wait for the next heartbeat against the mean of the gaps, later ones
   * weighing more, on a scale on which 1 stands for one error in ten. Gaps are shortened to those of an interval of
   * 1 s, as in fluentd.
   */
  phi(nowMs: number): number {
    if (this.#gaps.length === 0) return 0
    let sum = 0
    let weights = 0
    for (const [index, gap] of this.#gaps.entries()) {
      sum += gap * (index + 1)
      weights += index + 1
    }
    const mean = sum / weights - this.#intervalMs + SECOND_MS
    const waited = this.silenceMs(nowMs) - this.#intervalMs + SECOND_MS
    return waited / mean / Math.LN10
  }
}
