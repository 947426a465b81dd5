/** Bulk bodies: the golden one, where they are cut, and what changes from stream to stream. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createBulkCursor, encodeBodies } from '../../../outputs/elasticsearch/bulk-body.ts'
import { parseIndexPattern } from '../../../outputs/elasticsearch/index-name.ts'
import { createPlainEvents } from '../../../outputs/elasticsearch/plain-events.ts'
import { createByteSink } from '../../../outputs/encoding/byte-sink.ts'
import type { Batch } from '../../../server/core/event.ts'
import { batchOf, EventTime, idsOf, makeBatch } from '../../conformance/make-batch.ts'

const SEQUENCE = { seed: 1, step: 2 }

function bodiesOf(batch: Batch, { limit = 1 << 20, pattern = 'logstash-%Y.%m.%d' } = {}) {
  const cursor = createBulkCursor(parseIndexPattern(pattern), SEQUENCE, createPlainEvents())
  const sink = createByteSink(16)
  return Array.from(encodeBodies(cursor, batch, sink, limit), (body) => ({
    ...body,
    text: Buffer.from(sink.bytes.subarray(0, sink.at)).toString(),
  }))
}

const actionsOf = (text: string): { _index: string; _id: string }[] =>
  text
    .split('\n')
    .filter((_, line) => line % 2 === 0)
    .slice(0, -1)
    .map((line) => JSON.parse(line).create)

const at = (iso: string) => EventTime.ofIso(iso)

test('the body of a batch is the golden one', () => {
  const batch = makeBatch([
    {
      tag: 'docker.web',
      idBase: 'abcdefghijklmno_',
      idIndex: 9,
      position: 1_000,
      events: [
        { time: at('2026-11-20T23:59:59.999999999Z'), record: { log: 'last "of" the day', source: 'stdout' } },
        { time: at('2026-11-21T00:00:00Z'), record: { log: 'first\n', n: 2n ** 63n - 1n } },
      ],
    },
    { tag: 'docker.db', idBase: 'ABCDEFGHIJKLMNO-', events: [{ time: 0, record: {} }] },
  ])
  const [body] = bodiesOf(batch)
  assert.equal(body!.text, readFileSync(new URL('../../golden/outputs/bulk.ndjson', import.meta.url), 'utf8'))
})

test('a body ends with the event that reaches the limit', () => {
  const batch = batchOf(...Array.from({ length: 10 }, (_, n) => ({ n, log: 'x'.repeat(400) })))
  const bodies = bodiesOf(batch, { limit: 1_500 })
  assert.deepEqual(
    bodies.map(({ first, count }) => [first, count]),
    [
      [0, 3],
      [3, 3],
      [6, 3],
      [9, 1],
    ],
  )
  const ids = bodies.flatMap(({ text }) => actionsOf(text).map(({ _id }) => _id))
  assert.deepEqual(ids, idsOf(batch))
})

test('bodies go on over the ends of streams', () => {
  const streams = Array.from({ length: 20 }, () => ({ events: [{ record: { log: 'x'.repeat(100) } }] }))
  const bodies = bodiesOf(makeBatch(streams), { limit: 1_000 })
  assert.equal(
    bodies.reduce((sum, { count }) => sum + count, 0),
    20,
  )
  assert.ok(bodies.every(({ count }) => count > 1))
})

test('ids follow their streams, whatever lengths their numbers have', () => {
  const record = { n: 1 }
  const batch = makeBatch([
    { idBase: 'a'.repeat(16), idIndex: 8, events: [{ record }, { record }, { record }] },
    { idBase: 'b'.repeat(16), idIndex: 4_294_967_295, events: [{ record }, { record }] },
    { idBase: 'short', events: [{ record }] },
    { idBase: 'a'.repeat(16), events: [{ record }] },
  ])
  assert.deepEqual(
    actionsOf(bodiesOf(batch)[0]!.text).map(({ _id }) => _id),
    idsOf(batch),
  )
})

test('the index follows the hour where the pattern has one', () => {
  const times = ['2026-11-20T10:59:59Z', '2026-11-20T11:00:00Z', '2026-11-20T10:00:00Z']
  const batch = makeBatch([{ events: times.map((time) => ({ time: at(time), record: {} })) }])
  const indices = actionsOf(bodiesOf(batch, { pattern: 'a-%d-%H' })[0]!.text).map(({ _index }) => _index)
  assert.deepEqual(indices, ['a-20-10', 'a-20-11', 'a-20-10'])
})

test('the index of an event does not depend on those before it', () => {
  const received = Date.UTC(2026, 10, 20, 12)
  const seconds = Array.from({ length: 40 }, (_, n) => received / 1000 - 400 * 86_400 + (n - 20) * 7_200)
  const alone = seconds.map((time) =>
    actionsOf(bodiesOf(makeBatch([{ receivedMs: received, events: [{ time, record: {} }] }]))[0]!.text),
  )
  const events = seconds.map((time) => ({ time, record: {} }))
  const together = actionsOf(bodiesOf(makeBatch([{ receivedMs: received, events }]))[0]!.text)
  assert.deepEqual(
    together.map(({ _index }) => _index),
    alone.map(([action]) => action!._index),
  )
})

test('the memory of a large event is given back with the next body', () => {
  const cursor = createBulkCursor(parseIndexPattern('a'), SEQUENCE, createPlainEvents())
  const sink = createByteSink(16)
  const sizes = (batch: Batch) => Array.from(encodeBodies(cursor, batch, sink, 1 << 20), () => sink.bytes.length)
  assert.ok(sizes(batchOf({ log: 'x'.repeat(4_000_000) }))[0]! > 20_000_000)
  assert.ok(sizes(batchOf({ n: 1 }))[0]! < 17_000_000)
})
