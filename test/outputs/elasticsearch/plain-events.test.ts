/** What the WebAssembly module writes, byte for byte beside what bulk-body.ts writes without it; and that it does. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createBulkCursor, encodeBodies } from '../../../outputs/elasticsearch/bulk-body.ts'
import { parseIndexPattern } from '../../../outputs/elasticsearch/index-name.ts'
import { createPlainEvents, type PlainEvents, writePlainEvents } from '../../../outputs/elasticsearch/plain-events.ts'
import { createByteSink, createTemplate } from '../../../outputs/encoding/byte-sink.ts'
import { createDocumentCursor, enterStream, readEventTime } from '../../../outputs/encoding/document.ts'
import type { Batch } from '../../../server/core/event.ts'
import { batchOf, EventTime, makeBatch, packTime, packValue, type StreamLike } from '../../conformance/make-batch.ts'

const pattern = parseIndexPattern('logstash-%Y.%m.%d')
const SEQUENCE = { seed: 1, step: 2 }

function bodiesOf(batch: Batch, plain: PlainEvents | undefined, limit = 1 << 20, sequence = SEQUENCE): string[] {
  const cursor = createBulkCursor(pattern, sequence, plain)
  const sink = createByteSink(16)
  return Array.from(encodeBodies(cursor, batch, sink, limit), ({ first, count }) => {
    return `${first} ${count}\n${Buffer.from(sink.bytes.subarray(0, sink.at)).toString('latin1')}`
  })
}

const plain = createPlainEvents()
assert.ok(plain !== undefined, 'this processor has SIMD')

function assertSame(batch: Batch, limit?: number, sequence?: typeof SEQUENCE): void {
  assert.deepEqual(bodiesOf(batch, plain, limit, sequence), bodiesOf(batch, undefined, limit, sequence))
}

/** How many events from the first on the module writes. */
function plainCount(batch: Batch): number {
  const document = createDocumentCursor(SEQUENCE)
  const [stream] = batch.streams
  const pos = enterStream(document, stream!)
  readEventTime(document, pos)
  const sink = createByteSink(16)
  return writePlainEvents(plain!, document, stream!, { event: 0, pos }, createTemplate('{'), sink, 1 << 20)
}

const head = (...bytes: number[]) => Uint8Array.from(bytes)
const str = (bytes: Uint8Array) =>
  Buffer.concat([bytes.length < 32 ? head(0xa0 | bytes.length) : head(0xda, bytes.length >> 8, bytes.length), bytes])
const mapOf = (pairs: readonly (readonly [Uint8Array, Uint8Array])[]) =>
  Buffer.concat([pairs.length < 16 ? head(0x80 | pairs.length) : head(0xde, 0, pairs.length), ...pairs.flat()])
const arrayOf = (items: readonly Uint8Array[]) =>
  Buffer.concat([items.length < 16 ? head(0x90 | items.length) : head(0xdc, 0, items.length), ...items])

const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 200 }) },
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(fc.constantFrom('"', '\\', '\n', '\u0000', '\u001f', '\u007f', 'a', 'é', '€', '😀'), { maxLength: 60 })
    .map((it) => it.join('')),
)
const bytes = fc.oneof({ weight: 8, arbitrary: text.map((it) => Buffer.from(it)) }, fc.uint8Array({ maxLength: 60 }))
const integer = fc.oneof(
  fc.integer({ min: -200, max: 300 }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
)
const scalar = fc.oneof(
  { weight: 6, arbitrary: bytes.map(str) },
  { weight: 3, arbitrary: integer.map(packValue) },
  fc.constantFrom(null, true, false, 1.5, Number.NaN).map(packValue),
  bytes.map((it) => packValue(Uint8Array.from(it))),
  fc.constant(packTime(new EventTime(1, 2))),
)
const { value } = fc.letrec<{ value: Uint8Array }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    { weight: 6, arbitrary: scalar },
    fc.array(tie('value'), { maxLength: 20 }).map(arrayOf),
    fc.array(fc.tuple(bytes.map(str), tie('value')), { maxLength: 17 }).map(mapOf),
  ),
}))
const ours = fc.constantFrom('tag', 'sequence', '@timestamp', 'sequel!!', '@time66666').map((it) => Buffer.from(it))
const key = fc.oneof({ weight: 12, arbitrary: bytes.map(str) }, ours.map(str), integer.map(packValue))
const record = fc.array(fc.tuple(key, value), { maxLength: 17 }).map(mapOf)
const eventTime = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.integer({ min: 0, max: 999_999_999 }).map((it) => packTime(new EventTime(1_795_176_000, it))),
  },
  fc.tuple(fc.nat(2 ** 31), fc.nat(2 ** 31)).map(([seconds, rest]) => packTime(new EventTime(seconds, rest))),
  fc.nat(2 ** 31).map(packTime),
)
const stream: fc.Arbitrary<StreamLike> = fc.record({
  tag: fc.oneof(fc.constant('docker.web'), text),
  events: fc.array(fc.record({ time: eventTime, record }), { minLength: 1, maxLength: 12 }),
  idIndex: fc.oneof(fc.nat(1_000), fc.nat(Number.MAX_SAFE_INTEGER)),
})

