/** What every buffer must do, whatever lies below: run against each implementation by its own test file. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { EventBuffer, OpenReader, Reader } from '../../buffer/buffer.ts'
import type { Batch, EventStream } from '../../server/core/event.ts'
import { idsOf, LIMITS, NO_SIGNAL, numbersOf, stream } from '../buffer/harness.ts'

/** One place where a buffer keeps its events, which outlives the buffer that is open. */
export interface BufferPlace {
  open(options?: { maxSizeBytes?: number }): Promise<EventBuffer>
  readonly openReader: OpenReader
  dispose(): Promise<void>
}

interface Bench {
  readonly place: BufferPlace
  buffer: EventBuffer
  read(output: string, matches?: (tag: string) => boolean): Promise<Reader>
  reopen(): Promise<void>
}

const everything = () => true
const READ_ONE = { ...LIMITS, maxEvents: 1 }

async function appendAll(buffer: EventBuffer, streams: readonly EventStream[]): Promise<void> {
  await Promise.all(streams.map((each) => buffer.append(each)))
}

async function readNumbers(reader: Reader, count: number): Promise<{ numbers: number[]; batches: Batch[] }> {
  const batches: Batch[] = []
  for (let got = 0; got < count; got += batches.at(-1)!.count) batches.push(await reader.read(LIMITS, NO_SIGNAL))
  return { numbers: batches.flatMap(numbersOf), batches }
}

function upTo(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}

/** `cannot`: titles of what a buffer cannot do by its nature, each with the reason; the rest must hold. */
export function bufferConformance(
  name: string,
  makePlace: () => Promise<BufferPlace>,
  cannot: Readonly<Record<string, string>> = {},
): void {
  const unknown = new Set(Object.keys(cannot))
  const check = (title: string, run: (bench: Bench) => Promise<void>) => {
    unknown.delete(title)
    test(title, { skip: cannot[title] ?? false }, async () => {
      const place = await makePlace()
      const readers: Reader[] = []
      const bench: Bench = {
        place,
        buffer: await place.open(),
        async read(output, matches = everything) {
          const reader = await place.openReader(await bench.buffer.seat(output), matches)
          readers.push(reader)
          return reader
        },
        async reopen() {
          for (const reader of readers.splice(0)) await reader.close()
          await bench.buffer.close()
          bench.buffer = await place.open()
        },
      }
      try {
        await run(bench)
      } finally {
        for (const reader of readers) await reader.close()
        await bench.buffer.close()
        await place.dispose()
      }
    })
  }
  describe(`buffer: ${name}`, () => {
    describe('what is appended is read', () => {
      readingCases(check)
    })
    describe('cursors', () => {
      cursorCases(check)
    })
    describe('identity and duplicates', () => {
      identityCases(check)
    })
    describe('marks', () => {
      markCases(check)
    })
    describe('limits', () => {
      limitCases(check)
    })
    test('what is left out is a case', () => assert.deepEqual([...unknown], []))
  })
}

type Check = (title: string, run: (bench: Bench) => Promise<void>) => void

