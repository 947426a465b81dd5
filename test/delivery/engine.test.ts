import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutputError, type Rejection } from '../../outputs/output.ts'
import type { Batch } from '../../server/core/event.ts'
import { OutputStats } from '../../server/core/output-stats.ts'
import { DeadLettersFullError } from '../../server/delivery/dead-letters.ts'
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
  type FakeClock,
  settle,
} from './fakes.ts'

const ID = 'AAAAAAAAAAAAAAAA'

/** Batches of so many events each; event n of all has the id ID.n. */
function batchesOf(...counts: number[]): Batch[] {
  let position = 0
  return counts.map((count) => {
    const events = Array.from({ length: count }, (_, index) => ({ record: { n: position + index } }))
    const batch = makeBatch([{ events, position, idBase: ID, idIndex: position }])
    position += count
    return batch
  })
}

const numbers = (ids: readonly string[]) => ids.map((id) => Number(id.slice(ID.length + 1)))
const refuse = (...indexes: number[]): Rejection[] =>
  indexes.map((index) => ({ index, reason: 'mapping', detail: `will not take ${index}` }))
const down = () => new OutputError('retry', 'network', 'connection refused')
const pause = (retryAfterMs: number) => new OutputError('retry', 'throttled', 'too many requests', { retryAfterMs })
const locked = () => new OutputError('blocked', 'blocked', 'wrong password')
const tooLarge = () => new OutputError('split', 'too_large', '413 content too large')
const pending = (...indexes: number[]) => ({ rejected: [], pending: indexes, pendingReason: 'throttled' as const })

interface Bench {
  readonly batches?: readonly Batch[]
  readonly script?: readonly Answer[]
  readonly concurrency?: number
  readonly retryLimit?: number
  readonly retryMaxIntervalMs?: number
  readonly deadLetterFaults?: Error[]
  readonly random?: number
  readonly stats?: OutputStats
}

function start({ batches = batchesOf(4), script = [], concurrency = 1, random = 0.5, ...rest }: Bench) {
  const clock: FakeClock = createFakeClock()
  const journal: string[] = []
  const reader = createFakeReader(batches, journal)
  const writer = createFakeWriter(script)
  const deadLetters = createFakeDeadLetters(journal, rest.deadLetterFaults)
  const stats = rest.stats ?? new OutputStats()
  const log = createFakeLogger()
  const healths: Health[] = []
  const stop = new AbortController()
  const abandon = new AbortController()
  const running = runDelivery({
    output: 'search',
    reader,
    writer,
    deadLetters,
    stats,
    clock,
    log,
    retry: { limit: rest.retryLimit, maxIntervalMs: rest.retryMaxIntervalMs ?? 60_000, random: () => random },
    limits: { maxBytes: 1, maxEvents: 1, maxAgeMs: 1, concurrency },
    onHealth: (health) => healths.push(health),
    signal: stop.signal,
    abandon: abandon.signal,
  })
  const dead = () => numbers(deadLetters.letters.map((it) => it.id))
  const delivered = () => [...new Set(numbers(writer.accepted))].sort((a, b) => a - b)
  async function finish(): Promise<void> {
    await clock.runUntil(reader.untilCommitted(batches.length))
    stop.abort()
    await clock.runUntil(running)
  }
  return {
    ...{ clock, journal, reader, writer, deadLetters, stats, log, healths, stop, abandon, running },
    ...{ dead, delivered, finish },
  }
}

