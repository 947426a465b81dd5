/** Stages batches and sees to it that what is full is stored: the order of things in one write, one close. */
import { ALL_ACCEPTED, type OutputContext, OutputError, type WriteResult, type Writer } from '../output.ts'
import { encodeRounds, type LineCursor } from './lines.ts'
import type { ObjectStore } from './object-store.ts'
import { ReadAgain } from './staged-positions.ts'
import { PARTS_MAX, type Staging } from './staging.ts'
import { Uploader } from './uploader.ts'

/** How long the first write waits to hear whether bucket and credentials are right, ms. */
const FIRST_ANSWER_MS = 5_000
/** At this share of `staging_limit` parts are stored although neither window nor size is full. */
const EARLY_SHARE = 0.5

export interface S3WriterParts {
  readonly context: OutputContext
  readonly cursor: LineCursor
  readonly staging: Staging
  readonly store: ObjectStore
  /** Bytes that may wait to be stored. */
  readonly stagingLimit: number
  readonly flushAtClose: boolean
  /** Objects that are stored at a time. */
  readonly concurrency: number
}

export function createS3Writer(parts: S3WriterParts): Writer {
  const { context, cursor, staging, store, stagingLimit } = parts
  const { clock, log, stats } = context
  const uploader = new Uploader({ staging, store, concurrency: parts.concurrency, clock, log, stats })
  const readAgain = new ReadAgain(staging.found, clock.monotonic)
  let hasAnswered = false
  let closed: Promise<void> | undefined

  async function firstAnswer(): Promise<void> {
    const over = new AbortController()
    await Promise.race([uploader.firstAnswer, clock.sleep(FIRST_ANSWER_MS, over.signal)])
    over.abort()
    hasAnswered = true
  }

  /** Throws OutputError while nothing more may be staged. */
  async function checkRoom(): Promise<void> {
    if (!hasAnswered) await firstAnswer()
    const { fault } = uploader
    if (fault?.fault === 'blocked') throw fault
    const { bytes, parts: count } = staging.size
    if (bytes >= stagingLimit * EARLY_SHARE || count >= PARTS_MAX * EARLY_SHARE) {
      await staging.sealDue(Number.POSITIVE_INFINITY)
      uploader.wake()
    }
    if (bytes < stagingLimit && count < PARTS_MAX) return
    const full = `${bytes} bytes in ${count} parts wait to be stored (staging_limit)`
    throw new OutputError('retry', fault?.reason ?? 'throttled', fault ? `${full}: ${fault.message}` : full)
  }

  async function close(): Promise<void> {
    await uploader.close(parts.flushAtClose)
    await staging.close()
    store.close()
  }

  return {
    /** One round after the other. What an earlier one staged stays valid when a later one has to wait. */
    async write(batch, signal) {
      if (signal.aborted) throw new OutputError('retry', 'other', 'the write was stopped')
      await checkRoom()
      for (const round of encodeRounds(cursor, batch, readAgain.question(batch))) {
        try {
          await staging.append(round)
        } catch (error) {
          const fault = stagingFault(context.directory, error)
          if (round.first === 0) throw fault
          return putOff(round.first, batch.count)
        }
      }
      stats.set('stagedBytes', staging.size.bytes)
      if (staging.sealed.length > 0) uploader.wake()
      return ALL_ACCEPTED
    },
    close: () => (closed ??= close()),
  }
}

function stagingFault(directory: string, error: unknown): OutputError {
  const words = error instanceof Error ? error.message : String(error)
  return new OutputError('retry', 'unavailable', `cannot stage in ${directory}: ${words}`, { cause: error })
}

function putOff(first: number, count: number): WriteResult {
  const pending = Array.from({ length: count - first }, (_, index) => first + index)
  return { rejected: [], pending, pendingReason: 'unavailable' }
}
