/** What an output's thread does when asked: dead letters are listed, shown, replayed and discarded. */

import type { Clock } from '../core/clock.ts'
import { LogboomError } from '../core/errors.ts'
import type { Batch } from '../core/event.ts'
import type { LetterQuery, OutputDesk, ReplayQuery, ReplayStep } from '../core/output-desk.ts'
import type { OutputStats } from '../core/output-stats.ts'
import type { Tally } from './batch-delivery.ts'
import { fileNames, type LetterPlace, readLetterFile, type StoredLetter } from './dead-letter-files.ts'
import type { DeadLetter } from './dead-letter-format.ts'
import type { DeadLetters } from './dead-letters.ts'
import { batchOfLetters, distinctLetters } from './letter-batch.ts'
import { findLetters, showLetters, summarise } from './read-letters.ts'
import type { Rewind } from './rewind.ts'

/** Longest time of one step of a replay: whoever asked still listens. */
const REPLAY_MS_MAX = 20_000

/**
 * Hands a batch to the destination, beside those of the reader. What dies goes to `grave`; what
 * cannot be delivered within a few tries dies of `retry_limit`. Undefined: left unfinished, of some events it is not
 * known whether they were taken.
 */
export type Redeliver = (
  batch: Batch,
  grave: Pick<DeadLetters, 'append'>,
  patience: AbortSignal,
) => Promise<Tally | undefined>

export interface DeskParts {
  readonly output: string
  readonly directory: string
  readonly store: DeadLetters
  readonly stats: OutputStats
  readonly clock: Clock
  /** Packed bytes of one step. */
  readonly batchBytes: number
  readonly redeliver: Redeliver
  readonly rewind: Rewind
  /** What is wrong with the output; undefined: nothing. */
  readonly trouble: () => string | undefined
}

/** One in a thread; `idle` resolves when nothing is being changed. */
export function createDesk(parts: DeskParts): OutputDesk & { idle(): Promise<unknown> } {
  const { output, directory, rewind } = parts
  let before: Promise<unknown> = Promise.resolve()
  /** What changes the store goes one by one: places are valid until letters are removed. */
  function inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = before.then(change)
    before = result.catch(() => {})
    return result
  }
  return {
    list: () => summarise(output, directory),
    show: (query) => showLetters(directory, query),
    replay: (query) => inTurn(() => replay(parts, query)),
    discard: ({ cause }) => inTurn(() => discard(parts, cause)),
    rewind,
    idle: () => before,
  }
}

async function replay(parts: DeskParts, query: ReplayQuery): Promise<ReplayStep> {
  const { directory, clock, batchBytes: bytesMax } = parts
  const before = query.before ?? clock.now()
  const isWanted = (letter: DeadLetter) => letter.refusedMs <= before
  const { letters, next } = await findLetters(directory, { ...stepOf(query), bytesMax, isWanted })
  // What dies again must not be met again, though the clock may stand, or have been set back.
  const settled = await deliverAgain(parts, letters, Math.max(clock.now(), before + 1))
  return { ...settled, before, ...(next !== undefined && { next: fileOf(next) }) }
}

/** Letters of earlier steps have left the file, so that a step begins at the file's first. */
function stepOf({ from, limit, cause }: LetterQuery): LetterQuery {
  return { limit, ...(cause !== undefined && { cause }), ...(from !== undefined && { from: fileOf(from) }) }
}
const fileOf = (from: string) => from.split('+', 1)[0]!

async function deliverAgain(parts: DeskParts, found: readonly StoredLetter[], refusedMs: number) {
  if (found.length === 0) return { replayed: 0, dead: 0 }
  const letters = distinctLetters(found)
  const died = new Map<string, DeadLetter>()
  const grave = {
    async append(more: readonly DeadLetter[]) {
      for (const letter of more) died.set(letter.id, letter)
    },
  }
  const patience = AbortSignal.timeout(REPLAY_MS_MAX)
  const isFinished = (await parts.redeliver(batchOfLetters(letters), grave, patience)) !== undefined
  const kept = letters.flatMap((letter) => keptOf(letter, died.get(letter.id), { isFinished, refusedMs }) ?? [])
  await parts.store.replace(
    found.map(({ place }) => place),
    kept,
  )
  const replayed = letters.length - kept.length
  parts.stats.add('replayed', replayed)
  parts.stats.set('deadLetters', parts.store.count())
  const failed = [...died.values()].find(({ reason }) => reason === 'retry_limit')
  if (isFinished && failed === undefined) return { replayed, dead: kept.length }
  const reason = failed?.detail ?? parts.trouble() ?? 'it did not answer in time'
  throw new LogboomError('LB-P003', { output: parts.output, reason, replayed })
}

/** The letter that stays; undefined: the destination has the event. */
function keptOf(
  letter: DeadLetter,
  died: DeadLetter | undefined,
  { isFinished, refusedMs }: { readonly isFinished: boolean; readonly refusedMs: number },
): DeadLetter | undefined {
  if (died === undefined) return isFinished ? undefined : { ...letter, attempts: letter.attempts + 1 }
  const attempts = letter.attempts + died.attempts
  // That the destination is away is no new cause: whoever replays by cause finds it again.
  if (died.reason === 'retry_limit') return { ...letter, attempts }
  return { ...died, attempts, refusedMs }
}

async function discard({ directory, store, stats }: DeskParts, cause: string | undefined) {
  let discarded = 0
  for (const file of await fileNames(directory)) {
    const letters = await readLetterFile(directory, file)
    const places: LetterPlace[] = letters
      .filter(({ letter }) => cause === undefined || letter.reason === cause)
      .map(({ place }) => place)
    if (places.length === 0) continue
    await store.replace(places, [])
    discarded += places.length
    stats.add('discarded', places.length)
    stats.set('deadLetters', store.count())
  }
  return { discarded }
}
