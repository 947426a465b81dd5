/** The measuring tools themselves: what the load generator sends and what the sink counts must be beyond doubt. */
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Packr } from 'msgpackr'
import { startLoad } from '../e2e/load-run.ts'
import { type BulkSink, startBulkSink } from '../load/bulk-sink.ts'
import { timestampOf } from '../load/container-events.ts'
import { createMessageSource, MODES, type Mode } from '../load/forward-messages.ts'

const SECONDS = 1_795_000_000
const packr = new Packr({ useRecords: false, int64AsType: 'number' })
const sourceOf = (mode: Mode, batch: number) =>
  createMessageSource({
    mode,
    connection: 7,
    tag: 'docker.web',
    batch,
    lineBytes: 120,
    ack: true,
    startSeconds: SECONDS,
  })

interface Seen {
  readonly seconds: number
  readonly nanos: number
  readonly log: string
}

/** Element 1 and what follows, whatever the mode, as times and log lines. */
function eventsOf(mode: Mode, message: Buffer): { events: Seen[]; options: Record<string, unknown> } {
  // EventTime is an extension of type 0, which msgpackr has no value for: turned into a plain binary of its 8 bytes.
  const plain = (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replaceAll('\xd7\x00', '\xc4\x08'), 'latin1')
  const toSeen = (time: Buffer, record: { log: string }) => ({
    seconds: time.readUInt32BE(0),
    nanos: time.readUInt32BE(4),
    log: record.log,
  })
  if (mode === 'message') {
    const [, time, record, options] = packr.unpack(plain(message))
    return { events: [toSeen(time, record)], options }
  }
  const [, entries, options] = mode === 'forward' ? packr.unpack(plain(message)) : packr.unpack(message)
  if (mode === 'forward')
    return { events: entries.map(([time, record]: [Buffer, { log: string }]) => toSeen(time, record)), options }
  const packed = packr.unpackMultiple(plain(mode === 'gzip' ? gunzipSync(entries) : entries)) as [
    Buffer,
    { log: string },
  ][]
  return { events: packed.map(([time, record]) => toSeen(time, record)), options }
}

describe('the load generator', () => {
  for (const mode of MODES) {
    test(`${mode} mode: numbers, times and options are what they say`, () => {
      const batch = mode === 'message' ? 1 : 40
      const source = sourceOf(mode, batch)
      const buffer = Buffer.alloc(source.maxBytes + 7)
      for (const first of [0, 999_980, 123_456_789]) {
        const count = mode === 'message' ? 1 : 33
        const end = source.write(buffer, 7, first, count)
        const { events, options } = eventsOf(mode, buffer.subarray(7, end))
        assert.equal(events.length, count)
        for (const [index, event] of events.entries()) {
          const n = first + index
          assert.ok(event.log.includes(`?id=07-${String(n).padStart(9, '0')} HTTP`), event.log)
          const millis = new Date(event.seconds * 1000).toISOString().slice(0, 19)
          assert.equal(`${millis}.${String(event.nanos).padStart(9, '0')}Z`, timestampOf(n, SECONDS))
        }
        assert.equal(options.compressed, mode === 'gzip' ? 'gzip' : undefined)
        const ack = packr.pack({ ack: options.chunk })
        // msgpackr writes a string of 24 bytes as fixstr, as every server does; its map header is one of 16 bits.
        assert.equal(
          source.isAck(Buffer.concat([Buffer.from([0x81]), ack.subarray(ack.indexOf(0xa3))]), 0, first),
          true,
        )
        assert.equal(source.isAck(Buffer.alloc(30), 0, first), false)
      }
    })
  }

  test('opens a lost connection again and sends what was not acknowledged, byte for byte', async (t) => {
    const received: string[] = []
    let cut = 3
    const port = await startAcker(t, (socket, message, ack) => {
      received.push(message)
      if (cut-- === 0) socket.destroy()
      else socket.write(ack)
    })
    const report = await startLoad({ port, events: 1_000, batch: 100, connections: 1, window: 1, reconnect: 5_000 })
      .report
    assert.equal(report.acked, 1_000)
    assert.equal(report.resent, 100)
    assert.equal(received.length, 11)
    assert.equal(received[3], received[4], 'the same bytes')
  })

  test('a wrong ack fails it', async (t) => {
    const port = await startAcker(t, (socket, _message, ack) => {
      ack[ack.length - 1] = 0x7a
      socket.write(ack)
    })
    await assert.rejects(startLoad({ port, events: 1_000, connections: 1 }).report, /not the ack of event 0/)
  })
})

type Context = { after(end: () => unknown): void }

/** Hands out each message whose chunk id has come, with the ack for it. */
async function startAcker(t: Context, take: (socket: Socket, message: string, ack: Buffer) => void): Promise<number> {
  const server = createServer((socket) => {
    let text = ''
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      for (let at = text.indexOf('\xa5chunk\xb8'); at !== -1 && at + 31 <= text.length; ) {
        const ack = Buffer.concat([
          Buffer.from([0x81, 0xa3]),
          Buffer.from(`ack\xb8${text.slice(at + 7, at + 31)}`, 'latin1'),
        ])
        const message = text.slice(0, at + 31)
        text = text.slice(at + 31)
        at = text.indexOf('\xa5chunk\xb8')
        take(socket, message, ack)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return (server.address() as { port: number }).port
}

const documentOf = (n: number) =>
  `{"create":{"_index":"logs","_id":"key.${n}"}}\n{"log":"GET /?id=04-${String(n).padStart(9, '0')} HTTP"}\n`
const post = (sink: BulkSink, body: string) => fetch(`${sink.url}/_bulk`, { method: 'POST', body })

describe('the bulk sink', () => {
  test('counts documents however the body is cut', async (t) => {
    const sink = await startBulkSink()
    t.after(() => sink.close())
    const body = Array.from({ length: 5_000 }, (_, n) => documentOf(n)).join('')
    const answer = await post(sink, body)
    assert.deepEqual(await answer.json(), { errors: false })
    assert.equal(answer.headers.get('x-elastic-product'), 'Elasticsearch')
    assert.equal(sink.stats.documents, 5_000)
    assert.equal(sink.stats.bytes, body.length)
  })

  test('keyed: a known id is a conflict, and each number is counted', async (t) => {
    const sink = await startBulkSink({ keyed: true })
    t.after(() => sink.close())
    await post(sink, documentOf(0) + documentOf(2))
    const answer = (await (await post(sink, documentOf(2) + documentOf(3))).json()) as { items: unknown[] }
    assert.deepEqual(answer.items[1], { create: { status: 201 } })
    assert.deepEqual([...sink.seen(4)], [1, 0, 1, 1])
    const { documents, conflicts, uniqueIds, duplicateIds } = sink.stats
    assert.deepEqual([documents, conflicts, uniqueIds, duplicateIds], [3, 1, 3, 0])
  })

  test('fails on demand: refuses, stores without an answer, goes away and comes back', async (t) => {
    const sink = await startBulkSink()
    t.after(() => sink.close())
    sink.fault(429, 1)
    assert.equal((await post(sink, documentOf(1))).status, 429)
    assert.equal(sink.stats.documents, 0)
    sink.cut(1)
    await assert.rejects(post(sink, documentOf(1)))
    assert.equal(sink.stats.documents, 1)
    const back = sink.down(100)
    await assert.rejects(post(sink, documentOf(2)))
    await back
    assert.equal((await post(sink, documentOf(2))).status, 200)
  })
})
