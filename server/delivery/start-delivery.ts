/** The main thread's side of one output: starts its thread, starts it again when it dies, and ends it in order. */
import { Worker } from 'node:worker_threads'
import { type Clock, systemClock } from '../core/clock.ts'
import { LogboomError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import { OutputStats } from '../core/output-stats.ts'
import { inSeconds } from './complaints.ts'
import type { Delivery, DeliveryOrder } from './delivery.ts'
import { DistantDesk } from './desk-messages.ts'
import { backoffMs, type Random } from './retry.ts'
import type { FromThread, ThreadData, ToThread } from './thread.ts'

/** A thread may not grow past this; it dies instead, and is started again. Batches are not part of it. */
const THREAD_HEAP_MIB = 512
/** Batches are views of memory outside the heap; young objects are few, and more space for them only costs memory. */
const THREAD_YOUNG_MIB = 2
/** A thread that lived this long was well: the pauses between restarts begin anew. */
const STABLE_AFTER_MS = 60_000
/** The part of the time to close that batches in flight get; the rest is for the cursor and the output's own end. */
const DRAIN_SHARE = 0.8

export interface StartDeliveryOptions {
  readonly clock?: Clock
  readonly random?: Random
}

/**
 * Starts the thread of an output and resolves once it is open. A thread that dies is started again after a pause.
 * Throws LogboomError LB-O004 when it cannot be opened.
 */
export async function startDelivery(
  order: DeliveryOrder,
  log: Logger,
  { clock = systemClock, random = Math.random }: StartDeliveryOptions = {},
): Promise<Delivery> {
  const delivery = new ThreadDelivery({ order, log, clock, random })
  await delivery.start()
  return delivery
}

interface Parts {
  readonly order: DeliveryOrder
  readonly log: Logger
  readonly clock: Clock
  readonly random: Random
}

/** One life of the thread. */
interface Life {
  readonly worker: Worker
  /** Rejects when the thread ends before it is open. */
  readonly opened: Promise<void>
  /** Why it ended; settles once it has. */
  readonly ended: Promise<Error | undefined>
  /** Settles when everything in it is closed. */
  readonly closed: Promise<void>
}

class ThreadDelivery implements Delivery {
  readonly stats = new OutputStats()
  readonly desk: DistantDesk
  readonly #parts: Parts
  readonly #closing = new AbortController()
  #state: ReturnType<Delivery['state']> = { state: 'ok', lastError: undefined }
  #life: Life | undefined
  #deaths = 0

  constructor(parts: Parts) {
    this.#parts = parts
    this.desk = new DistantDesk(parts.order.output)
  }

  async start(): Promise<void> {
    const life = this.#begin()
    try {
      await life.opened
    } catch (error) {
      await life.worker.terminate()
      const reason = error instanceof Error ? error.message : String(error)
      throw new LogboomError('LB-O004', { output: this.#parts.order.output, reason }, { cause: error })
    }
    void this.#keepAlive(life)
  }

  state(): ReturnType<Delivery['state']> {
    const { state, lastError } = this.#state
    const waitMs = this.stats.get('nextTryMs') - this.#parts.clock.now()
    if (lastError === undefined || state === 'restarting' || waitMs <= 0) return this.#state
    return { state, lastError: `${lastError}; next try in ${inSeconds(waitMs)}` }
  }

  async close(limitMs: number): Promise<void> {
    const { order, log, clock } = this.#parts
    this.#closing.abort()
    const life = this.#life
    if (life === undefined) return
    const message: ToThread = { kind: 'close', limitMs: limitMs * DRAIN_SHARE }
    life.worker.postMessage(message)
    const finished = new AbortController()
    const done = Promise.race([life.closed, life.ended]).then(() => true)
    const isDone = await Promise.race([done, clock.sleep(limitMs, finished.signal).then(() => false)])
    finished.abort()
    await life.worker.terminate()
    if (isDone) return
    const { code, message: words } = new LogboomError('LB-S003', { limit: inSeconds(limitMs) })
    log.warn({ code, output: order.output }, words)
  }

  #begin(): Life {
    const { order } = this.#parts
    const data: ThreadData = { order, memory: this.stats.memory }
    const worker = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: data,
      name: `output ${order.output}`,
      // node:sqlite calls itself experimental; the operator need not read it once per output.
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: { maxOldGenerationSizeMb: THREAD_HEAP_MIB, maxYoungGenerationSizeMb: THREAD_YOUNG_MIB },
    })
    const opened = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<Error | undefined>()
    // Whoever awaits it hears of it; nobody does in a life that was open once.
    opened.promise.catch(() => {})
    let fault: Error | undefined
    worker.on('message', (message: FromThread) => {
      if (message.kind === 'opened') {
        this.desk.connect((question) => worker.postMessage(question))
        opened.resolve()
      } else if (message.kind === 'answered') this.desk.answered(message)
      else if (message.kind === 'closed') closed.resolve()
      else if (message.kind === 'failed') opened.reject(new Error(message.reason))
      else this.#state = message.health
    })
    worker.on('error', (error: unknown) => {
      fault = error instanceof Error ? error : new Error(String(error))
    })
    worker.on('exit', (code) => {
      this.desk.disconnect()
      opened.reject(fault ?? new Error(`the thread ended with code ${code}`))
      ended.resolve(fault)
    })
    this.#life = { worker, opened: opened.promise, closed: closed.promise, ended: ended.promise }
    return this.#life
  }

  /** Nothing is lost when a thread dies: its cursor has not moved over what it did not finish. */
  async #keepAlive(first: Life): Promise<void> {
    const { clock } = this.#parts
    let life = first
    while (!this.#closing.signal.aborted) {
      const bornMs = clock.monotonic()
      const fault = await life.opened.then(
        () => life.ended,
        (error: Error) => error,
      )
      if (this.#closing.signal.aborted) return
      await life.worker.terminate()
      if (clock.monotonic() - bornMs >= STABLE_AFTER_MS) this.#deaths = 0
      await this.#mourn(fault)
      if (this.#closing.signal.aborted) return
      life = this.#begin()
      void life.opened.then(
        () => this.#reborn(life),
        () => {},
      )
    }
  }

  async #mourn(fault: Error | undefined): Promise<void> {
    const { order, log, clock, random } = this.#parts
    this.#deaths += 1
    this.stats.add('restarts', 1)
    const waitMs = backoffMs(this.#deaths, random)
    const error = new LogboomError('LB-S004', { output: order.output, reason: fault?.message ?? 'without an error' })
    this.#state = { state: 'restarting', lastError: error.message }
    log.error(
      { code: error.code, output: order.output, err: fault, restartMs: waitMs },
      `${error.message}. ${error.help}`,
    )
    await clock.sleep(waitMs, this.#closing.signal)
  }

  /** The thread may have told of its health already. */
  #reborn(life: Life): void {
    if (this.#life === life && this.#state.state === 'restarting') this.#state = { state: 'ok', lastError: undefined }
  }
}
