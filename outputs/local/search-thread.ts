/** The thread that searches: takes one question at a time and answers it; `store-search.ts` knows what it means. */
import { parentPort, workerData } from 'node:worker_threads'
import type { FieldValues, Histogram, SearchPage } from '../../server/core/search.ts'
import { type StoreQuery, StoreSearch } from './store-search.ts'

export interface SearchThreadData {
  readonly directory: string
}

export type SearchOrder =
  | { readonly kind: 'search'; readonly question: StoreQuery }
  | { readonly kind: 'histogram'; readonly question: StoreQuery; readonly buckets: number }
  | { readonly kind: 'fields'; readonly question: StoreQuery }

export type SearchAnswer = SearchPage | Histogram | readonly FieldValues[]

export type SearchReport =
  | { readonly kind: 'answer'; readonly answer: SearchAnswer }
  | { readonly kind: 'failure'; readonly reason: string }
  | { readonly kind: 'damage'; readonly file: string; readonly reason: string }

/** After so long without a question the files are let go: their memory, and the disk space of those deleted since. */
const IDLE_MS = 10_000

const { directory } = workerData as SearchThreadData
const report = (message: SearchReport) => parentPort?.postMessage(message)
const search = new StoreSearch(
  directory,
  () => performance.now(),
  (file, reason) => report({ kind: 'damage', file, reason }),
)

const idle = setTimeout(() => search.close(), IDLE_MS)

parentPort?.on('message', (order: SearchOrder) => {
  idle.refresh()
  try {
    report({ kind: 'answer', answer: answer(order) })
  } catch (error) {
    report({ kind: 'failure', reason: (error as Error).message })
  }
})

function answer(order: SearchOrder): SearchAnswer {
  if (order.kind === 'search') return search.search(order.question)
  return order.kind === 'histogram' ? search.histogram(order.question, order.buckets) : search.fields(order.question)
}