const FAULTS: readonly {
  readonly name: string
  readonly bench: Bench
  readonly delivered: number[]
  readonly dead?: number[]
  /** Numbers of the events of each write. */
  readonly writes: number[][]
  readonly reason?: string
  readonly retries?: Partial<Record<'network' | 'throttled' | 'blocked' | 'other', number>>
}[] = [
  { name: 'all is accepted', bench: {}, delivered: [0, 1, 2, 3], writes: [[0, 1, 2, 3]] },
  {
    name: 'refused events die, their neighbours are delivered',
    bench: { script: [{ rejected: refuse(1, 3), pending: [] }] },
    delivered: [0, 2],
    dead: [1, 3],
    writes: [[0, 1, 2, 3]],
    reason: 'mapping',
  },
  {
    name: 'pending events are tried again alone',
    bench: { script: [pending(0, 2), pending(1)] },
    delivered: [0, 1, 2, 3],
    writes: [[0, 1, 2, 3], [0, 2], [2]],
    retries: { throttled: 2 },
  },
  {
    name: 'all at once: accepted, refused, pending',
    bench: {
      script: [
        { rejected: refuse(0), pending: [1, 3] },
        { rejected: refuse(1), pending: [] },
      ],
    },
    delivered: [1, 2],
    dead: [0, 3],
    writes: [
      [0, 1, 2, 3],
      [1, 3],
    ],
    reason: 'mapping',
    retries: { other: 1 },
  },
  {
    name: 'a fault of the network: the whole batch again',
    bench: { script: [down(), down()] },
    delivered: [0, 1, 2, 3],
    writes: [
      [0, 1, 2, 3],
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ],
    retries: { network: 2 },
  },
  {
    name: 'an error nobody foresaw: the whole batch again',
    bench: { script: [new TypeError('x is not a function')] },
    delivered: [0, 1, 2, 3],
    writes: [
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ],
    retries: { other: 1 },
  },
  {
    name: 'an answer that names an event which is not there counts as none',
    bench: { script: [pending(4), pending(2, 1), { rejected: refuse(1), pending: [1] }] },
    delivered: [0, 1, 2, 3],
    writes: [
      [0, 1, 2, 3],
      [0, 1, 2, 3],
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ],
    retries: { other: 3 },
  },
  {
    name: 'a batch refused whole is halved until the culprit stands alone',
    bench: { script: [tooLarge(), tooLarge(), { rejected: [], pending: [] }, tooLarge()] },
    delivered: [0, 2, 3],
    dead: [1],
    writes: [[0, 1, 2, 3], [0, 1], [0], [1], [2, 3]],
    reason: 'too_large',
  },
  {
    name: 'a blocked output never costs an event, whatever the limit',
    bench: { script: [locked(), locked(), locked(), locked()], retryLimit: 2 },
    delivered: [0, 1, 2, 3],
    writes: Array.from({ length: 5 }, () => [0, 1, 2, 3]),
    retries: { blocked: 4 },
  },
  {
    name: 'a blocked output never costs an event, even where nothing is tried twice',
    bench: { script: [locked()], retryLimit: 0 },
    delivered: [0, 1, 2, 3],
    writes: [
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ],
    retries: { blocked: 1 },
  },
  {
    name: 'a part that is blocked costs no try either',
    bench: { script: [{ rejected: [], pending: [1], pendingReason: 'blocked' }], retryLimit: 0 },
    delivered: [0, 1, 2, 3],
    writes: [[0, 1, 2, 3], [1]],
    retries: { blocked: 1 },
  },
  {
    name: 'the retry limit sends what is left to the dead letters',
    bench: { script: [pending(1, 2), down(), down()], retryLimit: 3 },
    delivered: [0, 3],
    dead: [1, 2],
    writes: [
      [0, 1, 2, 3],
      [1, 2],
      [1, 2],
    ],
    reason: 'retry_limit',
    retries: { throttled: 1, network: 2 },
  },
]

for (const row of FAULTS)
  test(row.name, async () => {
    const bench = start(row.bench)
    await bench.finish()
    assert.deepEqual(bench.writer.writes.map(numbers), row.writes)
    assert.deepEqual(bench.delivered(), row.delivered)
    assert.deepEqual(bench.dead(), row.dead ?? [])
    if (row.reason !== undefined) assert.equal(bench.deadLetters.letters[0]!.reason, row.reason)
    assert.equal(bench.stats.get('delivered'), row.delivered.length)
    assert.equal(bench.stats.get('dead'), row.dead?.length ?? 0)
    for (const reason of ['network', 'throttled', 'blocked', 'other', 'timeout', 'unavailable'] as const)
      assert.equal(bench.stats.get(`retry_${reason}`), (row.retries as Record<string, number>)?.[reason] ?? 0, reason)
  })

test('a dead letter carries the event, the words of the destination and how often it was tried', async () => {
  const bench = start({ script: [down(), { rejected: refuse(2), pending: [] }] })
  await bench.finish()
  const { entry, ...letter } = bench.deadLetters.letters[0]!
  assert.deepEqual(letter, {
    position: 2,
    id: `${ID}.2`,
    tag: 'docker.web',
    receivedMs: bench.clock.now() - bench.clock.monotonic(),
    refusedMs: letter.refusedMs,
    attempts: 2,
    reason: 'mapping',
    detail: 'will not take 2',
  })
  assert.equal(Buffer.from(entry).toString('hex').slice(-6), 'a16e02')
})

