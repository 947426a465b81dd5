/** The handshake of one connection as it runs: HELO at once, one PING within the time, PONG; then it is over. */
import { randomBytes } from 'node:crypto'
import { type Demand, Handshake, type Refusal } from './handshake.ts'
import { LIMITS } from './limits.ts'

/** What all connections of an input have in common. */
export interface GateKeeper {
  readonly selfHostname: string
  readonly keepalive: boolean
  /** Undefined: a client of this address may not send. */
  demandOf(address: string | undefined): Demand | undefined
}

export interface GateOptions {
  readonly keeper: GateKeeper
  readonly address: string | undefined
  /** Writes to the socket, in one write each. */
  readonly write: (bytes: Uint8Array) => void
  /** PONG says no, and the connection is to be closed behind it; or the client took too long. */
  readonly refused: (refusal: Refusal | 'time') => void
}

const RANDOM_BYTES = 16

export class Gate {
  readonly #options: GateOptions
  readonly #handshake: Handshake
  readonly #timer: NodeJS.Timeout

  constructor(options: GateOptions) {
    const { keeper, address, write } = options
    this.#options = options
    this.#handshake = new Handshake({
      selfHostname: keeper.selfHostname,
      keepalive: keeper.keepalive,
      demand: keeper.demandOf(address),
      peer: address ?? '',
      nonce: randomBytes(RANDOM_BYTES),
      auth: randomBytes(RANDOM_BYTES),
    })
    this.#timer = setTimeout(() => options.refused('time'), LIMITS.handshakeMs)
    write(this.#handshake.helo)
  }

  /** Takes what was read. @returns what came behind PING, once the client is in; undefined while it is not. */
  read(bytes: Uint8Array): Buffer | undefined {
    const verdict = this.#handshake.push(bytes)
    if (verdict === 'more') return undefined
    this.close()
    this.#options.write(verdict.pong)
    if (verdict.refusal === undefined) return verdict.rest
    this.#options.refused(verdict.refusal)
    return undefined
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}
