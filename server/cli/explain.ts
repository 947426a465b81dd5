/** `logboom explain CODE`: what an error means and what to do, from the table of errors. */
import type { Command } from 'commander'
import { nearest } from '../config/nearest.ts'
import { ERRORS, type ErrorCode, type ErrorSpec, LogboomError } from '../core/errors.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'

/** The placeholders of text and help stay as they are: they say what is filled in. Throws LogboomError LB-S006. */
export function explainCode(code: string): string {
  const known = Object.keys(ERRORS)
  const upper = code.toUpperCase()
  if (!Object.hasOwn(ERRORS, upper)) {
    const meant = nearest(
      upper.toLowerCase(),
      known.map((name) => name.toLowerCase().replaceAll('-', '_')),
    )
    const hint = meant === undefined ? '' : `; did you mean ${meant.toUpperCase().replaceAll('_', '-')}?`
    throw new LogboomError('LB-S006', { reason: `there is no error \`${code}\`${hint}` })
  }
  const { name, text, help, exit }: ErrorSpec = ERRORS[upper as ErrorCode]
  const end = exit === undefined ? 'Logboom goes on.' : `It ends the process with exit code ${exit}.`
  return `${upper} ${name}\n\n  ${text}\n  ${help}\n\n${end}\n`
}

export function register(program: Command, terminal: Terminal = processTerminal): void {
  program
    .command('explain')
    .description('say what an error code means and what to do')
    .argument('<code>', 'for instance LB-F001')
    .action(async (code: string) => {
      await print(terminal.output, explainCode(code))
    })
}
