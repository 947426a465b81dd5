/** Random numbers that can be had again: every run prints its seed, and LOGBOOM_TEST_SEED repeats it. */
import { randomInt } from 'node:crypto'
import { createRandom as chanceOf } from '../random.ts'

export const SEED = Number(process.env.LOGBOOM_TEST_SEED ?? randomInt(2 ** 31))

export interface Random {
  /** From 0, included, to 1, excluded. */
  share(): number
  /** A whole number, both ends included. */
  between(least: number, most: number): number
}

export function createRandom(seed: number = SEED): Random {
  process.stdout.write(`# LOGBOOM_TEST_SEED=${seed}\n`)
  const share = chanceOf(seed)
  return { share, between: (least, most) => least + Math.floor(share() * (most - least + 1)) }
}
