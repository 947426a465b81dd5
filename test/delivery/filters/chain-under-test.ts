/** A chain of filters as the configuration says it, and what it makes of events, as plain data. Only for tests. */
import { Unpackr } from 'msgpackr'
import { ConfigErrors } from '../../../server/config/config-errors.ts'
import type { Batch } from '../../../server/core/event.ts'
import {
  entryRecordAt,
  entryTimeAt,
  readTimeNanoseconds,
  readTimeSeconds,
} from '../../../server/core/packed-entries.ts'
import { singleEvents } from '../../../server/delivery/batch-selection.ts'
import type { Filtered } from '../../../server/delivery/filters/filter-chain.ts'
import { openChain } from '../../../server/delivery/filters/open-chain.ts'
import { loadText } from '../../config/load-text.ts'
import { idsOf, makeBatch, type RecordLike } from '../../conformance/make-batch.ts'

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })

export interface OutEvent {
  readonly tag: string
  readonly id: string
  readonly position: number
  readonly seconds: number
  readonly nanoseconds: number
  readonly record: Record<string, unknown>
}

/** `filters`: the list, as YAML in one line or more. Throws ConfigErrors. */
export async function chainOf(filters: string) {
  const text = `inputs: { forward: {} }\nfilters:\n${filters.replace(/^/gm, '  ')}\noutputs: { store: { url: x } }\n`
  const { config } = await loadText(text)
  const orders = config.filters.map(({ filter, ...order }) => order)
  const reasons: string[] = []
  let nowMs = 0
  const chain = await openChain(orders, { monotonic: () => nowMs, count: (reason) => void reasons.push(reason) })
  return {
    chain,
    reasons,
    advance: (ms: number) => {
      nowMs += ms
      return chain.expire(nowMs)
    },
    /** Records of one tag through the chain. */
    run: (...records: RecordLike[]) => chain.run(makeBatch([{ events: records.map((record) => ({ record })) }])),
    records: (...records: RecordLike[]) =>
      eventsOf(chain.run(makeBatch([{ events: records.map((record) => ({ record })) }])).batch).map((it) => it.record),
  }
}

/** Words of what is wrong with the filters. */
export async function faultsOf(filters: string): Promise<string[]> {
  try {
    await chainOf(filters)
    return []
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error
    return error.problems.map(({ message }) => message)
  }
}

export function eventsOf(batch: Batch): OutEvent[] {
  const indexes = idsOf(batch).map((_, index) => index)
  if (indexes.length === 0) return []
  return singleEvents(batch, indexes).map(({ tag, id, position, entry }) => {
    const time = entryTimeAt(entry, 0)
    const record = unpackr.unpack(entry.subarray(entryRecordAt(entry, 0, entry.length))) as Record<string, unknown>
    const [seconds, nanoseconds] = [readTimeSeconds(entry, time), readTimeNanoseconds(entry, time)]
    return { tag, id, position, seconds, nanoseconds, record }
  })
}

export const outOf = ({ batch }: Filtered) => eventsOf(batch)
