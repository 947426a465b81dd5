import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { makeBatch, type StreamLike } from '../../conformance/make-batch.ts'
import { chainOf, outOf } from './chain-under-test.ts'

const JOIN = '- { match: docker.**, join: docker }'

interface PieceLike {
  readonly log: string
  readonly ordinal: number
  readonly last?: boolean
  readonly id?: string
  readonly source?: string
}

const piece = ({ log, ordinal, last = false, id = 'p', source = 'stdout' }: PieceLike) => ({
  container_id: 'c',
  source,
  log,
  partial_message: 'true',
  partial_id: id,
  partial_ordinal: String(ordinal),
  partial_last: String(last),
})

/** One stream for each event, as in message mode. */
function batchAt(position: number, records: readonly object[], receivedMs?: number) {
  const streams = records.map((record, index): StreamLike => {
    const at = receivedMs === undefined ? {} : { receivedMs }
    return { tag: 'docker.web', events: [{ record: { ...record } }], position: position + index, ...at }
  })
  return makeBatch(streams)
}

test('pieces of one batch become the first, with its id and position, without the partial keys', async () => {
  const { chain } = await chainOf(JOIN)
  const filtered = chain.run(
    batchAt(10, [
      piece({ log: 'a', ordinal: 1 }),
      { log: 'other' },
      piece({ log: 'b', ordinal: 2 }),
      piece({ log: '', ordinal: 3, last: true }),
    ]),
  )
  assert.deepEqual(
    outOf(filtered).map(({ id, position, record }) => [id, position, record]),
    [
      [`${'11'.padStart(16, 'A')}.0`, 11, { log: 'other' }],
      [`${'10'.padStart(16, 'A')}.0`, 10, { container_id: 'c', source: 'stdout', log: 'ab' }],
    ],
  )
  assert.deepEqual([filtered.held, filtered.released, filtered.joined, filtered.dropped], [[], [], 2, 0])
})

test('a piece waits in its batch, and is released by the batch that brings the last', async () => {
  const { chain } = await chainOf(JOIN)
  const first = chain.run(batchAt(0, [{ log: 'x' }, piece({ log: 'a', ordinal: 1 })]))
  const second = chain.run(batchAt(2, [piece({ log: 'b', ordinal: 2 }), { log: 'y' }]))
  const third = chain.run(batchAt(4, [piece({ log: 'c', ordinal: 3, last: true })]))
  assert.deepEqual([first.held, second.held, third.held], [[1], [2], []])
  assert.deepEqual([first.released, second.released, third.released], [[], [], [1, 2]])
  assert.deepEqual(
    outOf(third).map(({ record, position }) => [record.log, position]),
    [['abc', 1]],
  )
  assert.equal(chain.due(), undefined)
})

test('without a last piece the time ends it, and pieces that come later go on where it ended', async () => {
  const { chain, advance, reasons } = await chainOf(JOIN)
  chain.run(batchAt(0, [piece({ log: 'a', ordinal: 1 }), piece({ log: 'b', ordinal: 2 })]))
  assert.equal(chain.due(), 5_000)
  assert.equal(advance(4_999).batch.count, 0)
  const over = advance(1)
  assert.deepEqual(
    [outOf(over).map(({ record }) => record.log), over.released, reasons],
    [['ab'], [0, 1], ['join_timeout']],
  )
  const late = chain.run(batchAt(2, [piece({ log: 'c', ordinal: 3 }), piece({ log: 'd', ordinal: 4, last: true })]))
  assert.deepEqual(
    outOf(late).map(({ record, position }) => [record.log, position]),
    [['cd', 2]],
  )
})

test('the gap is told by when the pieces were received, so that a second reading gives the same', async () => {
  const { chain, reasons } = await chainOf(JOIN)
  chain.run(batchAt(0, [piece({ log: 'a', ordinal: 1 })], 1_000))
  const filtered = chain.run(batchAt(1, [piece({ log: 'b', ordinal: 2, last: true })], 6_001))
  assert.deepEqual([outOf(filtered).map(({ record }) => record.log), reasons], [['a', 'b'], ['join_timeout']])
})

