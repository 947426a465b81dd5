/** The main thread's side of a search: checks the question, hands it to the thread, gives up on a thread that hangs. */
import { Worker } from 'node:worker_threads'
import { LogboomError } from '../../server/core/errors.ts'
import type { Position } from '../../server/core/event.ts'
import type { Logger } from '../../server/core/log.ts'
import type { EventSearch, FieldValues, Histogram, SearchPage, SearchQuery } from '../../server/core/search.ts'
import { parseQuery } from './query.ts'
import type { SearchAnswer, SearchOrder, SearchReport, SearchThreadData } from './search-thread.ts'
import { SEARCH_LIMITS, type StoreQuery } from './store-search.ts'

export const CLIENT_LIMITS = {
  /** Questions that wait for the one that is being answered. */
  waiting: 32,
  /** The thread keeps its own time; one that is this late hangs and is ended, ms. */
  answerMs: SEARCH_LIMITS.timeMs + 5_000,
  hits: 1_000,
  buckets: 1_000,
  /** Heap of the thread, MiB: a search that needs more ends it, and nothing else. */
  heapMiB: 128,
  /** Of it for what is young: small, so that blocks that were unpacked and looked at are soon given back. */
  youngHeapMiB: 4,
} as const

const CURSOR = /^\d{1,16}$/

interface Waiting {
  readonly order: SearchOrder
  resolve(answer: SearchAnswer): void
  reject(error: Error): void
}

export class SearchClient implements EventSearch {
  readonly #directory: string
  readonly #log: Logger
  readonly #answerMs: number
  readonly #waiting: Waiting[] = []
  #current: Waiting | undefined
  #timer: NodeJS.Timeout | undefined
  /** Started with the first question: a thread costs memory. */
  #thread: Worker | undefined
  #isClosed = false

  constructor(directory: string, log: Logger, answerMs: number = CLIENT_LIMITS.answerMs) {
    this.#directory = directory
    this.#log = log
    this.#answerMs = answerMs
  }

  async search(query: SearchQuery): Promise<SearchPage> {
    return (await this.#ask({ kind: 'search', question: readQuestion(query) })) as SearchPage
  }

  async histogram(query: SearchQuery, buckets: number): Promise<Histogram> {
    const count = within(buckets, CLIENT_LIMITS.buckets)
    return (await this.#ask({ kind: 'histogram', question: readQuestion(query), buckets: count })) as Histogram
  }

  async fields(query: SearchQuery): Promise<readonly FieldValues[]> {
    return (await this.#ask({ kind: 'fields', question: readQuestion(query) })) as readonly FieldValues[]
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#drop('it was closed')
    for (const { reject } of this.#waiting.splice(0)) reject(unavailable('it was closed'))
  }

  #ask(order: SearchOrder): Promise<SearchAnswer> {
    if (this.#isClosed) return Promise.reject(unavailable('it was closed'))
    if (this.#waiting.length >= CLIENT_LIMITS.waiting) {
      return Promise.reject(unavailable(`${CLIENT_LIMITS.waiting} others wait`))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ order, resolve, reject })
      this.#next()
    })
  }

  #next(): void {
    if (this.#current !== undefined) return
    this.#current = this.#waiting.shift()
    if (this.#current === undefined) {
      this.#thread?.unref()
      return
    }
    this.#thread ??= this.#start()
    this.#thread.ref()
    this.#timer = setTimeout(() => this.#drop('it took too long'), this.#answerMs)
    this.#thread.postMessage(this.#current.order)
  }

  #start(): Worker {
    const data: SearchThreadData = { directory: this.#directory }
    const thread = new Worker(new URL('./search-thread.ts', import.meta.url), {
      workerData: data,
      resourceLimits: {
        maxOldGenerationSizeMb: CLIENT_LIMITS.heapMiB,
        maxYoungGenerationSizeMb: CLIENT_LIMITS.youngHeapMiB,
      },
    })
    thread.on('message', (report: SearchReport) => this.#receive(report))
    thread.on('error', (error) => this.#log.error({ reason: error.message }, 'the search thread failed'))
    thread.on('exit', () => {
      if (this.#thread === thread) this.#drop('its thread ended')
    })
    return thread
  }

  #receive(report: SearchReport): void {
    if (report.kind === 'damage') {
      const error = new LogboomError('LB-O005', { file: report.file, reason: report.reason })
      this.#log.error({ code: error.code, file: report.file }, error.message)
      return
    }
    const settled = this.#settle()
    if (report.kind === 'answer') settled?.resolve(report.answer)
    else settled?.reject(unavailable(report.reason))
    this.#next()
  }

  /** Ends the thread; what it was asked fails, what waits is asked of the next one. */
  async #drop(reason: string): Promise<void> {
    const thread = this.#thread
    this.#thread = undefined
    this.#settle()?.reject(unavailable(reason))
    await thread?.terminate()
    if (!this.#isClosed) this.#next()
  }

  #settle(): Waiting | undefined {
    clearTimeout(this.#timer)
    const settled = this.#current
    this.#current = undefined
    return settled
  }
}

/** Throws LogboomError LB-Q001. */
function readQuestion({ text, fromMs, toMs, after, before, limit }: SearchQuery): StoreQuery {
  return {
    query: parseQuery(text),
    fromMs: readTime(fromMs),
    toMs: readTime(toMs),
    after: readCursor(after),
    before: readCursor(before),
    limit: within(limit, CLIENT_LIMITS.hits),
  }
}

/** Whole ms; what is no number is no bound. */
function readTime(ms: number | undefined): number | undefined {
  return ms !== undefined && Number.isSafeInteger(Math.floor(ms)) ? Math.floor(ms) : undefined
}

function readCursor(cursor: string | undefined): Position | undefined {
  if (cursor === undefined) return undefined
  if (!CURSOR.test(cursor)) throw new LogboomError('LB-Q001', { position: 1, reason: 'not a cursor of this store' })
  return Number(cursor) - 1
}

function within(value: number, max: number): number {
  return Math.min(Math.max(1, Math.floor(value) || 1), max)
}

function unavailable(reason: string): LogboomError {
  return new LogboomError('LB-Q003', { reason })
}