function readingCases(check: Check): void {
  check('in order, byte for byte, with positions without gaps', async ({ buffer, read }) => {
    const streams = upTo(50).map((index) => stream(index * 3, 3, { tag: `app.${index % 4}`, padBytes: index * 40 }))
    await appendAll(buffer, streams)
    const { batches } = await readNumbers(await read('out'), 150)
    const parts = batches.flatMap((batch) => batch.streams)
    assert.deepEqual(
      parts.map((part) => [part.tag, part.position, part.count]),
      streams.map((each, index) => [Buffer.from(each.tag).toString(), index * 3, 3]),
    )
    for (const [index, part] of parts.entries())
      assert.ok(Buffer.from(streams[index]!.packed as Buffer).equals(part.packed))
  })

  check('a reader that waits is woken, and takes part of its time to gather more', async ({ buffer, read }) => {
    const reader = await read('out')
    const waiting = reader.read({ ...LIMITS, maxAgeMs: 10_000, maxEvents: 4 }, NO_SIGNAL)
    await buffer.append(stream(0, 2))
    await buffer.append(stream(2, 2))
    assert.deepEqual(numbersOf(await waiting), [0, 1, 2, 3])
  })

  check('a read that is aborted rejects with the reason and loses nothing', async ({ buffer, read }) => {
    const reader = await read('out')
    const stop = new AbortController()
    const waiting = reader.read({ ...LIMITS, maxAgeMs: 60_000 }, stop.signal)
    await buffer.append(stream(0, 2))
    stop.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    assert.deepEqual(numbersOf(await reader.read(LIMITS, NO_SIGNAL)), [0, 1])
  })

  check('what is larger than a batch is handed out whole', async ({ buffer, read }) => {
    const large = stream(0, 100, { padBytes: 60_000 })
    await buffer.append(large)
    const batch = await (await read('out')).read({ ...LIMITS, maxBytes: 10 }, NO_SIGNAL)
    assert.ok(Buffer.from(large.packed as Buffer).equals(batch.streams[0]!.packed))
  })

  check('the memory of batches in flight stays theirs', async ({ buffer, read }) => {
    await appendAll(
      buffer,
      upTo(60).map((index) => stream(index, 1, { padBytes: 50_000 })),
    )
    const { numbers, batches } = await readNumbers(await read('out'), 60)
    assert.deepEqual(batches.flatMap(numbersOf), numbers)
    assert.deepEqual(numbers, upTo(60))
  })

  check('the same tag is the same string', async ({ buffer, read }) => {
    await appendAll(buffer, [stream(0, 1, { tag: 'a.b' }), stream(1, 1, { tag: 'a.b' })])
    const { batches } = await readNumbers(await read('out'), 2)
    assert.deepEqual(
      batches.flatMap((batch) => batch.streams.map((part) => part.tag)),
      ['a.b', 'a.b'],
    )
  })

  check('what does not match is passed and counted', async ({ buffer, read }) => {
    const streams = upTo(10).map((index) => stream(index, 1, { tag: index % 2 === 0 ? 'even' : 'odd' }))
    await appendAll(buffer, streams)
    const reader = await read('out', (tag) => tag === 'odd')
    const { numbers, batches } = await readNumbers(reader, 5)
    assert.deepEqual(numbers, [1, 3, 5, 7, 9])
    for (const batch of batches) reader.commit(batch)
    await reader.flush()
    assert.equal(reader.status().cursor, 10)
    assert.equal(reader.status().unmatchedEvents, 5)
  })

  check('where nothing matches the cursor moves all the same', async ({ buffer, read }) => {
    await buffer.append(stream(0, 7))
    const reader = await read('out', (tag) => tag === 'other')
    const waiting = reader.read(LIMITS, NO_SIGNAL)
    while (reader.status().lagEvents > 0) await new Promise((resolve) => setImmediate(resolve))
    await reader.flush()
    assert.equal(reader.status().cursor, 7)
    await buffer.append(stream(7, 1, { tag: 'other' }))
    assert.deepEqual(numbersOf(await waiting), [7])
  })

  check('a spooled message is one message', async ({ buffer, read }) => {
    const spool = await buffer.spool()
    const parts = upTo(6).map((index) => stream(index * 20, 20, { padBytes: 60_000 }))
    for (const part of parts) await spool.write(part.packed as Uint8Array, part.count)
    const packed = await spool.finish()
    const message = { tag: Buffer.from('big'), packed, count: 120, chunkId: Buffer.from('large one') }
    await buffer.append(message)
    await buffer.append(message)
    await packed.discard()
    await buffer.append(stream(120, 1))
    const { numbers, batches } = await readNumbers(await read('out'), 121)
    assert.deepEqual(numbers, upTo(121))
    const ids = batches.flatMap(idsOf).slice(0, 120)
    assert.deepEqual(
      ids,
      upTo(120).map((index) => `${ids[0]!.slice(0, 16)}.${index}`),
    )
    assert.equal(buffer.status().duplicates, 1)
  })
}

