/** The entry of one output's thread: opens the reader, the output and the dead letters, and lets the engine run. */
import { parentPort, workerData } from 'node:worker_threads'
import type { OpenReader, Reader } from '../../buffer/buffer.ts'
import type { Output, Writer } from '../../outputs/output.ts'
import { systemClock } from '../core/clock.ts'
import type { Fields } from '../core/fields.ts'
import { collectGarbage } from '../core/garbage.ts'
import type { FilterReason } from '../core/metrics.ts'
import { OutputStats } from '../core/output-stats.ts'
import { createLogger } from '../logger.ts'
import { type DeadLetters, openDeadLetters } from './dead-letters.ts'
import type { DeliveryOrder, SecondaryOrder } from './delivery.ts'
import { answerQuestion, type DeskAnswer, type DeskQuestion } from './desk-messages.ts'
import { type DeliveryLimits, runDelivery, type SecondaryParts } from './engine.ts'
import type { Health } from './health.ts'
import { createDesk, type DeskParts } from './letter-desk.ts'
import { parseMatch } from './match.ts'
import { PARKED_FILE_BYTES, type Parked } from './parking.ts'

/** What the thread is born with. */
export interface ThreadData {
  readonly order: DeliveryOrder
  readonly memory: SharedArrayBuffer
}

export type FromThread =
  | { readonly kind: 'opened' }
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'health'; readonly health: Health }
  | DeskAnswer
  /** The cursor is durable and everything is closed: the thread may be ended. */
  | { readonly kind: 'closed' }

/** `close`: finishes what is in flight, and leaves what is not done after `limitMs`. */
export type ToThread = { readonly kind: 'close'; readonly limitMs: number } | DeskQuestion

interface Opened {
  readonly reader: Reader
  readonly writer: Writer
  readonly secondary: SecondaryParts | undefined
  readonly deadLetters: DeadLetters
  readonly parked: Parked | undefined
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
  const { output: name, node, sequence, directory } = order
  const writer = await output.open(options, { name, node, sequence, directory, log, clock: systemClock, stats })
  const secondary = order.secondary && (await openSecondary(order.secondary))
  const deadLetters = await openDeadLetters(order.deadLetterDirectory, { log, bytesMax: order.deadLettersMaxBytes })
  const parked = order.parked && (await openParked(order.parked))
  return { reader, writer, secondary, deadLetters, parked, limits }
}

async function openSecondary({ output: name, module, directory, ...rest }: SecondaryOrder): Promise<SecondaryParts> {
  const { output } = (await import(module)) as { readonly output: Output<Fields> }
  const options = rest.options as never
  const { node, sequence } = order
  // What it measures itself is not this output's: nobody looks at it.
  const own = { log: log.child({ secondary: name }), stats: new OutputStats() }
  const writer = await output.open(options, { name, node, sequence, directory, clock: systemClock, ...own })
  return { name, writer, concurrency: output.concurrency?.(options) ?? 1, afterMs: rest.afterMs }
}

async function openParked({ directory, maxBytes: bytesMax }: NonNullable<DeliveryOrder['parked']>): Promise<Parked> {
  const store = await openDeadLetters(directory, { log, bytesMax, fileBytes: PARKED_FILE_BYTES })
  return { store, directory }
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

/** Answers what the main thread asks. */
function openDesk(
  ways: Pick<DeskParts, 'redeliver' | 'rewind'>,
  store: DeadLetters,
  trouble: () => string | undefined,
) {
  const { output, deadLetterDirectory: directory, batch } = order
  const own = { output, directory, store, stats, clock: systemClock, batchBytes: batch.sizeBytes }
  const desk = createDesk({ ...own, ...ways, trouble })
  port.on('message', async (message: ToThread) => {
    if (message.kind === 'ask') tell(await answerQuestion(desk, message))
  })
  return desk
}

async function run(parts: Opened): Promise<void> {
  const stop = new AbortController()
  const abandon = new AbortController()
  let health: Health | undefined
  let desk: ReturnType<typeof createDesk> | undefined
  port.on('message', (message: ToThread) => {
    if (message.kind === 'ask') return
    stop.abort()
    setTimeout(() => abandon.abort(), message.limitMs).unref()
  })
  await runDelivery({
    ...parts,
    output: order.output,
    stats,
    retry: { ...order.retry, random: Math.random },
    clock: systemClock,
    log,
    onHealth: (news) => {
      health = news
      tell({ kind: 'health', health })
    },
    lagLimit: order.lagLimit,
    onOpen: ({ redeliver, rewind }) => {
      desk = openDesk({ redeliver, rewind }, parts.deadLetters, () =>
        health?.state === 'ok' ? undefined : health?.lastError,
      )
      tell({ kind: 'opened' })
    },
    signal: stop.signal,
    abandon: abandon.signal,
  })
  await desk?.idle()
  await parts.writer.close()
  await parts.secondary?.writer.close()
  await parts.deadLetters.close()
  await parts.parked?.store.close()
  await parts.reader.close()
  tell({ kind: 'closed' })
}

// What `run` throws ends the thread, and the main thread hears of it; what `openParts` throws, it tells.
const opened = await openParts().catch((error: unknown) => {
  log.debug({ err: error }, 'the output cannot be opened')
  tell({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) })
})
if (opened !== undefined) {
  await collectGarbage()
  await run(opened)
}
