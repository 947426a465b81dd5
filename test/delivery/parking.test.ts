/** What is parked is durable before the cursor passes; what comes back is delivered, dead, or parked still. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { OutputStats } from '../../server/core/output-stats.ts'
import { readDeadLetters } from '../../server/delivery/dead-letter-files.ts'
import { DeadLettersFullError, openDeadLetters } from '../../server/delivery/dead-letters.ts'
import type { Redeliver } from '../../server/delivery/letter-desk.ts'
import { deliverParked, park } from '../../server/delivery/parking.ts'
import { idsOf, makeBatch } from '../conformance/make-batch.ts'
import { createFakeClock, createFakeDeadLetters, createFakeLogger, createFakeReader } from './fakes.ts'

const ID = 'AAAAAAAAAAAAAAAA'
const events = [{ record: { n: 0 } }, { record: { n: 1 } }, { record: { n: 2 } }]
const batches = [0, 3].map((position) => makeBatch([{ events, position, idBase: ID, idIndex: position }]))
const limits = { maxBytes: 1_000_000, maxEvents: 1_000, maxAgeMs: 1 }
const never = new AbortController().signal

function parkParts(faults: Error[] = []) {
  const journal: string[] = []
  const store = createFakeDeadLetters(journal, faults)
  const [reader, stats, log] = [createFakeReader(batches, journal), new OutputStats(), createFakeLogger()]
  const parts = { output: 'search', reader, parked: { store, directory: '' }, stats, limits, clock: createFakeClock() }
  return { parts: { ...parts, log }, journal, store, stats, log }
}

const codes = ({ lines }: ReturnType<typeof createFakeLogger>) =>
  lines.map(({ fields }) => (fields as { code?: string }).code)

test('a batch is durable where it is parked, then counted and passed, up to the position', async () => {
  const { parts, journal, store, stats, log } = parkParts()
  assert.equal(await park(parts, 3, never), true)
  assert.deepEqual(journal, ['dead 0,1,2', 'commit 0', 'flush'])
  assert.deepEqual([stats.get('parked'), store.letters.map(({ id }) => id)], [3, idsOf(batches[0]!)])
  assert.deepEqual(codes(log), ['LB-P012'])
})

test('without room nothing is passed, and that is said', async () => {
  const { parts, journal, stats, log } = parkParts([new DeadLettersFullError('full')])
  assert.equal(await park(parts, 3, never), false)
  assert.deepEqual([journal, stats.get('parked'), codes(log)], [[], 0, ['LB-P013']])
})

async function parkedStore(t: TestContext) {
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-parked-'))
  const store = await openDeadLetters(directory, { log: createFakeLogger(), bytesMax: 2 ** 20 })
  t.after(async () => {
    await store.close()
    await rm(directory, { recursive: true })
  })
  const { parts } = parkParts()
  const parked = { store, directory }
  await park({ ...parts, parked }, 6, never)
  return { ...parts, parked }
}

test('once the output keeps up: what is taken leaves, what is refused is a dead letter, the rest stays', async (t) => {
  const parts = await parkedStore(t)
  const deadLetters = createFakeDeadLetters()
  const stop = new AbortController()
  let isWell = false
  const handed: string[][] = []
  const redeliver: Redeliver = async (batch, grave) => {
    handed.push(idsOf(batch))
    if (handed.length > 1) return undefined
    const [letter] = await Array.fromAsync(readDeadLetters(parts.parked.directory))
    await grave.append([{ ...letter!, id: `${ID}.1`, reason: 'too_large' }])
    await grave.append([{ ...letter!, id: `${ID}.4`, reason: 'retry_limit' }])
    return { delivered: 4, secondary: 0, dead: 2, deadBy: new Map() }
  }
  const running = deliverParked({ ...parts, deadLetters, redeliver, isWell: () => isWell }, stop.signal)
  const until = async (isSo: () => boolean) => {
    while (!isSo()) {
      await parts.clock.advance(1_000)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  for (let look = 0; look < 5; look += 1) await parts.clock.advance(1_000)
  assert.equal(handed.length, 0, 'not while the destination is away')
  isWell = true
  await until(() => handed.length > 1)
  stop.abort()
  await running
  assert.deepEqual(handed, [[...idsOf(batches[0]!), ...idsOf(batches[1]!)], [`${ID}.4`]])
  assert.deepEqual(
    deadLetters.letters.map(({ id }) => id),
    [`${ID}.1`],
  )
  const counted = (['parkedEvents', 'parkedDelivered', 'parkedDead', 'dead_too_large'] as const).map((name) =>
    parts.stats.get(name),
  )
  assert.deepEqual(counted, [1, 4, 1, 1])
})
