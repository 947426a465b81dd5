/**
 * Lets writes out: all that are allowed while the destination answers, one probe at a time while it does not, and then
 * again more with each success: twice as many with each round up to where it was known to be well, from there one more
 * (additive increase, multiplicative decrease; RFC 5681, 3.1). What is written, and what its answer means, is not known
 * here.
 */
import type { Clock } from '../core/clock.ts'

/** Lent to one write; handed back with what became of it. */
export interface Pass {
  /** Which failure it was issued after: an answer to a write from before the last failure says nothing new. */
  readonly era: number
  /** Which strain it was issued after: those that were out together ask for less once. */
  readonly strain: number
}

export interface Circuit {
  /** Waits until a write may go out; undefined when the signal aborts first. */
  enter(signal: AbortSignal): Promise<Pass | undefined>
  /** The destination answered. */
  succeeded(pass: Pass): void
  /** It answered and asks for less: half as many writes at a time from now on, and slowly more. */
  strained(pass: Pass): void
  /** It is down, or will not take anything: nothing goes out for as long as `delayMs` says of that many failures. */
  failed(pass: Pass, delayMs: (failures: number) => number): void
  /** The write ended without telling anything of the destination. */
  abandoned(pass: Pass): void
  status(): CircuitStatus
}

export interface CircuitStatus {
  /** Failures in a row; 0 while the circuit is closed. */
  readonly failures: number
  /** Monotonic ms of the first of them; undefined while the circuit is closed. */
  readonly failingSinceMs: number | undefined
  /** Monotonic ms of the next probe; undefined while the circuit is closed. */
  readonly openUntilMs: number | undefined
  readonly writing: number
}

/**
 * @param most writes at a time in good times, 1 at least.
 * @param signal ends the circuit's own timer.
 */
export function createCircuit(most: number, clock: Clock, signal: AbortSignal): Circuit {
  return new WriteCircuit(most, clock, signal)
}

class WriteCircuit implements Circuit {
  readonly #most: number
  readonly #clock: Clock
  readonly #signal: AbortSignal
  /** Who asked first is let in first. */
  readonly #waiters = new Set<(pass: Pass) => void>()
  #allowed: number
  /** Since one more was allowed. */
  #successes = 0
  /** So many were well when last there were too many. */
  #known: number
  #strains = 0
  #writing = 0
  #era = 0
  #failures = 0
  #failingSinceMs: number | undefined
  #openUntilMs: number | undefined
  #hasTimer = false

  constructor(most: number, clock: Clock, signal: AbortSignal) {
    this.#most = most
    this.#clock = clock
    this.#signal = signal
    this.#allowed = most
    this.#known = most
  }

  enter(stop: AbortSignal): Promise<Pass | undefined> {
    if (stop.aborted) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const giveUp = () => {
        this.#waiters.delete(admit)
        resolve(undefined)
      }
      const admit = (pass: Pass) => {
        stop.removeEventListener('abort', giveUp)
        resolve(pass)
      }
      stop.addEventListener('abort', giveUp, { once: true })
      this.#waiters.add(admit)
      this.#admitWaiters()
    })
  }

  succeeded(pass: Pass): void {
    if (pass.era === this.#era) {
      this.#successes += 1
      // One more for each success doubles them with each round of answers.
      const isMore = this.#allowed < this.#known || this.#successes >= this.#allowed
      this.#close(isMore ? Math.min(this.#most, this.#allowed + 1) : this.#allowed)
    }
    this.abandoned(pass)
  }

  strained(pass: Pass): void {
    if (pass.era === this.#era) {
      if (pass.strain === this.#strains) {
        this.#strains += 1
        this.#known = Math.max(1, Math.floor(this.#allowed / 2))
      }
      this.#close(Math.min(this.#allowed, this.#known))
    }
    this.abandoned(pass)
  }

  failed(pass: Pass, delayMs: (failures: number) => number): void {
    if (pass.era === this.#era) {
      this.#era += 1
      this.#failures += 1
      this.#allowed = 1
      this.#failingSinceMs ??= this.#clock.monotonic()
      this.#openUntilMs = this.#clock.monotonic() + delayMs(this.#failures)
    }
    this.abandoned(pass)
  }

  abandoned(_pass: Pass): void {
    this.#writing -= 1
    this.#admitWaiters()
  }

  status(): CircuitStatus {
    return {
      failures: this.#failures,
      failingSinceMs: this.#failingSinceMs,
      openUntilMs: this.#openUntilMs,
      writing: this.#writing,
    }
  }

  #close(allowed: number): void {
    this.#failures = 0
    this.#failingSinceMs = undefined
    this.#openUntilMs = undefined
    if (allowed !== this.#allowed) this.#successes = 0
    this.#allowed = allowed
  }

  #admitWaiters(): void {
    const waitMs = this.#openUntilMs === undefined ? 0 : this.#openUntilMs - this.#clock.monotonic()
    if (waitMs > 0) return void this.#admitAfter(waitMs)
    for (const admit of this.#waiters) {
      if (this.#writing >= this.#allowed) return
      this.#waiters.delete(admit)
      this.#writing += 1
      admit({ era: this.#era, strain: this.#strains })
    }
  }

  async #admitAfter(waitMs: number): Promise<void> {
    if (this.#hasTimer || this.#waiters.size === 0) return
    this.#hasTimer = true
    await this.#clock.sleep(waitMs, this.#signal)
    this.#hasTimer = false
    if (!this.#signal.aborted) this.#admitWaiters()
  }
}
