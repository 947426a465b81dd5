/** `logboom buffer export`: all events of the buffer, or a range of them, on stdout. */
import type { Writable } from 'node:stream'
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
import { Said } from './end.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'

type Options = FolderOptions & RangeOptions & { readonly packed?: true }

/** Throws Said with 1 when not all could be read. */
async function exportEvents(options: Options, { output, talk }: Terminal): Promise<void> {
  const { readEvents } = await import('../../buffer/offline.ts')
  const { createLineEncoder, packedEvents } = await import('./stored-event.ts')
  const range = rangeOf(options)
  const buffer = await openFolder(options)
  const lines = createLineEncoder(range)
  const events = readEvents(buffer, range)
  for (;;) {
    const { value, done } = await events.next()
    if (done === true) return end(talk, value.damagedEvents)
    if (!(await print(output, options.packed === true ? packedEvents(value, range) : lines(value)))) return
  }
}

function end(talk: Writable, damagedEvents: number): void {
  if (damagedEvents === 0) return
  talk.write(damageText(damagedEvents))
  throw new Said(1)
}

export function register(buffer: Command, terminal: Terminal = processTerminal): void {
  const command = buffer
    .command('export')
    .description('write events of the buffer to stdout, as JSON lines; exit code 1 when some cannot be read')
    .option('--packed', 'as msgpack `[time, record]`, one behind the other, as the clients sent them; without tags')
  withFolderOption(withRangeOptions(command)).action((_: object, used: Command) =>
    exportEvents(used.optsWithGlobals<Options>(), terminal),
  )
}
