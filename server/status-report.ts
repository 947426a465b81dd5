/** Makes the one report of how things stand; it reads counters and changes nothing. */
import type { BufferStatus, EventBuffer } from '../buffer/buffer.ts'
import { RETRY_REASONS } from '../outputs/output.ts'
import type { Config } from './config/config.ts'
import { KNOCKS_MAX } from './core/knocks.ts'
import { FILTER_REASONS } from './core/metrics.ts'
import type { OutputStats } from './core/output-stats.ts'
import type { InputReport, KnockReport, OutputReport, RunState, StatusReport } from './core/status.ts'
import type { RunningInput, RunningOutput } from './pipeline.ts'
import { VERSION } from './version.ts'

export interface Parts {
  readonly config: Config
  readonly state: RunState
  readonly startedMs: number
  readonly inputs: ReadonlyMap<string, RunningInput>
  readonly outputs: ReadonlyMap<string, RunningOutput>
  readonly buffer: BufferStatus
}

/** Before it is opened nothing is known of it. */
const UNOPENED: BufferStatus = {
  ...{ bytes: 0, limitBytes: 0, chunks: 0, first: 0, next: 0, waiting: 0, duplicates: 0 },
  trouble: 'it is being opened, and what a crash left is put in order',
  recovered: { tornBytes: 0, damagedFrames: 0, damagedEvents: 0, quarantined: [] },
}

export const bufferStatus = (buffer: EventBuffer | undefined): BufferStatus => buffer?.status() ?? UNOPENED

export function reportStatus({ config, state, startedMs, inputs, outputs, buffer }: Parts): StatusReport {
  return {
    version: VERSION,
    node: config.node.id,
    pid: process.pid,
    state,
    reasons: notReady(state, buffer),
    startedMs,
    configFile: config.file,
    inputs: [...inputs.values()].map(reportInput),
    buffer,
    outputs: [...outputs.values()].map((output) => reportOutput(output, buffer)),
    doorbell: reportKnocks(inputs),
  }
}

function reportKnocks(inputs: Parts['inputs']): KnockReport[] {
  const all = [...inputs].flatMap(([input, { stats }]) => stats.knocks.list.map((knock) => ({ input, ...knock })))
  const latest = all.sort((a, b) => b.atMs - a.atMs).slice(0, KNOCKS_MAX)
  return latest.map(({ atMs, input, peer, code, text, count }) => {
    return { at: new Date(atMs).toISOString(), input, peer, code, text, count }
  })
}

function notReady(state: RunState, buffer: BufferStatus): string[] {
  const reasons: string[] = []
  if (state !== 'running') reasons.push(state)
  if (buffer.trouble !== undefined) reasons.push(`buffer: ${buffer.trouble}`)
  return reasons
}

function reportInput({ config, listener, stats }: RunningInput): InputReport {
  const { connections, events, bytes } = stats
  const rejected = Object.fromEntries(Object.entries(stats.rejected).filter(([, count]) => count > 0))
  const { name, type } = config
  return { name, type, addresses: listener.addresses, connections, events, bytes, rejected }
}

function reportOutput({ config, delivery }: RunningOutput, { next, isShared }: BufferStatus): OutputReport {
  const { stats } = delivery
  const { state, lastError } = delivery.state()
  const oldestMs = stats.get('oldestReceivedMs')
  const counts = RETRY_REASONS.map((reason) => [reason, stats.get(`retry_${reason}`)] as const)
  const filterErrors = FILTER_REASONS.map((reason) => [reason, stats.get(`filter_${reason}`)] as const)
  return {
    name: config.name,
    type: config.type,
    match: config.match,
    state,
    lastError,
    nextTryMs: stats.get('nextTryMs') || undefined,
    delivered: stats.get('delivered'),
    secondary: stats.get('secondary'),
    dead: stats.get('dead'),
    dropped: stats.get('dropped'),
    parked: stats.get('parked'),
    parkedEvents: stats.get('parkedEvents'),
    joined: stats.get('joined'),
    filterErrors: Object.fromEntries(filterErrors.filter(([, count]) => count > 0)),
    unmatched: stats.get('unmatched'),
    lagEvents: isShared ? stats.get('readerLag') : Math.max(0, next - stats.get('startPosition') - stats.countDone()),
    oldestAgeS: oldestMs > 0 ? Math.max(0, (Date.now() - oldestMs) / 1000) : undefined,
    deadLetters: stats.get('deadLetters'),
    stagedBytes: stats.get('stagedBytes'),
    unaccounted: unaccountedEvents(stats),
    retries: Object.fromEntries(counts.filter(([, count]) => count > 0)),
  }
}

/**
 * Events the cursor has passed that nobody counted: each is counted before the cursor moves, so this is 0 or a fault.
 */
export function unaccountedEvents(stats: OutputStats): number {
  // In the reverse order of the thread's writing: what is read later may only be further.
  const start = stats.get('startPosition')
  const cursor = stats.get('cursor')
  return Math.max(0, cursor - start - stats.countDone())
}
