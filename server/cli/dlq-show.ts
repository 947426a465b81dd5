/** `logboom dlq show OUTPUT`: the dead letters themselves, with what the destination said. */
import type { Command } from 'commander'
import { lineText } from '../core/event-text.ts'
import type { LetterPage, LetterQuery, ShownLetter } from '../core/output-desk.ts'
import { clockTime, dayOf } from '../core/readable.ts'
import { askJson, type ServerOptions, withServerOptions } from './api-client.ts'
import { showOffline } from './dlq-offline.ts'
import type { GlobalOptions } from './program.ts'
import { whole } from './table.ts'
import { print, type Terminal } from './terminal.ts'
import { parseCount } from './time-option.ts'

const PAGE_LETTERS_MAX = 100
const LETTERS_MAX = 1_000_000

interface ShowOptions extends ServerOptions, GlobalOptions {
  readonly cause?: string
  readonly limit: string
  readonly offline?: true
  readonly json?: true
}

/** Three lines: when and why, the destination's words, the event. */
export function letterText({ cause, detail, attempts, refusedMs, tag, id, time, ...event }: ShownLetter): string {
  const refused = `${dayOf(refusedMs)} ${clockTime(refusedMs)}`
  const tries = attempts === 1 ? '1 attempt' : `${whole(attempts)} attempts`
  return [
    `${refused}  ${lineText(cause)}  ${lineText(tag)}  ${tries}  ${id}\n`,
    `  ${lineText(detail)}\n`,
    `  ${time ?? 'no time'} ${lineText(event.record ?? `base64 ${event.packed}`)}\n`,
  ].join('')
}

/** One object a line. The record goes in as it is: parsing it would round its int64 values. */
export function letterJson({ record, ...letter }: ShownLetter): string {
  const text = JSON.stringify(letter)
  return record === undefined ? `${text}\n` : `${text.slice(0, -1)},"record":${record}}\n`
}

async function show(name: string, options: ShowOptions, { output, talk }: Terminal): Promise<void> {
  const most = parseCount('--limit', options.limit, { min: 1, max: LETTERS_MAX })
  const { cause, config, offline, json } = options
  const page = (query: LetterQuery) =>
    offline === true
      ? showOffline(config, name, query)
      : askJson<LetterPage>(options, `dead-letters/${encodeURIComponent(name)}`, { ...query })
  let shown = 0
  let from: string | undefined
  do {
    const limit = Math.min(PAGE_LETTERS_MAX, most - shown)
    const own = { limit, ...(cause !== undefined && { cause }), ...(from !== undefined && { from }) }
    const { letters, next } = await page(own)
    if (!(await print(output, letters.map(json === true ? letterJson : letterText).join('')))) return
    shown += letters.length
    from = next
  } while (from !== undefined && shown < most)
  if (shown === 0) talk.write('no dead letters\n')
  if (from !== undefined) talk.write(`the oldest ${shown} of more: --limit N\n`)
}

export function register(dlq: Command, terminal: Terminal): void {
  const command = dlq
    .command('show')
    .description('print events that an output refused, oldest first, with the words of the destination')
    .argument('<output>', 'its name under `outputs`')
    .option('--cause <cause>', 'only these, as `ls` names them')
    .option('--limit <n>', 'at most so many', '10')
    .option('--json', 'one JSON object a line')
    .option('--offline', "read the buffer's folder, whether the server runs or not")
  withServerOptions(command).action((name: string, _: object, own: Command) =>
    show(name, own.optsWithGlobals<ShowOptions>(), terminal),
  )
}
