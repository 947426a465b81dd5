/**
 * What every output must do, whatever its destination. An output passes it with a way to open it and a way to read
 * back.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OutputContext, Writer } from '../../outputs/output.ts'
import { OutputError } from '../../outputs/output.ts'
import { systemClock } from '../../server/core/clock.ts'
import type { Batch } from '../../server/core/event.ts'
import type { Logger } from '../../server/core/log.ts'
import { OutputStats } from '../../server/core/output-stats.ts'
import { batchOf, EventTime, makeBatch, type RecordLike } from './make-batch.ts'

/** One run of a test: a fresh destination. */
export interface OutputBench {
  readonly writer: Writer
  /** Everything the destination holds, in the order of `sequence`, as JSON.parse gives it; integers may be rounded. */
  read(): Promise<Readonly<Record<string, unknown>>[]>
  /** The same documents as the JSON text that arrived, where the destination keeps it. */
  readText?(): Promise<string>
  close(): Promise<void>
}

export interface OutputSuite {
  readonly name: string
  /** Opens the output against an empty destination of its own. */
  readonly open: (context: OutputContext) => Promise<OutputBench>
  /** The destination holds one copy of a batch that is written twice. */
  readonly dedupes: boolean
  /** Tests that this destination cannot pass, since it refuses such records, or has times of receipt of its own. */
  readonly refuses?: readonly ('own_timestamp' | 'receive_time')[]
  /** What the destination keeps of a time. Default: nanoseconds. */
  readonly precision?: 'nanoseconds' | 'milliseconds'
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

export function outputContext(directory = '/nonexistent'): OutputContext {
  const own = { name: 'it', node: 'testbox', sequence: { seed: 1, step: 2 }, directory }
  return { ...own, log: silent, clock: systemClock, stats: new OutputStats() }
}

const never = new AbortController().signal

/** Registers the suite's tests for one output. */
export function testOutput({ name, open, dedupes, refuses = [], precision = 'nanoseconds' }: OutputSuite): void {
  const kept = (time: string) => (precision === 'nanoseconds' ? time : time.replace(/(\.\d{3})\d{6}Z$/, '$1Z'))
  const check = (title: string, run: (bench: OutputBench) => Promise<void>) =>
    test(`${name}: ${title}`, async () => {
      const bench = await open(outputContext())
      try {
        await run(bench)
      } finally {
        await bench.writer.close()
        await bench.close()
      }
    })
  const arrives = (title: string, record: RecordLike, expected: object) =>
    check(title, async ({ writer, read }) => {
      await accepted(writer, batchOf(record))
      const [document] = await read()
      const { '@timestamp': _time, tag: _tag, sequence: _sequence, ...own } = document!
      assert.deepEqual(own, expected)
    })

  check('every event arrives with its keys, its time, its tag and its sequence', async ({ writer, read }) => {
    const events = (from: number) =>
      Array.from({ length: 300 }, (_, index) => ({
        time: new EventTime(1_795_176_000 + index, index),
        record: { log: `line ${from + index}`, n: from + index },
      }))
    const streams = [
      { tag: 'docker.web', position: 1_000, events: events(0) },
      { tag: 'docker.db', events: events(300) },
      { tag: 'docker.web', position: 5_000, events: events(600) },
    ]
    await accepted(writer, makeBatch(streams))
    const found = await read()
    const expected = streams.flatMap(({ tag, position = 1_300, events: list }) =>
      list.map(({ time, record }, index) => ({
        ...record,
        '@timestamp': kept(new Date(time.seconds * 1000).toISOString().replace('000Z', `${padded(time.nanoseconds)}Z`)),
        tag,
        sequence: 1 + (position + index) * 2,
      })),
    )
    assert.deepEqual(found, expected)
  })

  check('an empty record arrives with what is put beside it', async ({ writer, read }) => {
    await accepted(writer, batchOf({}))
    const time = kept('2026-11-20T12:00:00.123456789Z')
    assert.deepEqual(await read(), [{ '@timestamp': time, tag: 'docker.web', sequence: 1 }])
  })

  if (!refuses.includes('own_timestamp')) {
    check("a record's own keys win", async ({ writer, read }) => {
      const own = { '@timestamp': '2020-01-02T03:04:05.000Z', tag: 'mine', sequence: 7 }
      await accepted(writer, batchOf(own))
      assert.deepEqual(await read(), [own])
    })
  }

  arrives('nested values', { a: { b: [1, { c: 'd' }, null, true] } }, { a: { b: [1, { c: 'd' }, null, true] } })
  arrives('quotes, newlines and control characters', { log: 'a"b\\c\nd\u0001\u007f' }, { log: 'a"b\\c\nd\u0001\u007f' })
  arrives('text of all planes', { log: 'żółć 漢字 🪵' }, { log: 'żółć 漢字 🪵' })
  arrives('NaN as null', { x: Number.NaN, y: 1 }, { x: null, y: 1 })
  arrives('bytes that are text', { raw: Buffer.from('héllo') }, { raw: 'héllo' })
  arrives('invalid UTF-8 as U+FFFD', Buffer.from('81a36c6f67a468ff69c3', 'hex'), { log: 'h\ufffdi\ufffd' })
  arrives('a string of 1 MB', { log: 'x'.repeat(1_000_000) }, { log: 'x'.repeat(1_000_000) })

  check('int64 and uint64 exactly', async ({ writer, read, readText }) => {
    await accepted(writer, batchOf({ big: 2n ** 53n + 1n, huge: 2n ** 63n - 1n, low: -(2n ** 63n) }))
    if (readText === undefined) {
      assert.equal((await read()).length, 1)
      return
    }
    const text = await readText()
    for (const digits of ['9007199254740993', '9223372036854775807', '-9223372036854775808']) {
      assert.ok(text.includes(digits), `${digits} in ${text}`)
    }
  })

  if (!refuses.includes('receive_time')) {
    check(
      'an event without a time, or with one that cannot be, has the time it was received',
      async ({ writer, read }) => {
        const times = [0, -5, 1_795_176_000_000, new EventTime(0, 5)]
        const events = times.map((time, n) => ({ time, record: { n } }))
        await accepted(writer, makeBatch([{ receivedMs: Date.UTC(2026, 10, 20, 9, 8, 7, 6), events }]))
        assert.deepEqual(
          (await read()).map((document) => document['@timestamp']),
          Array(times.length).fill(kept('2026-11-20T09:08:07.006000000Z')),
        )
      },
    )
  }

  check('a batch that is written twice', async ({ writer, read }) => {
    const batch = batchOf({ n: 1 }, { n: 2 })
    await accepted(writer, batch)
    await accepted(writer, batch)
    assert.equal((await read()).length, dedupes ? 2 : 4)
  })

  check('a write whose signal has aborted settles, and what rejects it is retryable', async ({ writer, read }) => {
    const failure = await writer.write(batchOf({ n: 1 }), AbortSignal.abort()).then(
      () => undefined,
      (error) => error,
    )
    if (failure !== undefined) {
      assert.ok(failure instanceof OutputError, String(failure))
      assert.equal(failure.fault, 'retry')
    }
    await accepted(writer, makeBatch([{ position: 10, events: [{ record: { n: 2 } }] }]))
    assert.ok((await read()).some((document) => document.n === 2))
  })

  test(`${name}: closing twice is closing once`, async () => {
    const bench = await open(outputContext())
    await bench.writer.close()
    await bench.writer.close()
    await bench.close()
  })
}

const padded = (nanoseconds: number) => String(nanoseconds).padStart(9, '0')

async function accepted(writer: Writer, batch: Batch): Promise<void> {
  assert.deepEqual(await writer.write(batch, never), { rejected: [], pending: [] })
}
