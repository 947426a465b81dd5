/** When events go to the secondary, what becomes of them there, and how the first destination comes back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutputError } from '../../outputs/output.ts'
import { OutputStats } from '../../server/core/output-stats.ts'
import { runDelivery } from '../../server/delivery/engine.ts'
import type { Health } from '../../server/delivery/health.ts'
import { makeBatch } from '../conformance/make-batch.ts'
import {
  type Answer,
  createFakeClock,
  createFakeDeadLetters,
  createFakeLogger,
  createFakeReader,
  createFakeWriter,
  settle,
} from './fakes.ts'

const ID = 'AAAAAAAAAAAAAAAA'
const down = () => new OutputError('retry', 'network', 'connection refused')
const locked = () => new OutputError('blocked', 'blocked', 'wrong password')
const times = (count: number, answer: () => Answer) => Array.from({ length: count }, answer)

/** Batches of one event each, unless it is said how many. */
function batchesOf(...counts: number[]) {
  let position = 0
  return counts.map((count) => {
    const events = Array.from({ length: count }, () => ({ record: {} }))
    const batch = makeBatch([{ events, position, idBase: ID, idIndex: position }])
    position += count
    return batch
  })
}

interface Bench {
  readonly counts?: readonly number[]
  readonly first: readonly Answer[]
  readonly second?: readonly Answer[]
  readonly retryLimit?: number
  readonly concurrency?: number
}

function start({ counts = [1], first, second = [], retryLimit, concurrency = 1 }: Bench) {
  const [clock, log, stats, journal] = [createFakeClock(), createFakeLogger(), new OutputStats(), [] as string[]]
  const batches = batchesOf(...counts)
  const reader = createFakeReader(batches, journal)
  const [writer, other] = [createFakeWriter(first), createFakeWriter(second)]
  const deadLetters = createFakeDeadLetters(journal)
  const healths: Health[] = []
  const stop = new AbortController()
  const running = runDelivery({
    ...{ output: 'search', reader, writer, deadLetters, stats, clock, log },
    secondary: { name: 'archive', writer: other, concurrency: 1, afterMs: 60_000 },
    retry: { limit: retryLimit, maxIntervalMs: 8_000, random: () => 0.999 },
    limits: { maxBytes: 1, maxEvents: 1, maxAgeMs: 1, concurrency },
    onHealth: (health) => healths.push(health),
    signal: stop.signal,
    abandon: new AbortController().signal,
  })
  async function finish(): Promise<void> {
    await clock.runUntil(reader.untilCommitted(batches.length))
    stop.abort()
    await clock.runUntil(running)
  }
  const counted = () => ['delivered', 'secondary', 'dead'].map((name) => stats.get(name as 'dead'))
  return { clock, log, stats, journal, reader, writer, other, deadLetters, healths, finish, counted, stop, running }
}

test('a batch that has used up its tries is handed over, with its ids', async () => {
  const bench = start({ first: times(3, down), retryLimit: 3 })
  await bench.finish()
  assert.deepEqual([bench.writer.writes.length, bench.other.accepted], [3, [`${ID}.0`]])
  assert.deepEqual([bench.counted(), bench.stats.get('startPosition'), bench.stats.get('cursor')], [[0, 1, 0], 0, 1])
  const codes = bench.log.lines.map(({ fields }) => (fields as { code?: string }).code)
  assert.ok(codes.includes('LB-P009'), codes.join())
})

test('without a retry limit it is used once the destination has failed so long, and then at once', async () => {
  const bench = start({ counts: [1, 1, 1], first: times(1_000, down) })
  await bench.clock.advance(59_000)
  assert.deepEqual(bench.counted(), [0, 0, 0])
  await bench.clock.runUntil(bench.reader.untilCommitted(3))
  assert.ok(bench.clock.monotonic() <= 61_000, `${bench.clock.monotonic()}`)
  await bench.finish()
  assert.deepEqual(bench.counted(), [0, 3, 0])
})

test('what only an operator can mend counts as failing too', async () => {
  const bench = start({ first: times(1_000, locked), retryLimit: 2 })
  await bench.clock.advance(60_000)
  await bench.finish()
  assert.deepEqual(bench.counted(), [0, 1, 0])
})

test('the destination is asked again meanwhile, and has the events from its first answer on', async () => {
  const bench = start({ counts: Array(200).fill(1), first: times(14, down) })
  const reading = bench.reader.read
  // One event a second, so that the back-off passes between them.
  bench.reader.read = async (limits, signal) => {
    await bench.clock.sleep(1_000, signal)
    return reading(limits, signal)
  }
  await bench.finish()
  const [delivered, secondary] = bench.counted()
  assert.equal(delivered! + secondary!, 200)
  assert.equal(bench.writer.writes.length, delivered! + 14, 'probes, and then all')
  assert.equal(bench.healths.at(-1)?.state, 'ok')
})

test('while neither takes anything both are tried; whichever is back first has the event, once', async () => {
  for (const [first, second, expected] of [
    [30, 1_000, [1, 0, 0]],
    [1_000, 20, [0, 1, 0]],
  ] as const) {
    const bench = start({ first: times(first, down), second: times(second, down) })
    await bench.finish()
    assert.deepEqual(bench.counted(), expected)
    assert.ok(bench.healths.some(({ lastError }) => lastError === 'connection refused'))
    assert.equal(bench.writer.accepted.length + bench.other.accepted.length, 1)
  }
})

test('what the secondary refuses for good are dead letters of the first, durable before the cursor moves', async () => {
  const refusal = { rejected: [{ index: 1, reason: 'too_large', detail: 'no' }], pending: [] }
  const bench = start({ counts: [3], first: times(1, down), second: [refusal], retryLimit: 1 })
  await bench.finish()
  assert.deepEqual(bench.counted(), [0, 2, 1])
  assert.deepEqual(bench.journal.slice(0, 2), ['dead 1', 'commit 0'])
  assert.deepEqual(
    bench.deadLetters.letters.map(({ reason, detail }) => [reason, detail]),
    [['too_large', 'secondary `archive`: no']],
  )
  assert.equal(bench.stats.get('dead_too_large'), 1)
})

test('the cursor does not move while the secondary writes', async () => {
  const written = Promise.withResolvers<{ rejected: []; pending: [] }>()
  const bench = start({ first: [down()], second: [() => written.promise], retryLimit: 1 })
  await settle()
  assert.deepEqual([bench.journal, bench.other.writes.length], [[], 1])
  written.resolve({ rejected: [], pending: [] })
  await bench.finish()
  assert.deepEqual(bench.journal, ['commit 0', 'flush'])
})
