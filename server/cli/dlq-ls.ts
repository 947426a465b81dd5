/** `logboom dlq ls`: how many dead letters each output has, and why. */
import type { Command } from 'commander'
import { lineText } from '../core/event-text.ts'
import type { LetterSummary } from '../core/output-desk.ts'
import { clockTime, dayOf } from '../core/readable.ts'
import { askJson, type ServerOptions, withServerOptions } from './api-client.ts'
import { listOffline } from './dlq-offline.ts'
import type { GlobalOptions } from './program.ts'
import { table, whole } from './table.ts'
import { print, type Terminal } from './terminal.ts'

interface ListOptions extends ServerOptions, GlobalOptions {
  readonly offline?: true
  readonly json?: true
}

const HEAD = ['output', 'cause', 'letters', 'oldest', 'newest']
const second = (ms: number) => `${dayOf(ms)} ${clockTime(ms).slice(0, 8)}`

/** A line for each cause, the most frequent first; empty where there are no letters. */
export function listText(summaries: readonly LetterSummary[]): string {
  const rows = summaries.flatMap(({ output, causes }) =>
    causes.map(({ cause, letters, oldestMs, newestMs }) => {
      return [output, lineText(cause), whole(letters), second(oldestMs), second(newestMs)]
    }),
  )
  return rows.length === 0 ? '' : table([HEAD, ...rows])
}

async function list(options: ListOptions, { output, talk }: Terminal): Promise<void> {
  const summaries =
    options.offline === true
      ? await listOffline(options.config)
      : await askJson<readonly LetterSummary[]>(options, 'dead-letters')
  if (options.json === true) return void (await print(output, `${JSON.stringify(summaries, undefined, 2)}\n`))
  const text = listText(summaries)
  if (text === '') talk.write('no dead letters\n')
  else await print(output, text)
}

export function register(dlq: Command, terminal: Terminal): void {
  const command = dlq
    .command('ls')
    .description('how many events each output refused, by cause')
    .option('--json', 'as JSON')
    .option('--offline', "read the buffer's folder, whether the server runs or not")
  withServerOptions(command).action((_: object, own: Command) => list(own.optsWithGlobals<ListOptions>(), terminal))
}
