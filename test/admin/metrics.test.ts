import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'
import { metricsText } from '../../server/admin/metrics.ts'
import { LATENCY_BUCKETS_S, METRICS } from '../../server/core/metrics.ts'
import { fakeSources, outputReport, statusReport } from './fake-sources.ts'

const { sources, input, output } = fakeSources()
Object.assign(input, { events: 12, bytes: 3_400, connections: 2 })
input.rejected.malformed = 1
output.set('delivered', 9)
output.set('dead', 2)
output.set('dropped', 1)
output.set('oldestReceivedMs', Date.now() - 60_000)
output.set('blocked', 1)
output.set('deadLetters', 2)
output.add('retry_throttled', 5)
for (const seconds of [0.004, 0.07, 0.08, 2, 99_999]) output.observeLatency(seconds)
sources.report = statusReport({ outputs: [outputReport('local', { unaccounted: -7, lagEvents: 4 })] })
const text = await metricsText(sources)
const sampleOf = (series: string) => {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${series} `))
  assert.ok(line, `${series} is missing`)
  return Number(line.slice(series.length + 1))
}

it('holds every metric of the table, with its kind and help, and no other', () => {
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => [name, kind])
  assert.deepEqual(
    types,
    Object.entries(METRICS).map(([name, { kind }]) => [name, kind]),
  )
  for (const [name, { help }] of Object.entries(METRICS)) assert.ok(text.includes(`# HELP ${name} ${help}\n`), name)
})

it('gives every series the labels of the table', () => {
  for (const [, series, labels] of text.matchAll(/^([a-z_]+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$/gm)) {
    const spec = METRICS[series as keyof typeof METRICS]
    const names = [...(labels ?? '').matchAll(/(\w+)="/g)].map(([, name]) => name).filter((name) => name !== 'le')
    assert.deepEqual(names, spec.labels, series)
  }
})

for (const [series, value] of [
  ['logboom_event_loop_delay_seconds', 0.125],
  ['logboom_input_events_total{input="forward"}', 12],
  ['logboom_input_bytes_total{input="forward"}', 3_400],
  ['logboom_input_rejected_total{input="forward",reason="malformed"}', 1],
  ['logboom_input_rejected_total{input="forward",reason="bomb"}', 0],
  ['logboom_input_connections{input="forward"}', 2],
  ['logboom_buffer_bytes', 4_096],
  ['logboom_buffer_limit_bytes', 2 ** 31],
  ['logboom_buffer_chunks', 1],
  ['logboom_buffer_duplicates_total', 3],
  ['logboom_output_events_total{output="local",result="delivered"}', 9],
  ['logboom_output_events_total{output="local",result="dead"}', 2],
  ['logboom_output_events_total{output="local",result="dropped"}', 1],
  ['logboom_output_lag_events{output="local"}', 4],
  ['logboom_output_retries_total{output="local",reason="throttled"}', 5],
  ['logboom_output_blocked{output="local"}', 1],
  ['logboom_dead_letters{output="local"}', 2],
  ['logboom_ledger_unaccounted_events{output="local"}', -7],
] as const) {
  it(`counts ${series}`, () => assert.equal(sampleOf(series), value))
}

it('gives the age in seconds', () => {
  const age = sampleOf('logboom_output_oldest_event_age_seconds{output="local"}')
  assert.ok(age >= 60 && age < 120, String(age))
})

it('gives the histogram cumulatively', () => {
  const bounds = [...LATENCY_BUCKETS_S, '+Inf']
  const counts = bounds.map((le) => sampleOf(`logboom_delivery_latency_seconds_bucket{output="local",le="${le}"}`))
  assert.deepEqual(counts, [1, 1, 3, 3, 3, 4, 4, 4, 4, 4, 5])
  assert.equal(sampleOf('logboom_delivery_latency_seconds_count{output="local"}'), 5)
})

const promtool = spawnSync('promtool', ['--version']).error === undefined
it('is clean for promtool', { skip: !promtool && 'promtool is not installed' }, () => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text })
  assert.deepEqual([status, `${stdout}${stderr}`], [0, ''])
})
