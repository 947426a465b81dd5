/** `logboom dlq replay OUTPUT`: hands dead letters to their output again, step by step. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { LogboomError } from '../core/errors.ts'
import { LETTERS_MAX, type ReplayStep } from '../core/output-desk.ts'
import { type ServerOptions, tellJson, withServerOptions } from './api-client.ts'
import { whole } from './table.ts'
import type { Terminal } from './terminal.ts'
import { parseCount } from './time-option.ts'

const COUNT_MAX = 999_999_999

interface ReplayOptions extends ServerOptions {
  readonly cause?: string
  readonly limit?: string
  readonly rate?: string
}

interface Total {
  replayed: number
  dead: number
}

/** Events that may go now: those of a second at most, where a rate is asked for. */
function stepSize(left: number, rate: number): number {
  return Math.min(LETTERS_MAX, left, Math.max(1, Math.floor(rate)))
}

async function replayAll(
  name: string,
  options: ReplayOptions,
  { total, signal }: { total: Total; signal: AbortSignal },
) {
  const { cause } = options
  const most = parseCount('--limit', options.limit ?? String(COUNT_MAX), { min: 1, max: COUNT_MAX })
  const rate = parseCount('--rate', options.rate ?? String(COUNT_MAX), { min: 1, max: COUNT_MAX })
  const route = `dead-letters/${encodeURIComponent(name)}/replay`
  let place: { before?: number; from?: string | undefined } = {}
  for (let done = 0; done < most && !signal.aborted; done = total.replayed + total.dead) {
    const begunMs = performance.now()
    const step = await tellJson<ReplayStep>(options, route, { cause, ...place, limit: stepSize(most - done, rate) })
    total.replayed += step.replayed
    total.dead += step.dead
    if (step.next === undefined) return
    place = { before: step.before, from: step.next }
    const dueMs = begunMs + ((step.replayed + step.dead) / rate) * 1_000
    // Ended by Ctrl-C, of which the loop hears.
    await sleep(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => {})
  }
}

async function replay(name: string, options: ReplayOptions, terminal: Terminal): Promise<void> {
  const total = { replayed: 0, dead: 0 }
  try {
    await replayAll(name, options, { total, signal: terminal.interrupt() })
  } catch (error) {
    if (error instanceof LogboomError && error.code === 'LB-P003') total.replayed += Number(error.details.replayed)
    throw error
  } finally {
    terminal.talk.write(`${whole(total.replayed)} replayed, ${whole(total.dead)} refused again\n`)
  }
}

export function register(dlq: Command, terminal: Terminal): void {
  const command = dlq
    .command('replay')
    .description('hand dead letters to their output again; what it takes leaves the store')
    .argument('<output>', 'its name under `outputs`')
    .option('--cause <cause>', 'only these, as `ls` names them')
    .option('--limit <n>', 'at most so many; all where it is left out')
    .option('--rate <n>', 'at most so many events a second')
  withServerOptions(command).action((name: string, options: ReplayOptions) => replay(name, options, terminal))
}
