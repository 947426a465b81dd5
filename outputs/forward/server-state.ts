/**
 * Whether a server is thought to be there, from its heartbeats and from what became of the messages sent to it. Pure;
 * times are given, in ms. [fluentd, out_forward.rb, Node]
 */
import { FailureDetector } from './failure-detector.ts'
import type { Weighted } from './load-balancer.ts'

export interface StateOptions {
  readonly weight: number
  readonly standby: boolean
  /** Undefined: there are no heartbeats; a lost server is tried again after `recoverWaitMs`. */
  readonly heartbeatMs: number | undefined
  readonly hardTimeoutMs: number
  readonly recoverWaitMs: number
  /** Undefined: the detector is not asked. */
  readonly phiThreshold: number | undefined
}

export class ServerState implements Weighted {
  readonly weight: number
  readonly standby: boolean
  /** Bytes were taken and nothing came back: that it lets itself be connected to proves nothing any more. */
  wasSilent = false
  #isAvailable = true
  #lostMs = 0
  readonly #options: StateOptions
  readonly #detector: FailureDetector

  constructor(options: StateOptions, nowMs: number) {
    this.weight = options.weight
    this.standby = options.standby
    this.#options = options
    this.#detector = new FailureDetector(options.heartbeatMs ?? options.recoverWaitMs, nowMs)
  }

  get isAvailable(): boolean {
    return this.#isAvailable
  }

  /** A heartbeat. @returns whether the server is back with it. */
  beat(nowMs: number): boolean {
    const { heartbeatMs = 1, recoverWaitMs } = this.#options
    this.#detector.add(nowMs)
    if (this.#isAvailable || this.#detector.samples <= recoverWaitMs / heartbeatMs) return false
    return this.#recover()
  }

  /** Time has passed. @returns what has come of it, if anything. */
  tick(nowMs: number): 'lost' | 'back' | undefined {
    const { heartbeatMs, hardTimeoutMs, recoverWaitMs, phiThreshold } = this.#options
    if (heartbeatMs === undefined) {
      if (this.#isAvailable || nowMs - this.#lostMs < recoverWaitMs) return undefined
      return this.#recover() ? 'back' : undefined
    }
    const isLate = this.#detector.silenceMs(nowMs) > hardTimeoutMs
    if (!this.#isAvailable) {
      // Heartbeats before a long silence do not count.
      if (isLate) this.#detector.clear()
      return undefined
    }
    const isSuspect = phiThreshold !== undefined && this.#detector.phi(nowMs) > phiThreshold
    if (!isLate && !isSuspect) return undefined
    this.lost(nowMs, false)
    return 'lost'
  }

  /** It failed at work. `isSilent`: by saying nothing. @returns whether that is news. */
  lost(nowMs: number, isSilent: boolean): boolean {
    const isNews = this.#isAvailable
    this.#isAvailable = false
    this.#lostMs = nowMs
    if (isSilent) this.wasSilent = true
    this.#detector.clear()
    return isNews
  }

  /** It has done its work. @returns whether it is back with that. */
  worked(): boolean {
    return !this.#isAvailable && this.#recover()
  }

  #recover(): boolean {
    this.#isAvailable = true
    this.wasSilent = false
    return true
  }
}
