/** What a component may say to the operator. Secrets and event text never go through here. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(bindings: object): Logger
}

/** At most this many different complaints are remembered at a time. */
const COMPLAINTS_MAX = 1_000

/**
 * Says the same complaint at most once per interval, and then how often it was held back.
 * The key is what makes two complaints the same, for instance `malformed 10.0.0.4`.
 */
export function createRateLimit(intervalMs: number, now: () => number) {
  const held = new Map<string, { until: number; count: number }>()
  return (key: string, say: (suppressed: number) => void): void => {
    const seen = held.get(key)
    if (seen !== undefined && now() < seen.until) {
      seen.count += 1
      return
    }
    if (held.size >= COMPLAINTS_MAX) held.clear()
    held.set(key, { until: now() + intervalMs, count: 0 })
    say(seen?.count ?? 0)
  }
}
export type RateLimit = ReturnType<typeof createRateLimit>
