/** Turns the plain counters into Prometheus' text. What there is to count stands in `server/core/metrics.ts`. */
import { type Metric, Registry } from 'prom-client'
import {
  FILTER_REASONS,
  LATENCY_BUCKETS_S,
  METRICS,
  type MetricName,
  PEER_DIRECTIONS,
  REJECT_REASONS,
} from '../core/metrics.ts'
import type { OutputCounter, OutputStats } from '../core/output-stats.ts'
import type { StatusReport } from '../core/status.ts'
import type { AdminSources } from './sources.ts'

interface Sample {
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
  /** Differs from the metric's own name in a histogram. */
  readonly metricName?: string
}

/** One look at the server, so that all metrics of a scrape agree. */
interface Scrape {
  readonly sources: AdminSources
  readonly report: StatusReport
  readonly nowMs: number
}
type Sampler = (scrape: Scrape) => readonly Sample[]

const RETRY_REASONS = ['network', 'timeout', 'throttled', 'unavailable', 'blocked', 'other'] as const
const REMOVED = ['replayed', 'discarded'] as const
const RESULTS = ['delivered', 'dead', 'dropped', 'joined'] as const

const single = (value: number): readonly Sample[] => [{ labels: {}, value }]

function eachInput(of: (stats: ReturnType<typeof inputStats>[number]['stats']) => number): Sampler {
  return (scrape) => inputStats(scrape).map(({ name, stats }) => ({ labels: { input: name }, value: of(stats) }))
}
function inputStats(scrape: Scrape) {
  return [...scrape.sources.inputs()]
}

function eachOutput(of: (stats: OutputStats, nowMs: number) => number): Sampler {
  return ({ sources, nowMs }) =>
    [...sources.outputs()].map(({ name, stats }) => ({ labels: { output: name }, value: of(stats, nowMs) }))
}

function outputsBy<K extends string>(label: string, keys: readonly K[], counterOf: (key: K) => OutputCounter): Sampler {
  return ({ sources }) =>
    [...sources.outputs()].flatMap(({ name, stats }) =>
      keys.map((key) => ({ labels: { output: name, [label]: key }, value: stats.get(counterOf(key)) })),
    )
}

function rejected(scrape: Scrape): readonly Sample[] {
  return inputStats(scrape).flatMap(({ name, stats }) =>
    REJECT_REASONS.map((reason) => ({ labels: { input: name, reason }, value: stats.rejected[reason] })),
  )
}

function peerChunks(scrape: Scrape): readonly Sample[] {
  return inputStats(scrape).flatMap(({ name, stats }) =>
    PEER_DIRECTIONS.map((direction) => ({ labels: { input: name, direction }, value: stats.peerChunks[direction] })),
  )
}

function oldestAgeSeconds(stats: OutputStats, nowMs: number): number {
  const receivedMs = stats.get('oldestReceivedMs')
  return receivedMs > 0 ? Math.max(0, (nowMs - receivedMs) / 1000) : 0
}

function latency({ sources }: Scrape): readonly Sample[] {
  return [...sources.outputs()].flatMap(({ name, stats }) => latencyOf(name, stats))
}

function latencyOf(output: string, stats: OutputStats): readonly Sample[] {
  const metric = 'logboom_delivery_latency_seconds'
  const counts = stats.latencyBuckets()
  const count = stats.get('latencyCount')
  let below = 0
  const buckets = LATENCY_BUCKETS_S.map((bound, index) => {
    below += counts[index] ?? 0
    return { labels: { output, le: bound }, value: below, metricName: `${metric}_bucket` }
  })
  return [
    ...buckets,
    // The output's thread adds while we read: a bucket must never hold more than the whole.
    { labels: { output, le: '+Inf' }, value: Math.max(below, count), metricName: `${metric}_bucket` },
    { labels: { output }, value: stats.get('latencySumS'), metricName: `${metric}_sum` },
    { labels: { output }, value: Math.max(below, count), metricName: `${metric}_count` },
  ]
}

const SAMPLERS: Record<MetricName, Sampler> = {
  logboom_build_info: ({ sources }) => [
    { labels: { version: sources.version, node: process.versions.node }, value: 1 },
  ],
  logboom_event_loop_delay_seconds: ({ sources }) => single(sources.eventLoopDelaySeconds()),
  logboom_input_events_total: eachInput((stats) => stats.events),
  logboom_input_bytes_total: eachInput((stats) => stats.bytes),
  logboom_input_rejected_total: rejected,
  logboom_input_connections: eachInput((stats) => stats.connections),
  logboom_input_files: eachInput((stats) => stats.files),
  logboom_input_peer_chunks_total: peerChunks,
  logboom_buffer_bytes: ({ sources }) => single(sources.buffer().bytes),
  logboom_buffer_limit_bytes: ({ sources }) => single(sources.buffer().limitBytes),
  logboom_buffer_chunks: ({ sources }) => single(sources.buffer().chunks),
  logboom_buffer_duplicates_total: ({ sources }) => single(sources.buffer().duplicates),
  logboom_buffer_damaged_events: ({ sources }) => single(sources.buffer().recovered.damagedEvents),
  logboom_output_events_total: outputsBy('result', RESULTS, (result) => result),
  logboom_filter_errors_total: outputsBy('reason', FILTER_REASONS, (reason) => `filter_${reason}` as const),
  logboom_output_damaged_events_total: eachOutput((stats) => stats.get('damaged')),
  logboom_output_lag_events: ({ report }) =>
    report.outputs.map((output) => ({ labels: { output: output.name }, value: output.lagEvents })),
  logboom_output_oldest_event_age_seconds: eachOutput(oldestAgeSeconds),
  logboom_output_retries_total: outputsBy('reason', RETRY_REASONS, (reason) => `retry_${reason}` as const),
  logboom_output_blocked: eachOutput((stats) => (stats.get('blocked') === 0 ? 0 : 1)),
  logboom_delivery_latency_seconds: latency,
  logboom_dead_letters: eachOutput((stats) => stats.get('deadLetters')),
  logboom_dead_letters_removed_total: outputsBy('result', REMOVED, (result) => result),
  logboom_ledger_unaccounted_events: ({ report }) =>
    report.outputs.map((output) => ({ labels: { output: output.name }, value: output.unaccounted })),
}

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

/** Prometheus' text format 0.0.4, every metric of the table in its order. */
export async function metricsText(sources: AdminSources): Promise<string> {
  const registry = new Registry()
  const scrape: Scrape = { sources, report: sources.status(), nowMs: Date.now() }
  for (const [name, { help, kind }] of Object.entries(METRICS) as [MetricName, (typeof METRICS)[MetricName]][]) {
    const get = async () => ({ name, help, type: kind, aggregator: 'sum', values: SAMPLERS[name](scrape) })
    // The registry only calls `get`; prom-client's own classes would keep a second copy of every number.
    registry.registerMetric({ name, get } as unknown as Metric)
  }
  return registry.metrics()
}
