/**
 * What becomes of packets that go one way: lost, late, doubled, overtaken, held up by a narrow line. Pure; times are
 * given, in ms.
 */
import type { WayFaults } from './link.ts'

/** What waits for a narrow line at most, in ms of that line, as in a small router. */
const QUEUE_MS = 400
/** By how much a packet is late that others overtake. */
const OVERTAKEN_MS = 30

export class Way {
  readonly #random: () => number
  #faults: WayFaults = {}
  /** When the line has sent what was given to it. */
  #freeMs = 0

  /** @param random 0 included, 1 excluded. */
  constructor(random: () => number) {
    this.#random = random
  }

  set(faults: WayFaults): void {
    this.#faults = faults
    this.#freeMs = 0
  }

  /** @returns when the packet arrives: never, once or twice. */
  send(bytes: number, nowMs: number): number[] {
    const { loss = 0, duplicate = 0, reorder = 0, delayMs = 0, bytesPerSecond } = this.#faults
    if (this.#happens(loss)) return []
    let sentMs = nowMs
    if (bytesPerSecond !== undefined) {
      const beginsMs = Math.max(nowMs, this.#freeMs)
      if (beginsMs - nowMs > QUEUE_MS) return []
      sentMs = beginsMs + (bytes / bytesPerSecond) * 1_000
      this.#freeMs = sentMs
    }
    const arrivesMs = sentMs + delayMs + (this.#happens(reorder) ? OVERTAKEN_MS : 0)
    return this.#happens(duplicate) ? [arrivesMs, arrivesMs] : [arrivesMs]
  }

  /** Chance is asked only where there is one. */
  #happens(share: number): boolean {
    return share > 0 && this.#random() < share
  }
}