function cursorCases(check: Check): void {
  check('two outputs read independently', async ({ buffer, read }) => {
    await buffer.append(stream(0, 3))
    const [one, two] = [await read('one'), await read('two')]
    one.commit(await one.read(LIMITS, NO_SIGNAL))
    await one.flush()
    assert.deepEqual([one.status().cursor, two.status().cursor], [3, 0])
    assert.deepEqual(numbersOf(await two.read(LIMITS, NO_SIGNAL)), [0, 1, 2])
  })

  check('the cursor waits for the batch that is not done', async ({ buffer, read }) => {
    await appendAll(
      buffer,
      upTo(3).map((index) => stream(index, 1)),
    )
    const reader = await read('out')
    const first = await reader.read(READ_ONE, NO_SIGNAL)
    const second = await reader.read(READ_ONE, NO_SIGNAL)
    const third = await reader.read(READ_ONE, NO_SIGNAL)
    reader.commit(third)
    await reader.flush()
    assert.deepEqual([reader.status().cursor, reader.status().lagEvents], [0, 2])
    reader.commit(first)
    await reader.flush()
    assert.equal(reader.status().cursor, 1)
    reader.commit(second)
    await reader.flush()
    assert.deepEqual([reader.status().cursor, reader.status().lagEvents], [3, 0])
  })

  check('a restart goes on at the cursor, without what was done out of order', async (bench) => {
    await appendAll(
      bench.buffer,
      upTo(4).map((index) => stream(index, 1)),
    )
    const before = await bench.read('out')
    const batches = []
    for (let i = 0; i < 4; i++) batches.push(await before.read(READ_ONE, NO_SIGNAL))
    before.commit(batches[0]!)
    before.commit(batches[2]!)
    await bench.reopen()
    const after = await bench.read('out')
    assert.deepEqual((await readNumbers(after, 2)).numbers, [1, 3])
  })

  check('what a commit leaves open holds the cursor until it is finished, and alone comes again', async (bench) => {
    await appendAll(bench.buffer, [stream(0, 5), stream(5, 5, { chunkId: 'c' })])
    const before = await bench.read('out')
    const { batches } = await readNumbers(before, 10)
    const ids = batches.flatMap(idsOf)
    const open = [1, 3, 4, 5, 9]
    for (const batch of batches) {
      before.commit(
        batch,
        open.filter((position) => position >= batch.from && position < batch.to),
      )
    }
    before.finish([3])
    await before.flush()
    assert.deepEqual([before.status().cursor, before.status().lagEvents], [1, 4])
    await bench.reopen()
    const after = await bench.read('out')
    const again = await readNumbers(after, 4)
    assert.deepEqual(again.numbers, [1, 4, 5, 9])
    assert.deepEqual(
      again.batches.flatMap(idsOf),
      [1, 4, 5, 9].map((position) => ids[position]),
    )
    for (const batch of again.batches) after.commit(batch)
    await after.flush()
    assert.deepEqual([after.status().cursor, after.status().lagEvents], [10, 0])
  })

  check('what was read and not committed comes again, with the same positions and ids', async (bench) => {
    await appendAll(bench.buffer, [stream(0, 2), stream(2, 2, { chunkId: 'c' })])
    const before = await readNumbers(await bench.read('out'), 4)
    const ids = before.batches.flatMap(idsOf)
    await bench.reopen()
    const after = await readNumbers(await bench.read('out'), 4)
    assert.deepEqual(after.numbers, before.numbers)
    assert.deepEqual(after.batches.flatMap(idsOf), ids)
  })

  check('seek goes back to any event', async ({ buffer, read }) => {
    await appendAll(buffer, [stream(0, 5), stream(5, 5, { chunkId: 'c' })])
    const reader = await read('out')
    const { batches } = await readNumbers(reader, 10)
    const ids = batches.flatMap(idsOf)
    for (const batch of batches) reader.commit(batch)
    await reader.seek(3)
    const again = await readNumbers(reader, 7)
    assert.deepEqual(again.numbers, [3, 4, 5, 6, 7, 8, 9])
    assert.deepEqual(again.batches.flatMap(idsOf), ids.slice(3))
  })

  check('skip passes what is not done, counts it, and reads on from there', async ({ buffer, read }) => {
    const streams = upTo(10).map((index) => stream(index, 1, { tag: index === 2 ? 'other' : 'mine' }))
    await appendAll(buffer, streams)
    const reader = await read('out', (tag) => tag === 'mine')
    const small = { ...LIMITS, maxEvents: 2 }
    const batches: Batch[] = []
    for (let n = 0; n < 3; n++) batches.push(await reader.read(small, NO_SIGNAL))
    // 0 and 1 are lent, and 2 to 4, of which 2 does not match; 5 and 6 are done out of order.
    reader.commit(batches[2]!)
    assert.equal(await reader.skip(6), 5)
    await reader.flush()
    assert.deepEqual([reader.status().cursor, reader.status().unmatchedEvents], [7, 0])
    const again = await readNumbers(reader, 3)
    assert.deepEqual(again.numbers, [7, 8, 9])
    for (const batch of [...batches.slice(0, 2), ...again.batches]) reader.commit(batch)
    assert.equal(reader.status().doneBeyondEvents, 0)
    assert.equal(await reader.skip(3), 0, 'nothing before the cursor is left')
  })

  check('the parts tell what is stored', async ({ buffer, read }) => {
    await appendAll(buffer, [stream(0, 5)])
    const [part, ...others] = await (await read('out')).parts()
    assert.deepEqual([part?.from, others.length], [0, 0])
    assert.ok(part!.bytes > 0 && part!.createdMs > 0)
  })

  check('positions go on after a restart', async (bench) => {
    await bench.buffer.append(stream(0, 3))
    await bench.reopen()
    await bench.buffer.append(stream(3, 1))
    const { batches } = await readNumbers(await bench.read('out'), 4)
    assert.deepEqual(
      batches.flatMap((batch) => batch.streams.map((part) => part.position)),
      [0, 3],
    )
  })

  check('an output that nothing is left for waits', async ({ buffer, read }) => {
    await buffer.append(stream(0, 1))
    const reader = await read('out')
    reader.commit(await reader.read(LIMITS, NO_SIGNAL))
    const stop = new AbortController()
    const waiting = reader.read(LIMITS, stop.signal)
    stop.abort()
    await assert.rejects(waiting)
    assert.equal(reader.status().oldestReceivedMs, undefined)
  })
}