test('any events are the same bytes with the module and without it', () => {
  const limits = fc.constantFrom(1, 300, 4_000, 1 << 20)
  const property = fc.property(fc.array(stream, { minLength: 1, maxLength: 4 }), limits, (streams, limit) => {
    assertSame(makeBatch(streams), limit)
  })
  fc.assert(property, { numRuns: 200 })
})

test('texts of every length around the sixteen bytes, with every byte that is special', () => {
  const specials = ['', '"', '\\', '\n', '\u0001', 'ü', '\u007f', '\ud83d\ude00']
  const logs = specials.flatMap((special) =>
    Array.from({ length: 36 }, (_, length) => `${'x'.repeat(length)}${special}${'y'.repeat(length % 5)}`),
  )
  const batch = batchOf(...logs.map((log) => ({ log, [log]: 1 })))
  assertSame(batch)
  assert.equal(plainCount(batchOf(...logs.map((log) => ({ log })))), logs.length)
})

test('broken UTF-8 in any place is left to the other', () => {
  for (const broken of ['80', 'c0af', 'e08080', 'eda080', 'f4908080', 'c3', 'e282', 'f09f98', 'ff']) {
    const bad = (padding: number) => Buffer.concat([Buffer.alloc(padding, 'x'), Buffer.from(broken, 'hex')])
    const paddings = Array.from({ length: 20 }, (_, padding) => bad(padding))
    for (const log of paddings) assert.equal(plainCount(batchOf(mapOf([[str(Buffer.from('log')), str(log)]]))), 0)
    assertSame(batchOf(...paddings.map((log) => mapOf([[str(Buffer.from('log')), str(log)]]))))
  }
})

test('events that lie across slices, and those that no slice holds', () => {
  const sizes = [10, 1_000, 20_000, 60_000, 66_000, 100_000, 300_000]
  const logs = Array.from({ length: 60 }, (_, n) => `${n}"`.padEnd(sizes[n % sizes.length]!, 'z'))
  assertSame(batchOf(...logs.map((log) => ({ log }))))
  assertSame(batchOf(...Array.from({ length: 3_000 }, (_, n) => ({ n, log: 'x'.repeat(90) }))))
})

test('lines that grow six-fold do not leave the memory', () => {
  const log = '\u0001'.repeat(6_000)
  assertSame(batchOf(...Array.from({ length: 40 }, () => ({ log }))))
})

test('tags and index names that are too long for it', () => {
  assertSame(
    makeBatch([{ tag: '"'.repeat(8_000), events: [{ record: { a: 1 } }] }, { events: [{ record: { a: 1 } }] }]),
  )
})

test('sequences and ids as far as doubles count', () => {
  const events = Array.from({ length: 12 }, () => ({ record: {} }))
  const position = 999_999_995
  assertSame(makeBatch([{ position, events }]), 1 << 20, { seed: 0, step: 1 })
  assertSame(makeBatch([{ position, events, idIndex: 9_999_999_995 }]), 1 << 20, { seed: 7, step: 4_000_000 })
})

test('container events are plain, all of them', () => {
  const events = Array.from({ length: 50 }, (_, n) => ({
    container_id: 'f'.repeat(64),
    container_name: '/shop-web-1',
    source: 'stdout',
    log: `10.0.0.${n} "GET / HTTP/1.1" 200 "Mozilla/5.0 – ü"`,
    level: -n,
    nested: { labels: ['a', null, true, false], n: 2 ** 40 },
  }))
  assert.equal(plainCount(batchOf(...events)), 0, 'a number of 64 bits is not')
  const { length } = events
  assert.equal(
    plainCount(batchOf(...events.map((it) => ({ ...it, nested: { labels: ['a', null, true, false] } })))),
    length,
  )
})
