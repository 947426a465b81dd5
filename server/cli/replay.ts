/** `logboom replay OUTPUT --from`: what is delivered and still in the buffer is delivered again. */
import type { Command } from 'commander'
import type { RewindQuery, Rewound } from '../core/output-desk.ts'
import { type ServerOptions, tellJson, withServerOptions } from './api-client.ts'
import { whole } from './table.ts'
import { processTerminal, type Terminal } from './terminal.ts'
import { parseTime } from './time-option.ts'

interface ReplayOptions extends ServerOptions {
  readonly from: string
}

/** Digits alone are a position. Throws LB-S006 for what is neither that nor a time. */
function parseFrom(text: string): RewindQuery {
  return /^\d{1,15}$/.test(text) ? { position: Number(text) } : { timeMs: Math.floor(parseTime(text, Date.now())) }
}

async function replay(name: string, options: ReplayOptions, { talk }: Terminal): Promise<void> {
  const route = `outputs/${encodeURIComponent(name)}/replay`
  const { from, to } = await tellJson<Rewound>(options, route, { ...parseFrom(options.from) })
  talk.write(`${whole(to - from)} events are delivered again, positions ${from} to ${to - 1}\n`)
}

export function register(program: Command, terminal: Terminal = processTerminal): void {
  const command = program
    .command('replay')
    .description('deliver again what an output has had and the buffer still holds; ids and positions stay as they were')
    .argument('<output>', 'its name under `outputs`')
    .requiredOption('--from <time|position>', '1h, 2026-01-31T12:00:00Z, or the position of an event')
  withServerOptions(command).action((name: string, options: ReplayOptions) => replay(name, options, terminal))
}
