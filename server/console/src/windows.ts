/** How far back the histogram looks. */

const MINUTE = 60_000
export const WINDOWS = [
  { ms: 5 * MINUTE, name: '5 min' },
  { ms: 15 * MINUTE, name: '15 min' },
  { ms: 60 * MINUTE, name: '1 h' },
  { ms: 360 * MINUTE, name: '6 h' },
  { ms: 1_440 * MINUTE, name: '24 h' },
  { ms: 10_080 * MINUTE, name: '7 d' },
] as const
export const DEFAULT_WINDOW_MS = 15 * MINUTE

/** The smallest window, from the default on, that reaches back to the newest event. */
export function windowFor(newestMs: number | undefined, nowMs: number): number {
  if (newestMs === undefined) return DEFAULT_WINDOW_MS
  const fitting = WINDOWS.find(({ ms }) => ms >= DEFAULT_WINDOW_MS && nowMs - newestMs < ms)
  return (fitting ?? WINDOWS.at(-1)!).ms
}
