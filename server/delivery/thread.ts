/** The entry of one output's thread: opens the reader, the output and the dead letters, and lets the engine run. */
import { parentPort, workerData } from 'node:worker_threads'
import type { OpenReader, Reader } from '../../buffer/buffer.ts'
import type { Output, Writer } from '../../outputs/output.ts'
import { systemClock } from '../core/clock.ts'
import type { Fields } from '../core/fields.ts'
import type { FilterReason } from '../core/metrics.ts'
import { OutputStats } from '../core/output-stats.ts'
import { createLogger } from '../logger.ts'
import { type DeadLetters, openDeadLetters } from './dead-letters.ts'
import type { DeliveryOrder } from './delivery.ts'
import { type DeliveryLimits, runDelivery } from './engine.ts'
import type { Health } from './health.ts'
import { parseMatch } from './match.ts'

/** What the thread is born with. */
export interface ThreadData {
  readonly order: DeliveryOrder
  readonly memory: SharedArrayBuffer
}

export type FromThread =
  | { readonly kind: 'opened' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'health'; readonly health: Health }
  /** The cursor is durable and everything is closed: the thread may be ended. */
  | { readonly kind: 'closed' }

/** Finishes what is in flight, and leaves what is not done after `limitMs`. */
export interface ToThread {
  readonly kind: 'close'
  readonly limitMs: number
}

interface Opened {
  readonly reader: Reader
  readonly writer: Writer
  readonly deadLetters: DeadLetters
  readonly limits: DeliveryLimits
}

const { order, memory } = workerData as ThreadData
const port = parentPort!
const tell = (message: FromThread) => port.postMessage(message)
const stats = new OutputStats(memory)
const log = createLogger({ level: order.logLevel }).child({ output: order.output })

/** The dead letters last: they are the one part that changes something on disk. */
async function openParts(): Promise<Opened> {
  const { output } = (await import(order.module)) as { readonly output: Output<Fields> }
  const { openReader } = (await import(order.seat.module)) as { readonly openReader: OpenReader }
  const options = order.options as never
  const { sizeBytes: maxBytes, events: maxEvents, ageMs: maxAgeMs } = order.batch
  const limits = { maxBytes, maxEvents, maxAgeMs, concurrency: output.concurrency?.(options) ?? 1 }
  const reader = await filtering(await openReader(order.seat, parseMatch(order.match)))
  const { output: name, sequence, directory } = order
  const writer = await output.open(options, { name, sequence, directory, log, clock: systemClock })
  return { reader, writer, deadLetters: await openDeadLetters(order.deadLetterDirectory, { log }), limits }
}

/** Without filters the reader is as it was. */
async function filtering(reader: Reader): Promise<Reader> {
  if (order.filters.length === 0) return reader
  const { openChain } = await import('./filters/open-chain.ts')
  const { FilteringReader } = await import('./filters/filtering-reader.ts')
  const count = (reason: FilterReason) => stats.add(`filter_${reason}`, 1)
  const chain = await openChain(order.filters, { monotonic: systemClock.monotonic, count })
  return new FilteringReader({ reader, chain, stats, clock: systemClock })
}

async function run(parts: Opened): Promise<void> {
  const stop = new AbortController()
  const abandon = new AbortController()
  port.on('message', ({ limitMs }: ToThread) => {
    stop.abort()
    setTimeout(() => abandon.abort(), limitMs).unref()
  })
  tell({ kind: 'opened' })
  await runDelivery({
    ...parts,
    output: order.output,
    stats,
    retry: { limit: order.retryLimit, random: Math.random },
    clock: systemClock,
    log,
    onHealth: (health) => tell({ kind: 'health', health }),
    signal: stop.signal,
    abandon: abandon.signal,
  })
  await parts.writer.close()
  await parts.deadLetters.close()
  await parts.reader.close()
  tell({ kind: 'closed' })
}

// What `run` throws ends the thread, and the main thread hears of it; what `openParts` throws, it tells.
const opened = await openParts().catch((error: unknown) => {
  log.debug({ err: error }, 'the output cannot be opened')
  tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) })
})
if (opened !== undefined) await run(opened)
