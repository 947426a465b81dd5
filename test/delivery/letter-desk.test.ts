import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OutputDesk, ReplayQuery } from '../../server/core/output-desk.ts'
import { readDeadLetters } from '../../server/delivery/dead-letter-files.ts'
import type { DeliveryOrder } from '../../server/delivery/delivery.ts'
import { startDelivery } from '../../server/delivery/start-delivery.ts'
import { createFakeLogger } from './fakes.ts'

const EVENTS = 100
const EVERY = 5
const REFUSED = Array.from({ length: EVENTS / EVERY }, (_, index) => index * EVERY)

/** A real thread whose output has refused every fifth event; `strict`, `crash` and `down` are files that steer it. */
async function withLetters(t: TestContext) {
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-desk-'))
  const own = (name: string) => path.join(directory, name)
  const order: DeliveryOrder = {
    output: 'disk',
    type: 'file',
    module: new URL('./fixtures/file-output.ts', import.meta.url).href,
    options: {
      ...{ file: own('ids'), reject_every: EVERY, broken: false, hang: false },
      ...{ reject_flag: own('strict'), crash_flag: own('crash'), down_flag: own('down') },
    },
    seat: {
      module: new URL('./fixtures/file-reader.ts', import.meta.url).href,
      output: 'disk',
      data: { cursorFile: own('cursor'), events: EVENTS },
    },
    match: 'docker.**',
    filters: [],
    batch: { sizeBytes: 100_000, events: 10, ageMs: 10 },
    retry: { limit: undefined, maxIntervalMs: 60_000 },
    node: 'testbox',
    sequence: { seed: 0, step: 1 },
    directory,
    deadLetterDirectory: own('dead-letters'),
    deadLettersMaxBytes: 2 ** 20,
    lagLimit: undefined,
    logLevel: 'silent',
  }
  await writeFile(own('strict'), '')
  const delivery = await startDelivery(order, createFakeLogger(), { random: () => 0 })
  t.after(async () => {
    await delivery.close(0)
    await rm(directory, { recursive: true })
  })
  const { stats, desk } = delivery
  await until(() => stats.get('cursor') === EVENTS)
  await writeFile(own('ids'), '')
  return {
    ...{ stats, desk, own, delivery },
    kept: async () => (await Array.fromAsync(readDeadLetters(order.deadLetterDirectory))).sort(byPosition),
    ids: async () => (await readFile(own('ids'), 'utf8')).split('\n').filter(Boolean),
  }
}

const byPosition = (a: { position: number }, b: { position: number }) => a.position - b.position

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(5)
}

/** As the command line does it. */
async function replayAll(desk: OutputDesk, query: Omit<ReplayQuery, 'from' | 'before'>) {
  const total = { replayed: 0, dead: 0, steps: 0 }
  for (let place = {}; ; ) {
    const { replayed, dead, before, next } = await desk.replay({ ...query, ...place })
    total.replayed += replayed
    total.dead += dead
    total.steps += 1
    if (next === undefined) return total
    place = { before, from: next }
  }
}

test('a replay hands the refused events to the output with their own ids, and they leave the store', async (t) => {
  const { desk, own, kept, ids, stats } = await withLetters(t)
  const { letters, causes } = await desk.list()
  assert.deepEqual([letters, causes[0]?.cause, causes[0]?.letters], [REFUSED.length, 'test', REFUSED.length])
  const { letters: shown } = await desk.show({ limit: 1 })
  assert.deepEqual([shown[0]?.detail, shown[0]?.attempts, shown[0]?.tag], ['refused', 1, 'docker.web'])
  assert.match(shown[0]!.record!, /^\{"n":\d+\}$/)
  await rm(own('strict'))
  assert.deepEqual(await replayAll(desk, { limit: 7 }), { replayed: REFUSED.length, dead: 0, steps: 3 })
  assert.deepEqual(
    (await ids()).map((id) => Number(id.split('.')[1])).sort((a, b) => a - b),
    REFUSED,
  )
  assert.deepEqual(await kept(), [])
  const counters = ['replayed', 'deadLetters', 'dead', 'delivered'] as const
  assert.deepEqual(
    counters.map((name) => stats.get(name)),
    [REFUSED.length, 0, REFUSED.length, EVENTS - REFUSED.length],
  )
})

test('what is refused once more is kept with one attempt more, and met once in a replay', async (t) => {
  const { desk, kept } = await withLetters(t)
  assert.deepEqual(await replayAll(desk, { limit: EVERY }), { replayed: 16, dead: 4, steps: 4 })
  const left = await kept()
  assert.deepEqual(
    left.map(({ attempts, reason }) => [attempts, reason]),
    Array.from({ length: 4 }, () => [2, 'test']),
  )
})

test('a destination that is away gets its letters later: they are put back, their attempts counted', async (t) => {
  const { desk, own, kept, stats } = await withLetters(t)
  const before = await kept()
  await writeFile(own('down'), '')
  await assert.rejects(desk.replay({ limit: 100 }), {
    code: 'LB-P003',
    message: /`disk` did not take its dead letters: connection refused/,
  })
  const after = await kept()
  assert.deepEqual(
    after.map(({ attempts, ...rest }) => rest),
    before.map(({ attempts, ...rest }) => rest),
  )
  assert.ok(after.every(({ attempts }) => attempts > 1))
  assert.equal(stats.get('deadLetters'), REFUSED.length)
  await rm(own('down'))
  await rm(own('strict'))
  assert.deepEqual(await replayAll(desk, { limit: 100, cause: 'test' }), { replayed: 20, dead: 0, steps: 1 })
})

test('a thread that dies in a replay loses no letter', async (t) => {
  const { desk, own, kept, stats, ids } = await withLetters(t)
  await writeFile(own('crash'), '')
  await rm(own('strict'))
  await assert.rejects(desk.replay({ limit: 100 }), { code: 'LB-P002' })
  assert.deepEqual(
    (await kept()).map(({ position }) => position),
    REFUSED,
  )
  await until(() => stats.get('restarts') === 1)
  let step = { replayed: 0 }
  while (step.replayed === 0) {
    step = await desk.replay({ limit: 100 }).catch((error: { code?: string }) => {
      assert.equal(error.code, 'LB-P002')
      return sleep(20, { replayed: 0 })
    })
  }
  // The thread's cursor was not durable either: each came once from the buffer and once from the letters.
  const numbers = (await ids()).map((id) => Number(id.split('.')[1]))
  assert.ok(REFUSED.every((n) => numbers.filter((it) => it === n).length === 2))
  assert.deepEqual(await kept(), [])
})

test('letters of a cause are discarded, and nothing else', async (t) => {
  const { desk, kept, stats, delivery } = await withLetters(t)
  assert.deepEqual(await desk.discard({ cause: 'another' }), { discarded: 0 })
  assert.equal((await kept()).length, REFUSED.length)
  assert.deepEqual(await desk.discard({ cause: 'test' }), { discarded: REFUSED.length })
  assert.deepEqual([await kept(), stats.get('discarded'), stats.get('deadLetters')], [[], REFUSED.length, 0])
  await delivery.close(1_000)
  await assert.rejects(desk.list(), { code: 'LB-P002', message: 'output `disk` cannot be asked now' })
})
