/**
 * Stores sealed parts in the background: the oldest first, a few at a time, again and again until the destination has
 * them. What goes wrong is kept for the next write to tell.
 */
import type { Clock } from '../../server/core/clock.ts'
import { failpoint } from '../../server/core/failpoints.ts'
import type { Logger } from '../../server/core/log.ts'
import { type OutputContext, OutputError } from '../output.ts'
import type { Part } from './manifest-format.ts'
import { objectKey } from './object-key.ts'
import type { ObjectStore } from './object-store.ts'
import type { Staging } from './staging.ts'

/** How often the parts are looked at: one is sealed this long after its time at the latest, ms. */
const LOOK_MS = 1_000
/** The first wait after a failure and the longest, ms; each is drawn at random up to twice the one before. */
const RETRY_FIRST_MS = 1_000
const RETRY_MAX_MS = 60_000
/** How long an upload may go on when the output is closed and all parts were asked for, ms. */
const FLUSH_LIMIT_MS = 10_000

export interface UploaderParts {
  readonly staging: Staging
  readonly store: ObjectStore
  readonly concurrency: number
  readonly clock: Clock
  readonly log: Logger
  readonly stats: OutputContext['stats']
}

export class Uploader {
  readonly #parts: UploaderParts
  readonly #stop = new AbortController()
  #fault: OutputError | undefined
  #failures = 0
  #wakeUp = new AbortController()
  #isPrepared = false
  #isFlushing = false
  readonly #running: Promise<void>
  /** Resolves when the destination has answered, or failed to, for the first time. */
  readonly firstAnswer: Promise<void>

  constructor(parts: UploaderParts) {
    this.#parts = parts
    const { promise, resolve } = Promise.withResolvers<void>()
    this.firstAnswer = promise
    this.#running = this.#run(resolve)
  }

  /** What the destination said last; undefined: all is well. */
  get fault(): OutputError | undefined {
    return this.#fault
  }

  /** There is something to upload. After a failure its pause is kept all the same. */
  wake(): void {
    if (this.#fault === undefined) this.#wakeUp.abort()
  }

  /** With `flush`, all parts are sealed and stored, or left to the next start when that lasts too long. */
  async close(flush: boolean): Promise<void> {
    const { staging, clock } = this.#parts
    // A disk that does not take it leaves it to the next start.
    if (flush) await staging.sealDue(Number.POSITIVE_INFINITY).catch(() => {})
    if (flush && staging.sealed.length > 0) {
      this.#isFlushing = true
      this.#wakeUp.abort()
      const over = new AbortController()
      await Promise.race([this.#running, clock.sleep(FLUSH_LIMIT_MS, over.signal)])
      over.abort()
    }
    this.#stop.abort()
    this.#wakeUp.abort()
    await this.#running
  }

  async #run(answered: () => void): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#step()
        answered()
      } catch (error) {
        this.#failed(error)
        answered()
        if (this.#isFlushing && this.#fault?.fault === 'blocked') break
        await this.#pause(this.#delayMs())
        continue
      }
      if (this.#isFlushing && this.#parts.staging.sealed.length === 0) break
      await this.#pause(LOOK_MS)
    }
  }

  /** Seals what is due and stores what is sealed. Throws at the first that fails, when the others have ended. */
  async #step(): Promise<void> {
    const { staging, store, clock, concurrency, stats } = this.#parts
    stats.set('stagedBytes', staging.size.bytes)
    if (!this.#isPrepared) {
      await store.prepare(this.#stop.signal)
      this.#isPrepared = true
    }
    await staging.sealDue(clock.now())
    for (let waiting = staging.sealed; waiting.length > 0 && !this.#stop.signal.aborted; waiting = staging.sealed) {
      const results = await Promise.allSettled(waiting.slice(0, concurrency).map((part) => this.#upload(part)))
      const failed = results.find((it) => it.status === 'rejected')
      if (failed !== undefined) throw failed.reason
      await staging.sealDue(clock.now())
    }
    this.#succeeded()
  }

  async #upload(part: Part): Promise<void> {
    const { staging, store, log, stats } = this.#parts
    const stored = await store.store(part, staging.fileOf(part), this.#stop.signal)
    this.#succeeded()
    if (stored === 'taken') return staging.takeNextIndex(part)
    await failpoint('s3.upload.after-stored')
    await staging.remove(part)
    stats.set('stagedBytes', staging.size.bytes)
    const key = objectKey(part.stem, part.object!.index)
    log.debug({ key, bytes: part.bytes, events: part.events }, `stored ${key}`)
  }

  #succeeded(): void {
    if (this.#fault !== undefined) this.#parts.log.info({}, `objects are stored again, after: ${this.#fault.message}`)
    this.#fault = undefined
    this.#failures = 0
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return
    const words = error instanceof Error ? error.message : String(error)
    const fault = error instanceof OutputError ? error : new OutputError('retry', 'other', words, { cause: error })
    if (this.#fault?.message !== fault.message) this.#parts.log.warn({ reason: fault.reason }, `not stored: ${words}`)
    this.#fault = fault
    this.#failures += 1
    // What an operator mends may be a bucket that is to be made.
    if (fault.fault === 'blocked') this.#isPrepared = false
  }

  #delayMs(): number {
    const most = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(this.#failures, 10))
    return RETRY_FIRST_MS / 2 + Math.random() * (most - RETRY_FIRST_MS / 2)
  }

  async #pause(ms: number): Promise<void> {
    const { clock } = this.#parts
    await clock.sleep(ms, this.#wakeUp.signal)
    this.#wakeUp = new AbortController()
  }
}