function identityCases(check: Check): void {
  check('a message that is sent again is acknowledged and stored once', async (bench) => {
    const message = stream(0, 2, { chunkId: 'same' })
    await appendAll(bench.buffer, [message, message])
    await bench.buffer.append(message)
    assert.equal(bench.buffer.status().duplicates, 2)
    await bench.reopen()
    await bench.buffer.append(message)
    assert.equal(bench.buffer.status().next, 2)
  })

  check('the same chunk id with another payload or tag is another message', async ({ buffer, read }) => {
    await appendAll(buffer, [
      stream(0, 1, { chunkId: 'same' }),
      stream(1, 1, { chunkId: 'same' }),
      stream(1, 1, { chunkId: 'same', tag: 'other' }),
    ])
    const { batches } = await readNumbers(await read('out'), 3)
    assert.equal(new Set(batches.flatMap(idsOf)).size, 3)
  })

  check('ids are 16 base64url characters, a dot and the number of the event', async ({ buffer, read }) => {
    await appendAll(buffer, [stream(0, 2), stream(2, 2, { chunkId: 'c' }), stream(4, 1)])
    const ids = (await readNumbers(await read('out'), 5)).batches.flatMap(idsOf)
    for (const id of ids) assert.match(id, /^[A-Za-z0-9_-]{16}\.\d+$/)
    assert.deepEqual(
      ids.map((id) => id.split('.')[1]),
      ['0', '1', '0', '1', '4'],
    )
  })
}

