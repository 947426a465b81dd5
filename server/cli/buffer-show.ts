/** `logboom buffer show`: some events of the buffer, to look at. */
import type { Command } from 'commander'
import {
  damageText,
  type FolderOptions,
  openFolder,
  type RangeOptions,
  rangeOf,
  withFolderOption,
  withRangeOptions,
} from './buffer-folder.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'
import { parseCount } from './time-option.ts'

const EVENTS_MAX = 100_000

type Options = FolderOptions & RangeOptions & { readonly limit: string }

async function show(options: Options, { output, talk }: Terminal): Promise<void> {
  const { readEvents } = await import('../../buffer/offline.ts')
  const { createLineEncoder } = await import('./stored-event.ts')
  const limit = parseCount('--limit', options.limit, { min: 1, max: EVENTS_MAX })
  const asked = rangeOf(options)
  const buffer = await openFolder(options)
  const from = Math.max(asked.from, buffer.chunks[0]?.first ?? 0)
  const range = { from, to: Math.min(asked.to, from + limit) }
  const encode = createLineEncoder(range)
  const events = readEvents(buffer, range)
  for (;;) {
    const { value, done } = await events.next()
    if (done === true) return void talk.write(damageText(value.damagedEvents))
    if (!(await print(output, encode(value).toString()))) return
  }
}

export function register(buffer: Command, terminal: Terminal = processTerminal): void {
  const command = buffer
    .command('show')
    .description('print events of the buffer as JSON lines: position, id, tag, time, record')
    .option('--limit <n>', `so many positions at most, 1 to ${EVENTS_MAX}`, '10')
  withFolderOption(withRangeOptions(command)).action((_: object, used: Command) =>
    show(used.optsWithGlobals<Options>(), terminal),
  )
}
