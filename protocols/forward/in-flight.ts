/** What one connection has emitted and is not durable yet, and the acknowledgements that wait for it, in order. */
import type { Emit, EventStream } from '../../server/core/event.ts'
import type { Budget } from './budget.ts'
import { LIMITS } from './limits.ts'

export interface InFlightOptions {
  readonly emit: Emit
  readonly budget: Budget
  /** Events became durable. */
  readonly stored: (events: number) => void
  /** Everything before this ack is durable too. */
  readonly acknowledge: (ack: Uint8Array) => void
  /** A stream could not be stored, and all before it was acknowledged; nothing behind it will be. Called once. */
  readonly failed: (error: unknown) => void
  /** Called after each settling, whatever came of it. */
  readonly settled: () => void
}

export interface EmitOptions {
  /** The memory that the stream takes until it is durable. */
  readonly bytes: number
  readonly ack: Uint8Array | undefined
  /** Called when the stream has settled: once it is stored, its bytes are nobody's. */
  readonly release?: (stored: boolean) => void
}

interface Item {
  readonly ack: Uint8Array | undefined
  state: 'waiting' | 'done' | 'failed'
  error: unknown
}

/** What an item costs beside its bytes. */
const ITEM_BYTES = 256
/** The queue's settled front is cut off when it is this long. */
const SETTLED_MAX = 1_000

export class InFlight {
  readonly #options: InFlightOptions
  #items: Item[] = []
  #head = 0
  #bytes = 0
  #failed = false

  constructor(options: InFlightOptions) {
    this.#options = options
  }

  /** Nothing is waiting, nor behind something that failed. */
  get isEmpty(): boolean {
    return this.#failed || this.#items.length === this.#head
  }

  get isFull(): boolean {
    const messages = this.#items.length - this.#head
    return this.#bytes >= LIMITS.connectionInFlightBytes || messages >= LIMITS.connectionInFlightMessages
  }

  /** Emits the stream; its ack follows when it and all before it are durable. */
  emit(stream: EventStream, { bytes, ack, release }: EmitOptions): void {
    const item: Item = { ack, state: 'waiting', error: undefined }
    const size = bytes + ITEM_BYTES
    const { count } = stream
    this.#items.push(item)
    this.#add(size)
    const settle = (state: 'done' | 'failed', error?: unknown) => {
      item.state = state
      item.error = error
      if (state === 'done') this.#options.stored(count)
      release?.(state === 'done')
      this.#drain()
      this.#add(-size)
      this.#options.settled()
    }
    this.#options.emit(stream).then(
      () => settle('done'),
      (error: unknown) => settle('failed', error),
    )
  }

  /** An ack for a message of which nothing is to be stored: it keeps its place in the order. */
  acknowledge(ack: Uint8Array): void {
    this.#items.push({ ack, state: 'done', error: undefined })
    this.#drain()
  }

  /** Memory that is in use, and not for a stream that was emitted. Give it back with a negative number. */
  reserve(bytes: number): void {
    this.#add(bytes)
  }

  #add(bytes: number): void {
    this.#bytes += bytes
    this.#options.budget.addInFlight(bytes)
  }

  #drain(): void {
    for (; this.#head < this.#items.length && !this.#failed; this.#head += 1) {
      const item = this.#items[this.#head]!
      if (item.state === 'waiting') break
      if (item.state === 'failed') {
        this.#failed = true
        this.#options.failed(item.error)
        return
      }
      if (item.ack !== undefined) this.#options.acknowledge(item.ack)
    }
    if (this.#head === this.#items.length) {
      this.#items.length = 0
      this.#head = 0
    } else if (this.#head > SETTLED_MAX) {
      this.#items.splice(0, this.#head)
      this.#head = 0
    }
  }
}
