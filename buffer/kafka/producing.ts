/**
 * Sends records to the broker until it has acknowledged them: what came while the last sends were under way is the next
 * one, as the file buffer commits in groups.
 */
import type { Producer } from '@platformatic/kafka'
import type { Clock } from '../../server/core/clock.ts'
import type { Logger } from '../../server/core/log.ts'
import { RECORD_OVERHEAD } from './record.ts'

/** Sends under way at a time. More only make each smaller. */
const SENDS_MAX = 4
const RETRY_MS = [250, 500, 1_000, 2_000] as const

export interface OutgoingRecord {
  readonly topic: string
  readonly key: Buffer | undefined
  readonly value: Buffer
  readonly headers: Map<string, Buffer>
  readonly timestamp: bigint
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export type RecordProducer = Producer<Buffer, Buffer, string, Buffer>

export interface ProducingParts {
  readonly connect: () => RecordProducer
  readonly clock: Clock
  readonly log: Logger
  /** Most bytes of one send, all of which may go to one partition. */
  readonly sendBytesMax: number
}

export class Producing {
  /** Why the last send failed; undefined once one has gone well. */
  trouble: string | undefined
  #producer: RecordProducer | undefined
  readonly #parts: ProducingParts
  readonly #stop = new AbortController()
  #queue: OutgoingRecord[] = []
  #sends = 0
  #idle: (() => void) | undefined

  constructor(parts: ProducingParts) {
    this.#parts = parts
  }

  add(record: OutgoingRecord): void {
    this.#queue.push(record)
    this.#sendMore()
  }

  /** Asks the broker for a sign of life. */
  async probe(): Promise<void> {
    try {
      this.#producer ??= this.#parts.connect()
      await this.#producer.metadata({ topics: [], forceUpdate: true, retries: 0 })
      if (this.#sends === 0) this.trouble = undefined
    } catch (error) {
      this.trouble = wordsOf(error)
    }
  }

  /** What is on its way is waited for, as long as the signal does not abort; then it is refused. */
  async close(signal: AbortSignal): Promise<void> {
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve
      if (this.#sends === 0 && this.#queue.length === 0) resolve()
    })
    const over = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    await Promise.race([idle, over])
    this.#stop.abort(new Error('the buffer is closing'))
    await this.#producer?.close(true).catch(() => {})
  }

  #sendMore(): void {
    while (this.#sends < SENDS_MAX && this.#queue.length > 0) {
      this.#sends += 1
      void this.#send(this.#takeSome()).finally(() => {
        this.#sends -= 1
        if (this.#sends === 0 && this.#queue.length === 0) this.#idle?.()
        this.#sendMore()
      })
    }
  }

  #takeSome(): OutgoingRecord[] {
    let bytes = 0
    const end = this.#queue.findIndex((record, index) => {
      bytes += record.bytes + RECORD_OVERHEAD
      return index > 0 && bytes > this.#parts.sendBytesMax
    })
    const records = end === -1 ? this.#queue : this.#queue.slice(0, end)
    this.#queue = end === -1 ? [] : this.#queue.slice(end)
    return records
  }

  async #send(records: readonly OutgoingRecord[]): Promise<void> {
    const { clock, log } = this.#parts
    for (let tries = 0; !this.#stop.signal.aborted; tries += 1) {
      const producer = (this.#producer ??= this.#parts.connect())
      try {
        await producer.send({ messages: records.map(toMessage) })
        if (this.trouble !== undefined) log.info({}, 'the broker acknowledges again')
        this.trouble = undefined
        for (const { resolve } of records) resolve()
        return
      } catch (error) {
        if (this.trouble === undefined) log.warn({ err: error }, 'the broker does not acknowledge; it is tried again')
        this.trouble = wordsOf(error)
        this.#discard(producer)
        await clock.sleep(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]!, this.#stop.signal)
      }
    }
    for (const { reject } of records) reject(this.#stop.signal.reason)
  }

  /** After a failure the broker and the client may count differently: another one begins anew. */
  #discard(producer: RecordProducer): void {
    if (this.#producer !== producer) return
    this.#producer = undefined
    void producer.close(true).catch(() => {})
  }
}

function toMessage({ topic, key, value, headers, timestamp }: OutgoingRecord) {
  return { topic, value, headers, timestamp, ...(key === undefined ? {} : { key }) }
}

/** The innermost words are those of the broker or of the network. */
export function wordsOf(error: unknown): string {
  let words = String(error)
  let at = error as { message?: string; errors?: unknown[]; cause?: unknown } | undefined
  for (let depth = 0; depth < 6 && at !== undefined && at !== null; depth += 1) {
    if (typeof at.message === 'string' && at.message !== '') words = at.message
    at = (at.errors?.[0] ?? at.cause) as typeof at
  }
  return words
}
