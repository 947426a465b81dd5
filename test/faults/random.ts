/** Random numbers that can be had again: every run prints its seed, and LOGBOOM_TEST_SEED repeats it. */
import { randomInt } from 'node:crypto'

export const SEED = Number(process.env.LOGBOOM_TEST_SEED ?? randomInt(2 ** 31))

export interface Random {
  /** From 0, included, to 1, excluded. */
  share(): number
  /** A whole number, both ends included. */
  between(least: number, most: number): number
}

/** mulberry32: small, and the same everywhere for the same seed. */
export function createRandom(seed: number = SEED): Random {
  process.stdout.write(`# LOGBOOM_TEST_SEED=${seed}\n`)
  let state = seed
  const share = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { share, between: (least, most) => least + Math.floor(share() * (most - least + 1)) }
}
