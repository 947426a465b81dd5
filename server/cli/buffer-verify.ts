/** `logboom buffer verify`: checks every byte of a buffer that is stopped, or of a copy. */
import type { Command } from 'commander'
import type { ChunkVerdict, OfflineChunk } from '../../buffer/offline.ts'
import { type FolderOptions, openFolder, withFolderOption } from './buffer-folder.ts'
import { Said } from './end.ts'
import { table, whole } from './table.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'

type Options = FolderOptions & { readonly json?: true }
type Verified = OfflineChunk & ChunkVerdict

const HEAD = ['chunk', 'frames', 'events', 'damages', 'events lost', 'torn bytes']

function verifyText(chunks: readonly Verified[]): string {
  const rows = chunks.map(({ file, frames, events, damages, damagedEvents, tornBytes }) => [
    file,
    ...[frames, events, damages, damagedEvents, tornBytes].map(whole),
  ])
  return table([HEAD, ...rows])
}

function isDamaged({ damages, damagedEvents }: ChunkVerdict): boolean {
  return damages > 0 || damagedEvents > 0
}

/** Torn bytes are no damage: they were never acknowledged. Throws Said with 1 when anything is damaged. */
async function verify(options: Options, { output, talk }: Terminal): Promise<void> {
  const { verifyChunk } = await import('../../buffer/offline.ts')
  const buffer = await openFolder(options)
  const chunks: Verified[] = []
  for (const chunk of buffer.chunks) chunks.push({ ...chunk, ...(await verifyChunk(buffer, chunk)) })
  const damaged = chunks.filter(isDamaged)
  const text = options.json === true ? `${JSON.stringify(chunks, null, 2)}\n` : verifyText(chunks)
  await print(output, text)
  if (damaged.length === 0) return void talk.write(`${buffer.path}: nothing is damaged\n`)
  const lost = damaged.reduce((sum, chunk) => sum + chunk.damagedEvents, 0)
  talk.write(`${buffer.path}: ${damaged.length} chunks are damaged, ${lost} events cannot be read\n`)
  throw new Said(1)
}

export function register(buffer: Command, terminal: Terminal = processTerminal): void {
  const command = buffer
    .command('verify')
    .description('check every byte of a stopped buffer or a copy; exit code 1 when something is damaged')
    .option('--json', 'as JSON')
  withFolderOption(command).action((_: object, used: Command) => verify(used.optsWithGlobals<Options>(), terminal))
}
