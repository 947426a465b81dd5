/** `logboom validate`: checks the configuration and starts nothing. */
import { type Command, Option } from 'commander'
import { ConfigErrors } from '../config/config-errors.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { LogboomError } from '../core/errors.ts'
import { Said } from './end.ts'
import type { GlobalOptions } from './program.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'

type Format = 'text' | 'json' | 'github'
type Options = GlobalOptions & { readonly format: Format }

/** Problems as text are thrown, for stderr; the other formats are data, for stdout. */
async function validate({ config: file, format }: Options, { output }: Terminal): Promise<void> {
  // Imported here, as in the other verbs that need it, so that verbs without a configuration start fast.
  const { loadWithPlaces } = await import('../config/load.ts')
  try {
    const loaded = await loadWithPlaces({ file })
    if (format === 'text') await print(output, `${summary(loaded)}\n`)
    if (format === 'json') await print(output, jsonReport(loaded.shown, []))
  } catch (error) {
    if (!(error instanceof ConfigErrors) || format === 'text') throw error
    const { problems } = error
    const text = format === 'json' ? jsonReport(problems[0]?.place?.file, problems) : problems.map(annotation).join('')
    await print(output, text)
    throw new Said(error.exitCode)
  }
}

function summary({ shown, config }: LoadedConfig): string {
  const inputs = count(config.inputs.length, 'input')
  return `✓ ${shown ?? 'the embedded default'}  ${inputs}, ${count(config.outputs.length, 'output')}`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

function jsonReport(file: string | undefined, problems: readonly LogboomError[]): string {
  const rows = problems.map(({ code, message, help, place }) => {
    const { source, ...at } = place ?? {}
    return { code, message, help, ...at }
  })
  return `${JSON.stringify({ file: file ?? null, valid: problems.length === 0, problems: rows }, null, 2)}\n`
}

/** A workflow command of GitHub Actions, which shows it at the line of a pull request. */
function annotation({ code, message, help, place }: LogboomError): string {
  const at = place && `file=${escapeProperty(place.file)},line=${place.line},col=${place.column},`
  return `::error ${at ?? ''}title=${code}::${escapeData(`${message}. ${help}`)}\n`
}

function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}

export function register(program: Command, terminal: Terminal = processTerminal): void {
  const format = new Option('--format <format>', 'how problems are written')
  program
    .command('validate')
    .description('check the configuration and start nothing')
    .addOption(format.choices(['text', 'json', 'github']).default('text'))
    .action((_: object, command: Command) => validate(command.optsWithGlobals<Options>(), terminal))
}
