/** What one reader has seen: how often each number came, what came altered, what nobody sent. */
import type { EventNumber } from './numbered-events.ts'

/** Words about what is wrong that are kept. */
const EXAMPLES_MAX = 5

export class Tally {
  readonly name: string
  /** Numbers that came again after they had come. */
  doubled = 0
  distinct = 0
  /** Numbers that came for the first time after a higher one of their connection. */
  disordered = 0
  /** Not what was sent under that number, or nobody's event: the first few as they came. */
  readonly wrong: string[] = []
  readonly #newest = new Map<number, number>()
  readonly #counts = new Map<number, Uint8Array>()

  constructor(name: string) {
    this.name = name
  }

  add({ connection, number }: EventNumber): void {
    const counts = this.#roomFor(connection, number)
    if (counts[number] === 0) this.distinct += 1
    else this.doubled += 1
    const newest = this.#newest.get(connection) ?? -1
    if (number < newest && counts[number] === 0) this.disordered += 1
    this.#newest.set(connection, Math.max(newest, number))
    counts[number] = Math.min(255, counts[number]! + 1)
  }

  complain(text: string): void {
    if (this.wrong.length < EXAMPLES_MAX) this.wrong.push(`${this.name}: ${text.slice(0, 600)}`)
  }

  has({ connection, number }: EventNumber): boolean {
    return (this.#counts.get(connection)?.[number] ?? 0) > 0
  }

  /** As if it had never come: for the test of the oracle. */
  forget({ connection, number }: EventNumber): void {
    this.#roomFor(connection, number)[number] = 0
  }

  #roomFor(connection: number, number: number): Uint8Array {
    const known = this.#counts.get(connection) ?? new Uint8Array(1024)
    if (number < known.length) {
      this.#counts.set(connection, known)
      return known
    }
    const grown = new Uint8Array(2 ** Math.ceil(Math.log2(number + 1)))
    grown.set(known)
    this.#counts.set(connection, grown)
    return grown
  }
}
