/** The name that was probably meant. */

/** Edit distance in which two neighbours swapped count as one change (optimal string alignment). */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2]! + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length]!
}

/** Longer than any key: what is longer was not mistyped. */
const NAME_LENGTH_MAX = 64

/** The nearest of the names, or undefined when none is near enough to be meant: a third of its letters may differ. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  if (name.length > NAME_LENGTH_MAX) return undefined
  const plain = name.toLowerCase().replaceAll('-', '_')
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of names) {
    const steps = distance(plain, candidate)
    if (steps < bestDistance && steps <= Math.max(1, Math.floor(candidate.length / 3))) {
      best = candidate
      bestDistance = steps
    }
  }
  return best
}
