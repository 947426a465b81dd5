import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OutputError, type Rejection, type WriteResult } from '../../outputs/output.ts'
import type { Batch } from '../../server/core/event.ts'
import { OutputStats } from '../../server/core/output-stats.ts'
import { runDelivery } from '../../server/delivery/engine.ts'
import { idsOf, makeBatch } from '../conformance/make-batch.ts'
import {
  createFakeClock,
  createFakeDeadLetters,
  createFakeLogger,
  createFakeReader,
  createFakeWriter,
  type FakeDeadLetters,
} from './fakes.ts'

/** What the destination does with one write; `mixed` gives each event a fate of its own. */
const act = fc.oneof(
  fc.constantFrom('accept' as const, 'down' as const, 'blocked' as const, 'slow down' as const, 'fault' as const),
  fc.record({ mixed: fc.array(fc.constantFrom('accept', 'reject', 'pending'), { minLength: 1, maxLength: 8 }) }),
)
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never

const stream = fc.record({ tag: fc.constantFrom('a', 'b.c'), count: fc.integer({ min: 1, max: 5 }), gap: fc.nat(3) })
const world = fc.record({
  batches: fc.array(fc.array(stream, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 }),
  acts: fc.array(act, { maxLength: 25 }),
  /** A write that holds an event of these positions is refused whole. */
  poison: fc.uniqueArray(fc.nat(60), { maxLength: 4 }),
  deadLetterFaults: fc.nat(3),
  concurrency: fc.integer({ min: 1, max: 4 }),
  retryLimit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  draws: fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 10 }),
})
type World = typeof world extends fc.Arbitrary<infer T> ? T : never

/** Batches of the streams, with positions in between that do not match. */
function makeBatches({ batches }: World): Batch[] {
  let position = 0
  return batches.map((streams) => {
    const from = position
    const parts = streams.map(({ tag, count, gap }) => {
      const events = Array.from({ length: count }, (_, index) => ({ record: { n: position + index } }))
      const part = { tag, events, position }
      position += count + gap
      return part
    })
    return { ...makeBatch(parts), from, to: position }
  })
}

const positionsOf = (batch: Batch) =>
  batch.streams.flatMap((it) => Array.from({ length: it.count }, (_, index) => it.position + index))

function answer(batch: Batch, does: Act, poison: readonly number[]): WriteResult {
  if (does === 'down') throw new OutputError('retry', 'network', 'down')
  if (does === 'blocked') throw new OutputError('blocked', 'blocked', 'no permission')
  if (does === 'slow down') throw new OutputError('retry', 'throttled', 'slow down', { retryAfterMs: 90_000 })
  if (does === 'fault') throw new RangeError('a fault of the output')
  if (positionsOf(batch).some((it) => poison.includes(it))) throw new OutputError('split', 'too_large', '413')
  if (does === 'accept') return { rejected: [], pending: [] }
  const fates = idsOf(batch).map((_, index) => does.mixed[index % does.mixed.length])
  const rejected = fates.flatMap((it, index): Rejection[] =>
    it === 'reject' ? [{ index, reason: 'refused', detail: 'no' }] : [],
  )
  return { rejected, pending: fates.flatMap((it, index) => (it === 'pending' ? [index] : [])) }
}

async function run(it: World) {
  const batches = makeBatches(it)
  const clock = createFakeClock()
  const deadLetters = createFakeDeadLetters(
    [],
    Array.from({ length: it.deadLetterFaults }, () => new Error('disk full')),
  )
  const reader = createFakeReader(batches)
  const commit = reader.commit.bind(reader)
  const deadAtCommit = new Map<Batch, Set<string>>()
  reader.commit = (batch) => {
    deadAtCommit.set(batch, new Set(deadLetters.letters.map((letter) => letter.id)))
    commit(batch)
  }
  const script = [...it.acts, ...Array<Act>(2_000).fill('accept')]
  const writer = createFakeWriter(script.map((does) => (batch: Batch) => answer(batch, does, it.poison)))
  const stats = new OutputStats()
  const stop = new AbortController()
  let draw = 0
  const running = runDelivery({
    output: 'model',
    reader,
    writer,
    deadLetters,
    stats,
    clock,
    log: createFakeLogger(),
    retry: { limit: it.retryLimit, maxIntervalMs: 60_000, random: () => it.draws[draw++ % it.draws.length]! },
    limits: { maxBytes: 1, maxEvents: 1, maxAgeMs: 1, concurrency: it.concurrency },
    onHealth: () => {},
    signal: stop.signal,
    abandon: new AbortController().signal,
  })
  await clock.runUntil(reader.untilCommitted(batches.length))
  stop.abort()
  await clock.runUntil(running)
  return { batches, writer, deadLetters, stats, deadAtCommit }
}

function checkReasons({ poison, retryLimit }: World, { letters }: FakeDeadLetters): void {
  for (const letter of letters) {
    if (letter.reason === 'too_large') assert.ok(poison.includes(letter.position), 'only the culprit is refused whole')
    else if (letter.reason === 'retry_limit') assert.ok(retryLimit !== undefined && letter.attempts >= retryLimit)
    else assert.equal(letter.reason, 'refused')
  }
}

test('whatever the destination does, every event is delivered or dead, once, and every batch committed', async () => {
  await fc.assert(
    fc.asyncProperty(world, async (it) => {
      const { batches, writer, deadLetters, stats, deadAtCommit } = await run(it)
      const dead = deadLetters.letters.map((letter) => letter.id)
      const all = batches.flatMap(idsOf)
      assert.deepEqual([...writer.accepted, ...dead].sort(), all.sort())
      assert.deepEqual([stats.get('delivered'), stats.get('dead')], [writer.accepted.length, dead.length])
      assert.ok(writer.mostInFlight <= it.concurrency)
      for (const batch of batches) {
        const durable = deadAtCommit.get(batch)!
        assert.ok(
          idsOf(batch).every((id) => !dead.includes(id) || durable.has(id)),
          'dead letters first, then the cursor',
        )
      }
      checkReasons(it, deadLetters)
    }),
    { numRuns: 150 },
  )
})
