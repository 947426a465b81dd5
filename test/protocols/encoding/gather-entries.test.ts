import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Unpackr } from 'msgpackr'
import { BufferPool } from '../../../protocols/encoding/buffer-pool.ts'
import { GatherEntries } from '../../../protocols/encoding/gather-entries.ts'
import type { EventStream } from '../../../server/core/event.ts'

const unpackr = new Unpackr({ mapsAsObjects: true })

interface Emission {
  readonly tag: string
  readonly packed: Buffer
  readonly count: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

function gatherUnderTest({ inFlightBytes = 1_000_000, isHeld = false } = {}) {
  const emissions: Emission[] = []
  const seen = { stored: 0, lost: 0, drained: 0 }
  const gather = new GatherEntries({
    emit({ tag, packed, count }: EventStream) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const bytes = Buffer.from(packed as Uint8Array)
      emissions.push({ tag: Buffer.from(tag).toString(), packed: bytes, count, resolve, reject })
      if (!isHeld) resolve()
      return promise
    },
    pool: new BufferPool(),
    inFlightBytes,
    stored: (events) => {
      seen.stored += events
    },
    lost: (events) => {
      seen.lost += events
    },
    drained: () => {
      seen.drained += 1
    },
  })
  const add = (tag: string, text: string) => {
    const to = gather.begin(Buffer.from(tag))
    to.text(text)
    gather.commit()
  }
  return { gather, emissions, seen, add }
}

test('what comes within a turn is one stream per tag', async () => {
  const { gather, emissions, seen, add } = gatherUnderTest()
  for (const tag of ['a', 'b', 'a']) add(tag, `of ${tag}`)
  assert.equal(emissions.length, 0)
  await turn()
  assert.deepEqual(
    emissions.map(({ tag, count, packed }) => [tag, count, unpackr.unpackMultiple(packed)]),
    [
      ['a', 2, ['of a', 'of a']],
      ['b', 1, ['of b']],
    ],
  )
  await gather.settled()
  assert.equal(seen.stored, 3)
})

test('while two streams are not durable, entries wait and become one', async () => {
  const { gather, emissions, add } = gatherUnderTest({ isHeld: true })
  for (const text of ['1', '2', '3', '4']) {
    add('a', text)
    await turn()
  }
  assert.deepEqual(
    emissions.map(({ count }) => count),
    [1, 1],
  )
  emissions[0]!.resolve()
  await turn()
  assert.deepEqual(
    emissions.map(({ count }) => count),
    [1, 1, 2],
  )
  for (const { resolve } of emissions) resolve()
  await gather.stored()
})

test('an entry that is given up leaves nothing', async () => {
  const { gather, emissions, add } = gatherUnderTest()
  add('a', 'kept')
  gather.begin(Buffer.from('a')).text('given up')
  gather.abandon()
  gather.abandon()
  add('a', 'too')
  await gather.stored()
  assert.deepEqual(unpackr.unpackMultiple(emissions[0]!.packed), ['kept', 'too'])
})

test('it is full at its limit, and not any more when a quarter is stored', async () => {
  const { gather, emissions, seen, add } = gatherUnderTest({ inFlightBytes: 100, isHeld: true })
  for (let i = 0; i < 4; i += 1) {
    assert.equal(gather.isFull, false)
    add(`tag ${i}`, 'x'.repeat(24))
  }
  assert.equal(gather.isFull, true)
  await turn()
  emissions[0]!.resolve()
  await turn()
  assert.deepEqual([gather.isFull, seen.drained], [true, 0])
  emissions[1]!.resolve()
  await turn()
  assert.deepEqual([gather.isFull, seen.drained], [false, 1])
  for (const { resolve } of emissions) resolve()
})

test('a large stream is emitted however many are in flight', () => {
  const { emissions, add } = gatherUnderTest({ isHeld: true })
  for (let i = 0; i < 8; i += 1) add('a', 'x'.repeat(64 * 1024))
  assert.equal(emissions.length, 2)
  for (const { resolve } of emissions) resolve()
})

test('what could not be stored is told', async () => {
  const { gather, emissions, seen, add } = gatherUnderTest({ isHeld: true })
  add('a', 'x')
  const stored = gather.stored()
  emissions[0]!.reject(new Error('full'))
  await assert.rejects(stored, /full/)
  assert.deepEqual(seen, { stored: 0, lost: 1, drained: 0 })
})

test('more tags than it remembers come out all the same', async () => {
  const { gather, emissions, seen, add } = gatherUnderTest()
  for (let i = 0; i < 200; i += 1) add(`tag ${i}`, `${i}`)
  await gather.stored()
  assert.equal(seen.stored, 200)
  assert.equal(new Set(emissions.map(({ tag }) => tag)).size, 200)
})