test('dead letters are durable before the batch is committed, and the cursor at the end', async () => {
  const bench = start({ batches: batchesOf(2, 1), script: [{ rejected: refuse(0, 1), pending: [] }] })
  await bench.finish()
  assert.deepEqual(bench.journal, ['dead 0,1', 'commit 0', 'commit 2', 'flush'])
})

test('dead letters that cannot be kept block the output; what was accepted is not sent again', async () => {
  const bench = start({
    script: [{ rejected: refuse(0), pending: [] }],
    deadLetterFaults: [new DeadLettersFullError('its dead letters are full'), new Error('no space left on device')],
  })
  await settle()
  assert.equal(bench.stats.get('blocked'), 1)
  assert.deepEqual(bench.healths, [
    { state: 'blocked', lastError: 'cannot keep a refused event: its dead letters are full' },
  ])
  await bench.finish()
  assert.equal(bench.writer.writes.length, 1)
  assert.deepEqual(bench.dead(), [0])
  assert.equal(bench.stats.get('blocked'), 0)
  assert.deepEqual(bench.healths.at(-1), { state: 'ok', lastError: undefined })
})

test('health says what the destination said, and that it is over', async () => {
  const bench = start({ script: [down(), locked()] })
  await bench.finish()
  assert.deepEqual(bench.healths, [
    { state: 'retrying', lastError: 'connection refused' },
    { state: 'blocked', lastError: 'wrong password' },
    { state: 'ok', lastError: undefined },
  ])
  assert.deepEqual(
    bench.log.lines.map(({ level, fields }) => [level, (fields as { code?: string }).code]),
    [
      ['warn', 'LB-O002'],
      ['warn', 'LB-O001'],
      ['info', undefined],
    ],
  )
})

test('what the destination says of an event goes with the event, not into the log', async () => {
  const quote = { index: 1, reason: 'mapping', detail: 'failed to parse [secret words]' }
  const bench = start({ script: [{ rejected: [quote], pending: [] }] })
  await bench.finish()
  assert.equal(bench.deadLetters.letters[0]!.detail, 'failed to parse [secret words]')
  assert.equal((bench.log.lines[0]!.fields as { code?: string }).code, 'LB-O003')
  assert.doesNotMatch(JSON.stringify(bench.log.lines), /secret words/)
})

test('the wait doubles with each failure, and what the destination asks for is heeded', async () => {
  const bench = start({ script: [down(), down(), pause(5_000), pause(86_400_000)] })
  const waits: number[] = []
  for (let tries = 1; tries <= 4; tries++) {
    while (bench.writer.writes.length < tries) await bench.clock.advance(25)
    await settle()
    waits.push(bench.stats.get('nextTryMs') - bench.clock.now())
    await bench.clock.advance(waits.at(-1)! - 25)
    assert.equal(bench.writer.writes.length, tries)
  }
  await bench.finish()
  assert.deepEqual(waits, [525, 1_025, 5_000, 600_000])
})

test('several batches are in flight, and each is committed when it is done', async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const hold = (index: number) => async () => {
    await gates[index]!.promise
    return { rejected: [], pending: [] }
  }
  const bench = start({ batches: batchesOf(1, 1, 1), script: [hold(0), hold(1), hold(2)], concurrency: 2 })
  await settle()
  assert.deepEqual(bench.writer.writes.map(numbers), [[0], [1]])
  gates[1]!.resolve()
  await settle()
  assert.deepEqual(bench.journal, ['commit 1'])
  gates[0]!.resolve()
  gates[2]!.resolve()
  await bench.finish()
  assert.deepEqual(bench.journal, ['commit 1', 'commit 0', 'commit 2', 'flush'])
})

test('while the destination is down one probe goes out; afterwards more and more', async () => {
  let isDown = true
  let inFlight = 0
  const seen: number[] = []
  const answer: Answer = async () => {
    inFlight += 1
    seen.push(inFlight)
    for (let rounds = 0; rounds < 4; rounds++) await settle()
    inFlight -= 1
    if (isDown) throw down()
    return { rejected: [], pending: [] }
  }
  const bench = start({
    batches: batchesOf(...Array(40).fill(1)),
    script: Array(1_000).fill(answer),
    concurrency: 8,
  })
  for (let rounds = 0; rounds < 8; rounds++) await settle()
  assert.equal(Math.max(...seen), 8)
  seen.length = 0
  await bench.clock.advance(300_000)
  assert.equal(Math.max(...seen), 1, 'one probe at a time')
  assert.ok(seen.length < 40, `${seen.length} probes in five minutes`)
  isDown = false
  seen.length = 0
  await bench.finish()
  assert.equal(seen[0], 1)
  assert.ok(seen[1]! <= 2, 'two after the first success')
  assert.equal(Math.max(...seen), 8)
})

