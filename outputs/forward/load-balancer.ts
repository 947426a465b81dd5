/**
 * Which server is next: fluentd's weighted turns, in which standby servers take part only while the weight of others is
 * lost. Pure; chance and who is available come in. [fluentd, out_forward/load_balancer.rb]
 */

export interface Weighted {
  /** 0: never chosen. */
  readonly weight: number
  readonly standby: boolean
  readonly isAvailable: boolean
}

/** Turns that are shuffled for each server at least, so that they do not fall to it in a row. */
const TURNS_PER_SERVER = 6

export class LoadBalancer<S extends Weighted> {
  readonly #servers: readonly S[]
  readonly #random: () => number
  #turns: S[] = []
  /** Those that had a part in `#turns`. */
  #key = ''
  #next = 0

  /** @param random 0 included, 1 excluded. */
  constructor(servers: readonly S[], random: () => number) {
    this.#servers = servers.filter(({ weight }) => weight > 0)
    this.#random = random
  }

  /**
   * The servers to try one after the other, each once: those whose turn it is, then those that are thought lost, since
   * with nobody else there is nothing to lose by trying.
   */
  order(): S[] {
    const active = this.#active()
    const key = active.map((server) => this.#servers.indexOf(server)).join()
    if (key !== this.#key) this.#shuffle(active, key)
    const start = this.#turns.length === 0 ? 0 : this.#next++ % this.#turns.length
    const turns = [...this.#turns.slice(start), ...this.#turns.slice(0, start)]
    const byRank = this.#servers.toSorted((a, b) => Number(a.standby) - Number(b.standby))
    const rest = [...byRank.filter((server) => server.isAvailable), ...byRank]
    return [...new Set([...turns, ...rest])]
  }

  #active(): S[] {
    const regular = this.#servers.filter(({ standby }) => !standby)
    let lost = 0
    for (const server of regular) if (!server.isAvailable) lost += server.weight
    const active = regular.filter((server) => server.isAvailable)
    for (const server of this.#servers) {
      if (lost <= 0) break
      if (!server.standby || !server.isAvailable) continue
      active.push(server)
      lost -= server.weight
    }
    return active
  }

  #shuffle(active: readonly S[], key: string): void {
    const unit = active.reduce((divisor, { weight }) => greatestDivisor(divisor, weight), 0)
    const once = active.flatMap((server) => Array<S>(server.weight / unit).fill(server))
    const times = Math.max(1, Math.ceil((active.length * TURNS_PER_SERVER) / Math.max(1, once.length)))
    const turns = Array<S[]>(times).fill(once).flat()
    for (let i = turns.length - 1; i > 0; i -= 1) {
      const other = Math.floor(this.#random() * (i + 1))
      ;[turns[i], turns[other]] = [turns[other]!, turns[i]!]
    }
    this.#turns = turns
    this.#key = key
    this.#next = 0
  }
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b)
}
