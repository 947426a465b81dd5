/** `logboom buffer ls`: the chunks, and who holds them. */
import type { Command } from 'commander'
import type { OfflineBuffer, OfflineChunk } from '../../buffer/offline.ts'
import { age, bytes } from '../core/readable.ts'
import { type FolderOptions, openFolder, withFolderOption } from './buffer-folder.ts'
import { table, whole } from './table.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'

type Options = FolderOptions & { readonly json?: true }

const HEAD = ['chunk', 'first', 'next', 'events', 'size', 'age', 'sealed', 'held by']

function row(chunk: OfflineChunk, nowMs: number): string[] {
  const { file, first, next, createdMs, isSealed, heldBy } = chunk
  const old = createdMs === undefined ? 'unknown' : age(Math.max(0, nowMs - createdMs) / 1000)
  const numbers = [first, next, next - first].map(whole)
  return [file, ...numbers, bytes(chunk.bytes), old, isSealed ? 'yes' : 'no', heldBy.join(', ') || 'nobody']
}

/** The chunks and cursors for people, ending in a line end. */
export function listText({ path, chunks, cursors }: OfflineBuffer, nowMs: number): string {
  const size = bytes(chunks.reduce((sum, chunk) => sum + chunk.bytes, 0))
  const end = chunks.at(-1)?.next ?? 0
  const readers = cursors.map(({ output, cursor }) => [output, whole(cursor), whole(Math.max(0, end - cursor))])
  return [
    `${path}: ${whole(chunks.length)} chunks, ${size}\n`,
    chunks.length === 0 ? '' : `\n${table([HEAD, ...chunks.map((chunk) => row(chunk, nowMs))])}`,
    readers.length === 0 ? '' : `\n${table([['output', 'cursor', 'lag'], ...readers])}`,
  ].join('')
}

async function list(options: Options, { output }: Terminal): Promise<void> {
  const buffer = await openFolder(options)
  const { path, chunks, cursors } = buffer
  const json = () => `${JSON.stringify({ path, chunks, cursors }, null, 2)}\n`
  await print(output, options.json === true ? json() : listText(buffer, Date.now()))
}

export function register(buffer: Command, terminal: Terminal = processTerminal): void {
  const command = buffer
    .command('ls')
    .description('the chunks with positions, size and age, and the outputs that hold them')
    .option('--json', 'as JSON')
  withFolderOption(command).action((_: object, used: Command) => list(used.optsWithGlobals<Options>(), terminal))
}
