/** Which buffer a verb of `logboom buffer` looks into, and which of its events. */
import path from 'node:path'
import type { Command } from 'commander'
import type { EventRange, OfflineBuffer } from '../../buffer/offline.ts'
import { LogboomError } from '../core/errors.ts'
import type { GlobalOptions } from './program.ts'

export interface FolderOptions extends GlobalOptions {
  readonly path?: string
}

export function withFolderOption(command: Command): Command {
  return command.option('--path <folder>', 'folder of the buffer, also a copy; else `buffer.path` of the configuration')
}

const OWN_TOOLS =
  'its events are in Kafka, whose own programs show them (kafka-console-consumer, kafka-consumer-groups)'

/** Throws LogboomError LB-B002, LB-B007, LB-K001; ConfigErrors. */
export async function openFolder({ path: folder, config: file }: FolderOptions): Promise<OfflineBuffer> {
  const { lookAtBuffer } = await import('../../buffer/offline.ts')
  if (folder !== undefined) return lookAtBuffer(path.resolve(folder))
  const { loadConfig } = await import('../config/load.ts')
  const { buffer } = await loadConfig({ file })
  if (buffer.kafka !== undefined) throw new LogboomError('LB-K001', { key: 'logboom buffer', why: OWN_TOOLS })
  return lookAtBuffer(buffer.path)
}

export interface RangeOptions {
  readonly from?: string
  readonly to?: string
}

export function withRangeOptions(command: Command): Command {
  return command
    .option('--from <position>', 'from this position on; else the oldest')
    .option('--to <position>', 'up to this position, which is left out; else the end')
}

/** Throws LogboomError LB-S006. */
export function rangeOf({ from, to }: RangeOptions): EventRange {
  return { from: positionOf('--from', from) ?? 0, to: positionOf('--to', to) ?? Number.MAX_SAFE_INTEGER }
}

function positionOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const position = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(position)) return position
  throw new LogboomError('LB-S006', { reason: `${option} must be a position, a whole number, not ${text}` })
}

/** Says on stderr what could not be read. */
export function damageText(events: number): string {
  return events === 0 ? '' : `${events} events are damaged or missing: \`logboom buffer verify\` tells where\n`
}
