/** How much of a fault a run tries: bounded, so that CI ends in a quarter of an hour; more by hand, by variables. */
const isCI = process.env.CI === 'true'
const number = (name: string, inCI: number, byHand: number) => Number(process.env[name] ?? (isCI ? inCI : byHand))

/** Random kills of F1. */
export const KILLS = number('LOGBOOM_TEST_KILLS', 25, 200)
/** F2 kills at every n-th call; 1: at each. */
export const STRIDE = number('LOGBOOM_TEST_STRIDE', 7, 1)
/** Power cuts of F3. */
export const POWER_CUTS = number('LOGBOOM_TEST_POWER_CUTS', 8, 40)

/** How long an agent is parted from its primary in F26 and F28, ms. */
export const PARTITION_MS = 1_000 * number('LOGBOOM_TEST_PARTITION_SECONDS', 5, 60)
/** How often the way to the primary comes and goes in F29, every four seconds. */
export const FLAPS = number('LOGBOOM_TEST_FLAPS', 4, 60)

/** Length of the soak, ms: `60s`, `10m`, `2h`. */
export const SOAK_MS = durationMs(process.env.LOGBOOM_TEST_SOAK ?? '60s')

function durationMs(text: string): number {
  const found = /^(\d+)(s|m|h)$/.exec(text)
  if (found === null) throw new Error(`LOGBOOM_TEST_SOAK=${text}: write it as 60s, 10m or 2h`)
  return Number(found[1]) * { s: 1_000, m: 60_000, h: 3_600_000 }[found[2] as 's' | 'm' | 'h']
}
