/** Keeps the histogram and the field list up to date, no more often than a person can read. */
import { useEffect, useState } from 'preact/hooks'
import type { FieldValues, Histogram } from '../../core/search.ts'
import { getFields, getHistogram, type Question } from './api.ts'

const HISTOGRAM_MS = 2_000
const FIELDS_MS = 10_000
const BUCKETS = 60

/** Asks at once and then every `everyMs` while the page is seen; keeps the last answer when one fails. */
function usePolled<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  everyMs: number,
  keys: readonly unknown[],
): T | undefined {
  const [value, setValue] = useState<T>()
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout>
    const poll = async () => {
      if (!document.hidden || value === undefined) {
        const answer = await ask(abort.signal).catch(() => undefined)
        if (abort.signal.aborted) return
        if (answer !== undefined) setValue(answer)
      }
      timer = setTimeout(poll, everyMs)
    }
    void poll()
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, keys)
  return value
}

export interface TimeCounts extends Histogram {
  readonly toMs: number
}

/** The window ends now unless the question has an end of its own. */
export function useHistogram(question: Question, windowMs: number, session: number): TimeCounts | undefined {
  const { q, from, to } = question
  const ask = async (signal: AbortSignal) => {
    const toMs = to ?? Date.now() + 1
    const fromMs = from ?? toMs - windowMs
    const counts = await getHistogram({ q, from: Math.floor(fromMs), to: Math.ceil(toMs), buckets: BUCKETS }, signal)
    return { ...counts, toMs }
  }
  return usePolled(ask, HISTOGRAM_MS, [q, from, to, windowMs, session])
}

/** `started` turns true with the first event, which is when there are fields. */
export function useFields(question: Question, started: boolean, session: number): readonly FieldValues[] | undefined {
  const { q, from, to } = question
  return usePolled((signal) => getFields({ q, from, to }, signal), FIELDS_MS, [q, from, to, started, session])
}
