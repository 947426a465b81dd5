/** `logboom dlq`: the events that destinations refused. Each of its verbs is in a file of its own. */
import type { Command } from 'commander'
import { register as registerDiscard } from './dlq-discard.ts'
import { register as registerList } from './dlq-ls.ts'
import { register as registerReplay } from './dlq-replay.ts'
import { register as registerShow } from './dlq-show.ts'
import { processTerminal, type Terminal } from './terminal.ts'

export function register(program: Command, terminal: Terminal = processTerminal): void {
  const dlq = program
    .command('dlq')
    .description('list, show, replay and discard dead letters: events that were refused')
  for (const add of [registerList, registerShow, registerReplay, registerDiscard]) add(dlq, terminal)
}
