/** `logboom config show` and `config reference`: what runs, and what there is to set. */
import type { Command } from 'commander'
import type { GlobalOptions } from './program.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'

export function register(program: Command, terminal: Terminal = processTerminal): void {
  const config = program.command('config').description('show the configuration')
  config
    .command('show')
    .description('the configuration as it would run: defaults filled in, origins named, secrets hidden')
    .action(async (_: object, command: Command) => {
      const { loadWithPlaces } = await import('../config/load.ts')
      const { showConfig } = await import('../config/show.ts')
      const { config: file } = command.optsWithGlobals<GlobalOptions>()
      await print(terminal.output, showConfig(await loadWithPlaces({ file })))
    })
  config
    .command('reference')
    .description('every key there is, as Markdown')
    .action(async () => {
      const { configReference } = await import('../config/reference.ts')
      await print(terminal.output, await configReference())
    })
}
