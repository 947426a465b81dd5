import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Batch, Position } from '../../../server/core/event.ts'
import { OutputStats } from '../../../server/core/output-stats.ts'
import { runDelivery } from '../../../server/delivery/engine.ts'
import { FilteringReader } from '../../../server/delivery/filters/filtering-reader.ts'
import { openChain } from '../../../server/delivery/filters/open-chain.ts'
import { loadText } from '../../config/load-text.ts'
import { makeBatch } from '../../conformance/make-batch.ts'
import {
  createFakeClock,
  createFakeDeadLetters,
  createFakeLogger,
  createFakeReader,
  createFakeWriter,
  settle,
} from '../fakes.ts'

const piece = (log: string, ordinal: number, last = false) => ({
  record: {
    log,
    ...{ partial_message: 'true', partial_id: 'p', partial_ordinal: String(ordinal), partial_last: String(last) },
  },
})
const plain = (log: string) => ({ record: { log } })

/** Batches of these events, one after the other. */
function batchesOf(...lists: readonly (readonly { readonly record: object }[])[]): Batch[] {
  let position = 0
  return lists.map((events) => {
    const records = events.map(({ record }) => ({ record: { ...record } }))
    const batch = makeBatch([{ events: records, position, idBase: 'AAAAAAAAAAAAAAAA', idIndex: position }])
    position += events.length
    return batch
  })
}

async function start(filters: string, batches: readonly Batch[], { script = [] as Error[] } = {}) {
  const { config } = await loadText(`inputs: {}\nfilters:\n  ${filters}\noutputs: { store: { url: x } }\n`)
  const clock = createFakeClock()
  const journal: string[] = []
  const stats = new OutputStats()
  const inner = createFakeReader(batches, journal)
  const commit = inner.commit.bind(inner)
  const held: Position[][] = []
  inner.commit = (batch, waiting = []) => {
    held.push([...waiting])
    commit(batch)
  }
  const orders = config.filters.map(({ filter, ...order }) => order)
  const chain = await openChain(orders, { monotonic: clock.monotonic, count: (it) => stats.add(`filter_${it}`, 1) })
  const writer = createFakeWriter(script)
  const stop = new AbortController()
  const running = runDelivery({
    output: 'search',
    reader: new FilteringReader({ reader: inner, chain, stats, clock }),
    writer,
    deadLetters: createFakeDeadLetters(journal),
    stats,
    clock,
    log: createFakeLogger(),
    retry: { limit: undefined, maxIntervalMs: 60_000, random: () => 0.5 },
    limits: { maxBytes: 1, maxEvents: 1, maxAgeMs: 1, concurrency: 1 },
    onHealth: () => {},
    signal: stop.signal,
    abandon: new AbortController().signal,
  })
  async function finish(): Promise<void> {
    stop.abort()
    await clock.runUntil(running)
  }
  const accepted = () => writer.accepted.map((id) => Number(id.split('.')[1]))
  return { clock, journal, stats, inner, held, writer, accepted, finish }
}

const JOIN = '- join: docker'

test('a line over two batches: the first is committed but for the piece, which is done with the second', async () => {
  const bench = await start(JOIN, batchesOf([plain('x'), piece('a', 1)], [piece('b', 2, true), plain('y')]))
  await bench.clock.runUntil(bench.inner.untilCommitted(2))
  assert.deepEqual(bench.journal, ['commit 0', 'finish 1', 'commit 2'])
  assert.deepEqual(
    [bench.held, bench.accepted()],
    [
      [[1], []],
      [0, 1, 3],
    ],
  )
  assert.deepEqual([bench.stats.get('delivered'), bench.stats.get('joined')], [3, 1])
  await bench.finish()
})

test('while the second batch cannot be written, the piece of the first is not done', async () => {
  const down = new Error('down')
  const bench = await start(JOIN, batchesOf([piece('a', 1)], [piece('b', 2, true)]), { script: [down, down] })
  await settle()
  await bench.clock.advance(400)
  assert.deepEqual([bench.journal, bench.held], [['commit 0'], [[0]]])
  await bench.clock.runUntil(bench.inner.untilCommitted(2))
  assert.deepEqual(bench.journal, ['commit 0', 'finish 0', 'commit 1'])
  await bench.finish()
})

test('without more events a timer hands on what waits', async () => {
  const bench = await start(JOIN, batchesOf([piece('a', 1)]))
  await settle()
  await bench.clock.advance(4_999)
  assert.deepEqual(bench.accepted(), [])
  await bench.clock.advance(1)
  await settle()
  assert.deepEqual([bench.accepted(), bench.journal], [[0], ['commit 0', 'finish 0']])
  assert.deepEqual([bench.stats.get('delivered'), bench.stats.get('filter_join_timeout')], [1, 1])
  await bench.finish()
})

test('a stop leaves what waits in the buffer', async () => {
  const bench = await start(JOIN, batchesOf([plain('x'), piece('a', 1)]))
  await settle()
  await bench.finish()
  assert.deepEqual([bench.accepted(), bench.held], [[0], [[1]]])
  assert.deepEqual(bench.journal, ['commit 0', 'flush'])
})

test('what is stored already is read before the time of a line is up, however long nothing was read', async () => {
  const down = Array.from({ length: 6 }, () => new Error('down'))
  const bench = await start(JOIN, batchesOf([piece('a', 1), plain('x')], [piece('b', 2, true)]), { script: down })
  await bench.clock.runUntil(bench.inner.untilCommitted(2))
  assert.ok(bench.clock.monotonic() > 5_000, `${bench.clock.monotonic()} ms`)
  assert.deepEqual([bench.accepted(), bench.stats.get('filter_join_timeout')], [[1, 0], 0])
  await bench.finish()
})

test('a batch of which all is dropped is committed at once, and counted before', async () => {
  const drop = '- grep: { exclude: [{ key: log, pattern: x }] }'
  const bench = await start(drop, batchesOf([plain('x'), plain('x')], [plain('y'), plain('x')]))
  await bench.clock.runUntil(bench.inner.untilCommitted(2))
  assert.deepEqual([bench.writer.writes.length, bench.accepted()], [1, [2]])
  assert.deepEqual([bench.stats.get('dropped'), bench.stats.get('delivered')], [3, 1])
  await bench.finish()
})
