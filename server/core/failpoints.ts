/**
 * Failpoints: named places where a crash or a fault would hurt most, for tests that want one just there. All are off
 * unless the environment asks for some; then each says its name on stderr when it acts:
 *
 *   LOGBOOM_FAILPOINTS="buffer.roll=kill@2;cursor.before-rename=throw;buffer.after-sync=pause:500ms"
 *
 *   kill        the process ends by SIGKILL          @n   only at the n-th hit, from 1; else at each
 *   throw       an Error is thrown there
 *   pause:2s    what comes next waits (ms, s, m)
 *
 * Hits are counted in each thread by itself.
 */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { LogboomError } from './errors.ts'

/** Every failpoint, and what has happened and what has not when it is hit. A test says that each is used. */
export const FAILPOINTS = {
  'buffer.after-write': 'a group is written and not yet synced; `throw` is a write that failed',
  'buffer.after-sync': 'a group is synced and not yet acknowledged; `throw` is a sync that failed',
  'buffer.roll': 'a chunk is sealed and the next is not yet made',
  'buffer.create.before-directory-sync': 'a new chunk is synced and its name is not yet durable',
  'buffer.delete.before-unlink': 'every output has passed a chunk and it is about to be deleted',
  'buffer.delete.after-unlink': 'a chunk is deleted and that is not yet durable',
  'cursor.before-rename': 'a new cursor file is synced and does not have its name yet',
  'cursor.after-rename': 'a new cursor file has its name and that is not yet durable',
  'cursor.after-write': 'a cursor is written into its slot and not yet synced',
  'lock.after-taken': 'the lock is taken and nothing is recovered yet',
  'recovery.before-truncate': 'the torn end of the newest chunk is about to be cut off',
  'recovery.after-truncate': 'the torn end is cut off and that is not yet durable',
  'recovery.before-sync': 'the last group is written again and that is not yet durable',
  's3.staging.before-manifest': 'lines are in the parts of objects and the manifest does not tell of them yet',
  's3.manifest.after-write': 'a line of the manifest is written and not yet synced',
  's3.staging.after-manifest': 'lines are staged and the cursor has not moved yet',
  's3.upload.after-stored': 'an object is stored and the manifest does not tell of it yet',
  's3.stored.before-unlink': 'the manifest tells that an object is stored and its part is about to be deleted',
  'quarantine.after-rename': 'a chunk is moved to quarantine/ and that is not yet durable',
} as const

export type Failpoint = keyof typeof FAILPOINTS

interface Armed {
  readonly action: 'kill' | 'throw' | 'pause'
  readonly pauseMs: number
  /** The hit that it acts at; undefined: each. */
  readonly at: number | undefined
  hits: number
}

const VARIABLE = 'LOGBOOM_FAILPOINTS'
const UNIT_MS = { ms: 1, s: 1_000, m: 60_000 } as const

let armed: ReadonlyMap<string, Armed> | undefined

/**
 * Does what was asked for at this place; nothing, mostly. Throws LogboomError LB-S006 when what was asked for cannot
 * be understood.
 */
export async function failpoint(name: Failpoint): Promise<void> {
  armed ??= parse(process.env[VARIABLE] ?? '')
  const point = armed.get(name)
  if (point === undefined) return
  point.hits += 1
  if (point.at !== undefined && point.hits !== point.at) return
  writeSync(2, `failpoint ${name}: ${point.action}\n`)
  if (point.action === 'kill') process.kill(process.pid, 'SIGKILL')
  if (point.action === 'throw') throw new Error(`failpoint ${name}`)
  await sleep(point.pauseMs)
}

/** Arms these and no others in this thread, as the environment variable would. Throws LogboomError LB-S006. */
export function armFailpoints(text: string): void {
  armed = parse(text)
}

/** Names of those that are armed. Throws LogboomError LB-S006. */
export function armedFailpoints(): readonly string[] {
  armed ??= parse(process.env[VARIABLE] ?? '')
  return [...armed.keys()]
}

function parse(text: string): ReadonlyMap<string, Armed> {
  const points = new Map<string, Armed>()
  for (const item of text.split(';')) {
    if (item.trim() === '') continue
    const [name, point] = parseItem(item.trim())
    points.set(name, point)
  }
  return points
}

function parseItem(item: string): [string, Armed] {
  const match = /^([^=]+)=(?:(kill|throw)|pause:(\d{1,9})(ms|s|m))(?:@(\d{1,9}))?$/.exec(item)
  if (match === null) throw misused(`\`${item}\` is not NAME=kill, NAME=throw or NAME=pause:500ms, each with @n or not`)
  const [, name, action, pause, unit, at] = match
  if (!Object.hasOwn(FAILPOINTS, name!)) throw misused(`there is no failpoint \`${name}\``)
  const pauseMs = pause === undefined ? 0 : Number(pause) * UNIT_MS[unit as keyof typeof UNIT_MS]
  const point = { action: (action ?? 'pause') as Armed['action'], pauseMs, hits: 0 }
  return [name!, { ...point, at: at === undefined ? undefined : Number(at) }]
}

function misused(reason: string): LogboomError {
  return new LogboomError('LB-S006', { reason: `${VARIABLE}: ${reason}` })
}
