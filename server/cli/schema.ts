/** `logboom schema`: the JSON Schema of the configuration, for editors and other tools. */
import type { Command } from 'commander'
import { print, processTerminal, type Terminal } from './terminal.ts'

export function register(program: Command, terminal: Terminal = processTerminal): void {
  program
    .command('schema')
    .description('print the JSON Schema of the configuration')
    .action(async () => {
      const { configJsonSchema } = await import('../config/json-schema.ts')
      await print(terminal.output, `${JSON.stringify(await configJsonSchema(), null, 2)}\n`)
    })
}
