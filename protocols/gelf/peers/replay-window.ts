/**
 * Whether an envelope of one member is new: sent of late, and not seen before. UDP may change the order of a few.
 *
 * A member that starts again takes another session, and counts from 0. A session that is over never comes back: a new
 * one has to be sent later than all of the one before.
 */
import { LIMITS } from '../limits.ts'

const { freshMs, replayWindow } = LIMITS.peers

export class ReplayWindow {
  #session: number | undefined
  /** Of the session: the highest sequence so far. */
  #highest = -1
  #latestSentMs = 0
  /** 1 for each of the last sequences that came. */
  readonly #seen = new Uint8Array(replayWindow)

  /** Of what was accepted last. */
  get session(): number | undefined {
    return this.#session
  }

  /** Call it for what is authentic alone. `sentMs`, `nowMs`: wall clocks of the two ends. */
  accept(session: number, sequence: number, sentMs: number, nowMs: number): boolean {
    if (Math.abs(nowMs - sentMs) > freshMs) return false
    if (session !== this.#session) {
      if (sentMs <= this.#latestSentMs) return false
      this.#session = session
      this.#highest = -1
      this.#seen.fill(0)
    }
    if (!this.#isNew(sequence)) return false
    this.#latestSentMs = Math.max(this.#latestSentMs, sentMs)
    return true
  }

  #isNew(sequence: number): boolean {
    const ahead = sequence - this.#highest
    if (ahead <= -replayWindow) return false
    const at = sequence % replayWindow
    if (ahead <= 0) {
      if (this.#seen[at] === 1) return false
    } else if (ahead >= replayWindow) this.#seen.fill(0)
    else for (let passed = 1; passed < ahead; passed += 1) this.#seen[(this.#highest + passed) % replayWindow] = 0
    this.#seen[at] = 1
    this.#highest = Math.max(this.#highest, sequence)
    return true
  }
}
