/** The memory that all connections of one input share: how much is in flight, and how much unfinished messages hold. */
import { LIMITS } from './limits.ts'

/** What the budget knows of a connection. */
export interface Spender {
  /** Bytes it holds for a message that is not whole. */
  readonly heldBytes: number
  /** Rises with each read of any connection: whose is lowest has waited longest for its next byte. */
  readonly lastRead: number
  /** Looks again whether it may read. */
  steer(): void
  /** Gives its unfinished message up and closes. */
  evict(): void
}

/** Reading goes on when less than this is in flight after the limit was reached. */
const RESUME_BYTES = LIMITS.inFlightBytes * 0.75

export class Budget {
  readonly spenders = new Set<Spender>()
  #inFlight = 0
  #held = 0
  #reads = 0
  #full = false

  /** No connection reads while this is so: what is in flight settles by itself, so nobody waits for ever. */
  get isFull(): boolean {
    return this.#full
  }

  get inFlightBytes(): number {
    return this.#inFlight
  }

  get heldBytes(): number {
    return this.#held
  }

  nextRead(): number {
    this.#reads += 1
    return this.#reads
  }

  /** Bytes were emitted (positive), or have become durable (negative). */
  addInFlight(bytes: number): void {
    this.#inFlight += bytes
    const full = this.#inFlight >= (this.#full ? RESUME_BYTES : LIMITS.inFlightBytes)
    if (full === this.#full) return
    this.#full = full
    for (const spender of this.spenders) spender.steer()
  }

  /** Whether a message of so many bytes may be held in memory while it comes; else it goes through a file. */
  mayHold(bytes: number): boolean {
    return bytes <= LIMITS.spoolBytes && this.#held + bytes <= LIMITS.heldBytes / 2
  }

  /**
   * A connection holds more or less than before. Beyond the limit the one that has been silent longest is closed, so
   * that stalled senders cannot use up the memory of those that send.
   */
  addHeld(bytes: number): void {
    this.#held += bytes
    while (this.#held > LIMITS.heldBytes) {
      let stalled: Spender | undefined
      for (const spender of this.spenders) {
        if (spender.heldBytes > 0 && (stalled === undefined || spender.lastRead < stalled.lastRead)) stalled = spender
      }
      if (stalled === undefined) return
      stalled.evict()
    }
  }
}