test('a piece that was sent twice adds nothing; another text under its number goes on alone', async () => {
  const { chain } = await chainOf(JOIN)
  const filtered = chain.run(
    batchAt(0, [
      piece({ log: 'a', ordinal: 1 }),
      piece({ log: 'a', ordinal: 1 }),
      piece({ log: 'A', ordinal: 1 }),
      piece({ log: 'b', ordinal: 2, last: true }),
    ]),
  )
  assert.deepEqual(
    outOf(filtered).map(({ record }) => record.log),
    ['A', 'ab'],
  )
  assert.equal(filtered.joined, 2)
})

test('a line over max_size is handed on in parts, and too many of them in the order of their age', async () => {
  const long = await chainOf('- { match: docker.**, join: { type: docker, max_size: 1KiB } }')
  const log = 'x'.repeat(600)
  const parts = long.chain.run(
    batchAt(0, [piece({ log, ordinal: 1 }), piece({ log, ordinal: 2 }), piece({ log: 'end', ordinal: 3, last: true })]),
  )
  assert.deepEqual(
    outOf(parts).map(({ record }) => (record.log as string).length),
    [600, 603],
  )
  assert.deepEqual(long.reasons, ['join_limit'])
  const many = await chainOf('- { match: docker.**, join: { type: docker, waiting_size: 64KiB } }')
  const lines = Array.from({ length: 100 }, (_, n) => piece({ log, ordinal: 1, id: `p${n}` }))
  const filtered = many.chain.run(batchAt(0, lines))
  assert.equal(filtered.held.length + filtered.batch.count, 100)
  assert.ok(filtered.held.length * (600 + 512) <= 65_536, `${filtered.held.length} wait`)
  assert.deepEqual(
    outOf(filtered).map(({ position }) => position),
    Array.from({ length: filtered.batch.count }, (_, index) => index),
  )
})

test('what is no piece is not touched: no number, no id, a log that is no text', async () => {
  const { chain } = await chainOf(JOIN)
  const odd = [
    { ...piece({ log: 'a', ordinal: 1 }), partial_ordinal: 'first' },
    { ...piece({ log: 'a', ordinal: 1 }), partial_id: undefined },
    { ...piece({ log: 'a', ordinal: 1 }), log: 7 },
    { ...piece({ log: 'a', ordinal: 1 }), partial_message: 'false' },
  ]
  const batch = batchAt(0, odd)
  const { streams } = chain.run(batch).batch
  assert.deepEqual(
    streams.map(({ packed }) => Buffer.from(packed).toString('hex')),
    batch.streams.map(({ packed }) => Buffer.from(packed).toString('hex')),
  )
})

const line = fc.record({ pieces: fc.array(fc.uint8Array({ maxLength: 6 }), { minLength: 1, maxLength: 5 }) })

test('whatever the lines and however they come mixed, each is whole, and every position is accounted for', async () => {
  const { chain } = await chainOf(JOIN)
  let position = 0
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), fc.infiniteStream(fc.nat()), (lines, draws) => {
      const base = position
      const left = lines.map(({ pieces }, id) =>
        pieces.map((log, index) => ({
          ...piece({ log: '', ordinal: index + 1, last: index === pieces.length - 1, id: `${base}-${id}` }),
          log: Buffer.from(log),
        })),
      )
      const seen: { log: Uint8Array }[] = []
      const waiting = new Set<number>()
      let counted = 0
      while (left.some((pieces) => pieces.length > 0)) {
        const open = left.filter((pieces) => pieces.length > 0)
        const next = open[draws.next().value % open.length]!.shift()!
        const filtered = chain.run(batchAt(position++, [next]))
        for (const at of filtered.held) waiting.add(at)
        for (const at of filtered.released) assert.ok(waiting.delete(at))
        counted += filtered.batch.count + filtered.joined
        seen.push(...outOf(filtered).map(({ record }) => record as { log: Uint8Array }))
      }
      const whole = lines.map(({ pieces }) => Buffer.concat(pieces).toString('hex'))
      assert.deepEqual(seen.map(({ log }) => hexOf(log)).sort(), whole.sort())
      assert.deepEqual([waiting.size, counted], [0, position - base])
    }),
  )
})

/** The logs are bin, so that msgpackr gives their bytes as they are. */
function hexOf(log: Uint8Array | string): string {
  return Buffer.from(log as Uint8Array).toString('hex')
}
