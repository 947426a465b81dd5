import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { BufferPool } from '../../../protocols/encoding/buffer-pool.ts'
import { Budget } from '../../../protocols/forward/budget.ts'
import { ForwardDecoder } from '../../../protocols/forward/decoder.ts'
import { InFlight } from '../../../protocols/forward/in-flight.ts'
import { Intake } from '../../../protocols/forward/intake.ts'
import { createMessage } from '../../../protocols/forward/message.ts'
import type { EventStream } from '../../../server/core/event.ts'
import { array, bin32, map, nil, str } from './encoding.ts'

interface Sent {
  readonly mode: 'message' | 'forward' | 'packed' | 'gzip'
  readonly tag: string
  readonly chunk: string | undefined
  readonly logs: readonly { readonly bad: boolean; readonly text: string; readonly repeat: number }[]
}

const anyMessage: fc.Arbitrary<Sent> = fc.record({
  mode: fc.constantFrom('message', 'forward', 'packed', 'gzip'),
  tag: fc.constantFrom('a', 'docker.web', 'x'.repeat(300)),
  chunk: fc.option(fc.string({ minLength: 1, maxLength: 40 }), { nil: undefined }),
  logs: fc.array(
    fc.record({
      bad: fc.constantFrom(false, false, false, true),
      text: fc.string({ maxLength: 20 }),
      repeat: fc.constantFrom(0, 1, 200, 20_000),
    }),
    { minLength: 1, maxLength: 6 },
  ),
})

const logOf = ({ text, repeat }: Sent['logs'][number]) => text + 'r'.repeat(repeat)

function encode({ mode, tag, chunk, logs }: Sent): Buffer {
  const option = chunk === undefined ? map({ size: nil }) : map({ chunk: str(chunk) })
  const pairs = logs.map((log) => [log.bad ? nil : Buffer.of(7), map({ log: str(logOf(log)) })] as const)
  if (mode === 'message') return array(str(tag), ...pairs[0]!, option)
  const entries = pairs.map((pair) => array(...pair))
  if (mode === 'forward') return array(str(tag), array(...entries), option)
  const packed = Buffer.concat(entries)
  return array(str(tag), bin32(mode === 'gzip' ? gzipSync(packed, { level: 1 }) : packed), option)
}

/** What has to come of it: the good records by tag, and the chunk ids. */
function expectedOf(messages: readonly Sent[]) {
  const byTag: Record<string, unknown[]> = {}
  for (const { mode, tag, logs } of messages) {
    for (const log of mode === 'message' ? logs.slice(0, 1) : logs) {
      if (!log.bad) (byTag[tag] ??= []).push({ log: logOf(log) })
    }
  }
  return { byTag, acks: messages.flatMap(({ chunk }) => (chunk === undefined ? [] : [chunk])) }
}

/**
 * Decodes and takes the bytes cut into pieces of these sizes. `emit` keeps each stream for some turns and looks at it
 * only then, so that memory that is used again too early shows.
 */
async function run(bytes: Buffer, sizes: readonly number[]) {
  const unpackr = new Unpackr({ mapsAsObjects: true })
  const streams: { tag: string; records: unknown[]; chunk: string | undefined }[] = []
  const acks: string[] = []
  const emit = async ({ tag, packed, count, chunkId }: EventStream) => {
    const slot = streams.push({ tag: '', records: [], chunk: undefined }) - 1
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    const events = unpackr.unpackMultiple(packed as Uint8Array) as unknown[][]
    assert.equal(events.length, count)
    const chunk = chunkId === undefined ? undefined : Buffer.from(chunkId).toString()
    streams[slot] = { tag: Buffer.from(tag).toString(), records: events.map(([, record]) => record), chunk }
  }
  const pool = new BufferPool()
  const inFlight = new InFlight({
    emit,
    budget: new Budget(),
    stored: () => {},
    acknowledge: (ack) => acks.push((unpackr.unpack(ack) as { ack: string }).ack),
    failed: (error) => assert.fail(String(error)),
    settled: () => {},
  })
  const openSpool = () => Promise.reject(new Error('nothing is so large'))
  const options = {
    inFlight,
    pool,
    openSpool,
    decompressionBytes: 1e9,
    peer: '',
    takesEventIds: false,
    leftOut: () => {},
  }
  const intake = new Intake(options)
  const decoder = new ForwardDecoder({ messageBytes: 1e9, mayHold: () => true, pool })
  const message = createMessage()
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length]!
    decoder.push(Buffer.from(bytes.subarray(at, at + size)))
    while (decoder.next(message) === 'message') assert.equal(intake.take(message, size), undefined)
    intake.flush()
    at += size
    if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  while (!inFlight.isEmpty) await new Promise((resolve) => setImmediate(resolve))
  const byTag: Record<string, unknown[]> = {}
  for (const { tag, records } of streams) (byTag[tag] ??= []).push(...records)
  return { byTag, acks }
}

test('whatever is sent, however it is cut: every good record once, in order, and every ack', async () => {
  const sizes = fc.array(fc.constantFrom(1, 7, 100, 1_000, 30_000, 65_536), { minLength: 1, maxLength: 4 })
  const property = fc.asyncProperty(
    fc.array(anyMessage, { minLength: 1, maxLength: 25 }),
    sizes,
    async (sent, cuts) => {
      const bytes = Buffer.concat(sent.map(encode))
      const pieces = bytes.length > 5_000 ? [...cuts, 10_000] : cuts
      assert.deepEqual(await run(bytes, pieces), expectedOf(sent))
    },
  )
  await fc.assert(property, { numRuns: 60 })
})