const marked = (first: number, source: string, place: string, padBytes = 0) =>
  stream(first, 1, { padBytes, mark: { source, place } })

function markCases(check: Check): void {
  check('the newest mark of each source is found, also after a restart', async (bench) => {
    const streams = [marked(0, 'tail/a', '10'), marked(1, 'tail/b', '1'), marked(2, 'tail/a', '20'), stream(3, 1)]
    await appendAll(bench.buffer, [...streams, marked(4, 'other/a', 'é')])
    const expected = [
      ['tail/a', '20'],
      ['tail/b', '1'],
    ]
    assert.deepEqual([...bench.buffer.marks.find('tail/')].sort(), expected)
    await bench.reopen()
    assert.deepEqual([...bench.buffer.marks.find('tail/')].sort(), expected)
    assert.deepEqual([...bench.buffer.marks.find('other/')], [['other/a', 'é']])
  })

  check('of a mark with a stream and one without, the later counts', async (bench) => {
    await bench.buffer.marks.set([{ source: 's/1', place: 'a' }])
    await bench.buffer.append(marked(0, 's/1', 'b'))
    await bench.buffer.append(marked(1, 's/2', 'b'))
    await bench.buffer.marks.set([{ source: 's/2', place: 'c' }])
    await bench.buffer.marks.set([{ source: 's/3', place: '"] \\ \n' }])
    const expected = [
      ['s/1', 'b'],
      ['s/2', 'c'],
      ['s/3', '"] \\ \n'],
    ]
    assert.deepEqual([...bench.buffer.marks.find('s/')].sort(), expected)
    await bench.reopen()
    assert.deepEqual([...bench.buffer.marks.find('s/')].sort(), expected)
  })

  check('a source that was forgotten stays so', async (bench) => {
    await appendAll(bench.buffer, [marked(0, 's/1', 'a'), marked(1, 's/2', 'a')])
    await bench.buffer.marks.set([{ source: 's/1', place: undefined }])
    assert.deepEqual([...bench.buffer.marks.find('')], [['s/2', 'a']])
    await bench.reopen()
    assert.deepEqual([...bench.buffer.marks.find('')], [['s/2', 'a']])
  })

  check('marks outlive what they came with', async (bench) => {
    const reader = await bench.read('out')
    await bench.buffer.append(marked(0, 's/1', 'old'))
    let number = 1
    while (bench.buffer.status().first === 0) {
      await bench.buffer.append(marked(number++, 's/2', String(number), 30_000))
      while (reader.status().lagEvents > 0) reader.commit(await reader.read(LIMITS, NO_SIGNAL))
      await reader.flush()
    }
    const last = bench.buffer.marks.find('s/2').get('s/2')
    await bench.reopen()
    assert.deepEqual([...bench.buffer.marks.find('')].sort(), [
      ['s/1', 'old'],
      ['s/2', last],
    ])
  })
}

function limitCases(check: Check): void {
  check('a closed buffer refuses', async (bench) => {
    const { buffer } = bench
    await bench.reopen()
    await assert.rejects(buffer.append(stream(0, 1)), { code: 'LB-B004' })
  })

  check('a full buffer lets appends wait until an output has passed what is stored', async (bench) => {
    await bench.buffer.close()
    bench.buffer = await bench.place.open({ maxSizeBytes: 256 * 1024 })
    const { buffer } = bench
    const reader = await bench.read('out')
    const stored = upTo(20).map((index) => buffer.append(stream(index, 1, { padBytes: 30_000 })))
    await stored[0]
    assert.ok(buffer.status().waiting > 0)
    assert.match(buffer.status().trouble ?? '', /full/)
    const numbers: number[] = []
    while (numbers.length < 20) {
      const batch = await reader.read(LIMITS, NO_SIGNAL)
      numbers.push(...numbersOf(batch))
      reader.commit(batch)
      await reader.flush()
    }
    await Promise.all(stored)
    assert.deepEqual(numbers, upTo(20))
    assert.equal(buffer.status().trouble, undefined)
  })
}
