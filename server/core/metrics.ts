/**
 * Every metric, in one table, and the plain counters behind it. The hot path adds to numbers; `server/admin/metrics.ts`
 * turns them into prom-client's text when asked. Labels come from the configuration only, never from events.
 */
import { Knocks } from './knocks.ts'

export interface MetricSpec {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly help: string
}

export const METRICS = {
  logboom_build_info: { kind: 'gauge', labels: ['version', 'node'], help: 'Always 1; the version runs in its labels.' },
  logboom_event_loop_delay_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'Longest time that the main thread kept its event loop waiting, within the last 30 to 60 seconds.',
  },
  logboom_input_events_total: {
    kind: 'counter',
    labels: ['input'],
    help: 'Events an input took and the buffer made durable.',
  },
  logboom_input_bytes_total: {
    kind: 'counter',
    labels: ['input'],
    help: 'Bytes an input read from its sockets or files.',
  },
  logboom_input_rejected_total: {
    kind: 'counter',
    labels: ['input', 'reason'],
    help: 'Messages or events an input refused, cut, or kept whole since it could not read them, by reason.',
  },
  logboom_input_connections: { kind: 'gauge', labels: ['input'], help: 'Connections that are open.' },
  logboom_input_files: { kind: 'gauge', labels: ['input'], help: 'Files that are followed.' },
  logboom_input_peer_chunks_total: {
    kind: 'counter',
    labels: ['input', 'direction'],
    help: 'Chunks of GELF messages between instances, by direction: handed_on to the owner of a message, or received.',
  },
  logboom_buffer_bytes: { kind: 'gauge', labels: [], help: 'Bytes of the chunk files on disk.' },
  logboom_buffer_limit_bytes: {
    kind: 'gauge',
    labels: [],
    help: 'Bytes at which inputs have to wait (buffer.max_size).',
  },
  logboom_buffer_chunks: { kind: 'gauge', labels: [], help: 'Chunk files on disk.' },
  logboom_buffer_duplicates_total: {
    kind: 'counter',
    labels: [],
    help: 'Streams acknowledged without being stored again, since their chunk id was known.',
  },
  logboom_buffer_damaged_events: {
    kind: 'gauge',
    labels: [],
    help: 'Events that recovery found damaged when the buffer was opened.',
  },
  logboom_output_events_total: {
    kind: 'counter',
    labels: ['output', 'result'],
    help: 'Events an output is done with, by result: delivered, dead, dropped, joined (part of another event).',
  },
  logboom_filter_errors_total: {
    kind: 'counter',
    labels: ['output', 'reason'],
    help: 'Times a filter of an output could not do what it should, by reason; the events were kept.',
  },
  logboom_output_damaged_events_total: {
    kind: 'counter',
    labels: ['output'],
    help: 'Events an output had to pass over, since they were damaged on disk.',
  },
  logboom_output_lag_events: {
    kind: 'gauge',
    labels: ['output'],
    help: 'Events stored that an output is not done with.',
  },
  logboom_output_oldest_event_age_seconds: {
    kind: 'gauge',
    labels: ['output'],
    help: 'Age of the oldest event that an output is not done with.',
  },
  logboom_output_retries_total: {
    kind: 'counter',
    labels: ['output', 'reason'],
    help: 'Times a batch or a part of it had to be tried again, by reason.',
  },
  logboom_output_blocked: { kind: 'gauge', labels: ['output'], help: '1 while an output waits for an operator.' },
  logboom_delivery_latency_seconds: {
    kind: 'histogram',
    labels: ['output'],
    help: 'Time from durable in the buffer to accepted by the destination, a batch at a time.',
  },
  logboom_dead_letters: { kind: 'gauge', labels: ['output'], help: 'Events in the dead-letter store of an output.' },
  logboom_dead_letters_removed_total: {
    kind: 'counter',
    labels: ['output', 'result'],
    help: 'Dead letters that left the store of an output: replayed, when the destination took them, or discarded.',
  },
  logboom_ledger_unaccounted_events: {
    kind: 'gauge',
    labels: ['output'],
    help: 'Received less delivered, buffered, dead, dropped, joined and unmatched: must be 0.',
  },
} as const satisfies Record<string, MetricSpec>

export type MetricName = keyof typeof METRICS

/** Upper bounds of the latency histogram, in seconds. */
export const LATENCY_BUCKETS_S = [0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600, 3600] as const

/** Why an input refuses something. Every reason is a label value, so the list is closed. */
export const REJECT_REASONS = [
  'malformed',
  'oversize',
  'bomb',
  'truncated',
  'bad_event',
  'bad_tag',
  'too_many_connections',
  'denied',
  'unauthorized',
  'tls',
  'idle',
  'unsupported',
  'buffer',
  'wrong_protocol',
  'unparsed',
  'kernel_drop',
  'chunk_missing',
  'chunk_limit',
  'unknown_peer',
  'bad_signature',
  'stale',
  'peer_unreachable',
] as const
export type RejectReason = (typeof REJECT_REASONS)[number]

/** Why a filter could not do what it should. Every reason is a label value, so the list is closed. */
export const FILTER_REASONS = [
  /** A field does not read as its format says. */
  'not_parsed',
  'bad_time',
  /** Over a limit of size, depth or count. */
  'too_large',
  /** A tag that cannot be one. */
  'bad_tag',
  /** What was to be joined was handed on without its end: the time was up, or too much waited. */
  'join_timeout',
  'join_limit',
  /** A fault of Logboom: please report it. */
  'fault',
] as const
export type FilterReason = (typeof FILTER_REASONS)[number]

export const PEER_DIRECTIONS = ['handed_on', 'received'] as const
export type PeerDirection = (typeof PEER_DIRECTIONS)[number]

/** One input's counters: plain numbers on the main thread. */
export interface InputStats {
  /** Counted when they are durable. */
  events: number
  bytes: number
  connections: number
  files: number
  /** What instances hand one another; see `protocols/gelf/peers`. */
  readonly peerChunks: Record<PeerDirection, number>
  readonly rejected: Record<RejectReason, number>
  /** Who was turned away of late, and why. */
  readonly knocks: Knocks
}

export function createInputStats(): InputStats {
  const rejected = Object.fromEntries(REJECT_REASONS.map((reason) => [reason, 0])) as Record<RejectReason, number>
  const peerChunks = { handed_on: 0, received: 0 }
  return { events: 0, bytes: 0, connections: 0, files: 0, peerChunks, rejected, knocks: new Knocks() }
}
