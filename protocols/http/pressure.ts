/** How much all requests of one input hold, and how long they wait for the disk: beyond the bounds new ones get 429. */
import type { Clock } from '../../server/core/clock.ts'
import { LIMITS, Refusal } from './limits.ts'

/** What one request holds. */
export interface Claim {
  /** @throws Refusal 429 when there is no room for so many bytes. */
  hold(bytes: number): void
  /** From now on it waits for the disk. */
  wait(): void
  release(): void
}

export class Pressure {
  readonly #clock: Clock
  #bytes = 0
  /** When the requests that wait for the disk began to, the longest ago first. */
  readonly #waiting = new Map<Claim, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Lets a request in. @throws Refusal 429. */
  admit(): Claim {
    const [longest] = this.#waiting.values()
    if (longest !== undefined && this.#clock.monotonic() - longest > LIMITS.stalledMs) throw busy()
    let held = 0
    const claim: Claim = {
      hold: (bytes) => {
        const wanted = Math.max(bytes, LIMITS.requestBytes)
        if (wanted > held && this.#bytes + wanted - held > LIMITS.inFlightBytes) throw busy()
        this.#bytes += wanted - held
        held = wanted
      },
      wait: () => this.#waiting.set(claim, this.#clock.monotonic()),
      release: () => {
        this.#waiting.delete(claim)
        this.#bytes -= held
        held = 0
      },
    }
    claim.hold(0)
    return claim
  }
}

function busy(): Refusal {
  return new Refusal(429, 'LB-H006')
}
