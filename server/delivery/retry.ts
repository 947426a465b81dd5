/** How long to wait before the next try. Pure: chance comes in as a function; who waits is the caller's matter. */

/** The wait after the first failure is drawn from at most this. */
export const RETRY_FIRST_MS = 1_000
/** The wait is drawn from at most this, however often it failed, where nothing else is set. */
export const RETRY_MOST_MS = 60_000
/** No wait is shorter, so that a lucky draw never makes a busy loop. */
export const RETRY_LEAST_MS = 50
/** A destination may ask for this much patience and no more. */
export const RETRY_AFTER_MOST_MS = 600_000

/** 0 included, 1 excluded, as Math.random. */
export type Random = () => number

export interface BackoffBounds {
  readonly retryAfterMs?: number | undefined
  /** `retry_max_interval`. */
  readonly mostMs?: number
}

/**
 * Full jitter: a draw between the least wait and a bound that doubles with each failure in a row.
 * @param failures how many so far; 1 at the first.
 * @param bounds retryAfterMs: what the destination asked for; the wait is not shorter, up to ten minutes.
 *   mostMs: what the doubling ends at.
 * @returns ms, whole.
 */
export function backoffMs(failures: number, random: Random, bounds: BackoffBounds = {}): number {
  const { retryAfterMs = 0, mostMs = RETRY_MOST_MS } = bounds
  const bound = Math.min(mostMs, RETRY_FIRST_MS * 2 ** Math.max(0, failures - 1))
  const drawn = RETRY_LEAST_MS + random() * (bound - RETRY_LEAST_MS)
  const asked = Number.isFinite(retryAfterMs) ? Math.min(retryAfterMs, RETRY_AFTER_MOST_MS) : 0
  return Math.round(Math.max(drawn, asked))
}
