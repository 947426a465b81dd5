/** `logboom dlq discard OUTPUT`: throws dead letters away, for good. */
import type { Command } from 'commander'
import { LogboomError } from '../core/errors.ts'
import { type ServerOptions, tellJson, withServerOptions } from './api-client.ts'
import { whole } from './table.ts'
import type { Terminal } from './terminal.ts'

interface DiscardOptions extends ServerOptions {
  readonly cause?: string
  readonly all?: true
}

async function discard(name: string, options: DiscardOptions, { talk }: Terminal): Promise<void> {
  const { cause, all } = options
  if ((cause === undefined) === (all === undefined)) throw new LogboomError('LB-P005', {})
  const route = `dead-letters/${encodeURIComponent(name)}/discard`
  const which = cause === undefined ? { all: 'true' } : { cause }
  const { discarded } = await tellJson<{ readonly discarded: number }>(options, route, which)
  talk.write(`${whole(discarded)} discarded\n`)
}

export function register(dlq: Command, terminal: Terminal): void {
  const command = dlq
    .command('discard')
    .description('throw dead letters away; they are lost')
    .argument('<output>', 'its name under `outputs`')
    .option('--cause <cause>', 'those of this cause, as `ls` names them')
    .option('--all', 'every one')
  withServerOptions(command).action((name: string, options: DiscardOptions) => discard(name, options, terminal))
}
