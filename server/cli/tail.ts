/** `logboom tail [WORDS]`: events as they are stored, until Ctrl-C. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { LogboomError } from '../core/errors.ts'
import { type ApiHit, type ApiPage, askJson, askTail, type ServerOptions, withServerOptions } from './api-client.ts'
import { eventLine, type Format, withFormatOption } from './event-line.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'
import { parseCount } from './time-option.ts'

const LINES_MAX = 1_000
const RECONNECT_MS = 1_000

interface TailCommandOptions extends ServerOptions {
  readonly lines: string
  readonly output: Format
}

interface Follow {
  readonly server: ServerOptions
  readonly q: string
  readonly signal: AbortSignal
  /** `false`: nobody reads any more. */
  show(hits: readonly ApiHit[]): Promise<boolean>
  say(text: string): void
}

/** A lost connection is taken up again at the cursor. Throws only what another try would not mend. */
async function follow({ server, q, signal, show, say }: Follow, from: string): Promise<void> {
  let cursor = from
  let lost = false
  for (;;) {
    try {
      for await (const { id, hits } of askTail(server, { q, cursor, signal })) {
        if (lost) say('connected again\n')
        lost = false
        cursor = id
        if (!(await show(hits))) return
      }
    } catch (error) {
      if (error instanceof LogboomError && error.code !== 'LB-S005' && error.code !== 'LB-A004') throw error
    }
    if (signal.aborted) return
    if (!lost) say('connection lost, trying again …\n')
    lost = true
    await sleep(RECONNECT_MS, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
  }
}

async function tail(words: readonly string[], options: TailCommandOptions, terminal: Terminal): Promise<void> {
  const { output, talk } = terminal
  const lines = parseCount('--lines', options.lines, { min: 0, max: LINES_MAX })
  const q = words.join(' ')
  const signal = terminal.interrupt()
  const show = async (hits: readonly ApiHit[]) => {
    const text = hits.map((hit) => eventLine(hit, options.output, output)).join('')
    return text === '' || (await print(output, text))
  }
  const page = await askJson<ApiPage>(options, 'events', { q, limit: Math.max(1, lines) })
  if (!(await show(page.hits.slice(0, lines).toReversed()))) return
  await follow({ server: options, q, signal, show, say: (text) => talk.write(text) }, page.newest)
}

export function register(program: Command, terminal: Terminal = processTerminal): void {
  const command = program
    .command('tail')
    .description('print events as they are stored; Ctrl-C ends it')
    .argument('[words...]', 'only what matches, as in `query`')
    .option('-n, --lines <n>', 'begin with the newest so many', '10')
  withServerOptions(withFormatOption(command)).action((words: string[], options: TailCommandOptions) =>
    tail(words, options, terminal),
  )
}