test('a stop while it waits ends at once and commits nothing', async () => {
  for (const fault of [down(), locked(), pending(0, 1, 2, 3)]) {
    const bench = start({ script: Array(9).fill(fault) })
    await settle()
    await bench.clock.advance(2_000)
    bench.stop.abort()
    await bench.running
    assert.deepEqual(bench.journal, ['flush'])
  }
})

test('a stop waits for the write that is out', async () => {
  const gate = Promise.withResolvers<void>()
  const answer = async () => {
    await gate.promise
    return { rejected: [], pending: [] }
  }
  const bench = start({ batches: batchesOf(2, 2), script: [answer] })
  await settle()
  bench.stop.abort()
  await settle()
  gate.resolve()
  await bench.running
  assert.deepEqual(bench.journal, ['commit 0', 'flush'])
})

test('a stop lets a batch of which a part was accepted go on until it is abandoned', async () => {
  const bench = start({ script: [pending(1), down(), down(), down(), down(), down(), down()] })
  await settle()
  await bench.clock.advance(600)
  bench.stop.abort()
  await settle()
  await bench.clock.advance(2_000)
  const writes = bench.writer.writes.length
  assert.ok(writes > 2, `${writes} writes`)
  bench.abandon.abort()
  await bench.running
  assert.deepEqual(bench.journal, ['flush'])
  assert.equal(bench.stats.get('delivered'), 0)
})

test('what is abandoned reaches the writer, and its batch is not committed', async () => {
  const answer: Answer = (_batch, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const bench = start({ script: [answer] })
  await settle()
  bench.stop.abort()
  bench.abandon.abort()
  await bench.running
  assert.deepEqual(bench.journal, ['flush'])
  assert.equal(bench.stats.get('retry_other'), 0)
})

test('a reader that fails ends the delivery with its error', async () => {
  const clock = createFakeClock()
  const reader = createFakeReader([])
  const broken = { ...reader, read: () => Promise.reject(new Error('EIO')) }
  const parts = { reader: broken, writer: createFakeWriter([]), deadLetters: createFakeDeadLetters() }
  const never = new AbortController().signal
  await assert.rejects(
    runDelivery({
      ...parts,
      output: 'x',
      stats: new OutputStats(),
      clock,
      log: createFakeLogger(),
      retry: { limit: undefined, maxIntervalMs: 60_000, random: () => 0 },
      limits: { maxBytes: 1, maxEvents: 1, maxAgeMs: 1, concurrency: 1 },
      onHealth: () => {},
      signal: never,
      abandon: never,
    }),
    /EIO/,
  )
})

test('the latency is the time from receipt to acceptance, once for each batch', async () => {
  const bench = start({ batches: batchesOf(3, 2), script: [down()], random: 0 })
  await bench.finish()
  assert.equal(bench.stats.get('latencyCount'), 2)
  assert.ok(Math.abs(bench.stats.get('latencySumS') - 0.1) < 1e-9, `${bench.stats.get('latencySumS')}`)
})

test('no wait is longer than retry_max_interval', async () => {
  const script = Array.from({ length: 6 }, down)
  const bench = start({ batches: batchesOf(1), script, random: 1 - Number.EPSILON, retryMaxIntervalMs: 2_000 })
  await bench.finish()
  assert.equal(Math.round(bench.stats.get('latencySumS')), 1 + 5 * 2)
})

test('the ledger balances, and begins anew for a thread that follows one that died', async () => {
  const stats = new OutputStats()
  const first = start({ batches: batchesOf(3, 2), script: [{ rejected: refuse(0), pending: [] }], stats })
  await first.finish()
  const counted = () => stats.get('delivered') + stats.get('dead')
  const passed = () => stats.get('cursor') - stats.get('startPosition')
  assert.deepEqual([counted(), passed()], [5, 5])
  const again = start({ batches: batchesOf(3, 2, 4), stats })
  await again.finish()
  assert.deepEqual([counted(), passed()], [14, 14])
})
