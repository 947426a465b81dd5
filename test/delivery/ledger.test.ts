/** The ledger adds up at all times: through faults, filters, skipped ranges, replayed letters, a rewound cursor. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openFileBuffer } from '../../buffer/file-buffer.ts'
import { systemClock } from '../../server/core/clock.ts'
import type { OutputDesk } from '../../server/core/output-desk.ts'
import type { OutputStats } from '../../server/core/output-stats.ts'
import { readDeadLetters } from '../../server/delivery/dead-letter-files.ts'
import type { DeliveryOrder } from '../../server/delivery/delivery.ts'
import { startDelivery } from '../../server/delivery/start-delivery.ts'
import { unaccountedEvents } from '../../server/status-report.ts'
import { packEntries } from '../conformance/make-batch.ts'
import { createFakeLogger } from './fakes.ts'

const STREAM_EVENTS = 50
const counted = (stats: OutputStats) => stats.countDone()

/** A real buffer and a real thread, in front of a destination that answers by chance. */
async function setUp(t: TestContext, isParked: boolean) {
  const seed = Number(process.env.LOGBOOM_TEST_SEED ?? randomInt(2 ** 31))
  t.diagnostic(`LOGBOOM_TEST_SEED=${seed}`)
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-ledger-'))
  const own = (name: string) => path.join(directory, name)
  const log = createFakeLogger()
  const limits = { chunkSizeBytes: 8 * 1_024, maxSizeBytes: 2 ** 26, ack: 'durable' as const }
  const buffer = await openFileBuffer(
    { path: own('buffer'), ...limits },
    { log, clock: systemClock, outputs: ['disk'] },
  )
  // Holds what is delivered in the buffer, so that it can be delivered again.
  await buffer.seat('another')
  await mkdir(own('outputs'))
  const grep = new URL('../../server/delivery/filters/grep.ts', import.meta.url).href
  const order: DeliveryOrder = {
    output: 'disk',
    type: 'random',
    module: new URL('./fixtures/random-output.ts', import.meta.url).href,
    options: { file: own('ids'), down_flag: own('down'), seed },
    seat: await buffer.seat('disk'),
    match: 'docker.**',
    filters: [
      { type: 'grep', module: grep, match: '**', options: { regexp: [], exclude: [{ key: 'n', pattern: '7$' }] } },
    ],
    batch: { sizeBytes: isParked ? 40_000 : 2_000, events: isParked ? 2_000 : 100, ageMs: 5 },
    retry: { limit: undefined, maxIntervalMs: 60_000 },
    lagLimit: { bytes: 64 * 1_024, ageMs: undefined, isParked },
    ...(isParked && { parked: { directory: own('parked'), maxBytes: 2 ** 26 } }),
    node: 'testbox',
    sequence: { seed: 0, step: 1 },
    directory: own('outputs'),
    deadLetterDirectory: own('dead-letters'),
    deadLettersMaxBytes: 2 ** 20,
    logLevel: 'silent',
  }
  const delivery = await startDelivery(order, log)
  t.after(async () => {
    await delivery.close(0)
    await buffer.close()
    await rm(directory, { recursive: true })
  })
  let appended = 0
  return {
    ...{ own, buffer, desk: delivery.desk, stats: delivery.stats },
    appended: () => appended,
    async append(streams: number): Promise<void> {
      for (let stream = 0; stream < streams; stream++) {
        const packed = packEntries(Array.from({ length: STREAM_EVENTS }, () => ({ record: { n: appended++ } })))
        const tag = Buffer.from(stream % 5 === 4 ? 'other' : 'docker.web')
        await buffer.append({ tag, packed, count: STREAM_EVENTS })
      }
    },
    ids: async () => (await readFile(own('ids'), 'utf8')).split('\n').filter(Boolean),
    letters: async () => (await Array.fromAsync(readDeadLetters(order.deadLetterDirectory))).map(({ id }) => id),
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(5)
}

async function replayAll(desk: OutputDesk): Promise<void> {
  for (let left = 1; left > 0; left = (await desk.list()).letters) {
    await desk.replay({ limit: 1_000 }).catch((error: { code?: string }) => assert.equal(error.code, 'LB-P003'))
  }
}

test('no event is ever unaccounted for', { timeout: 120_000 }, async (t) => {
  const { own, desk, stats, append, appended, ids, letters } = await setUp(t, false)
  let [samples, worst] = [0, 0]
  const sampling = setInterval(() => {
    samples += 1
    worst = Math.max(worst, unaccountedEvents(stats))
  }, 1)
  t.after(() => clearInterval(sampling))
  const allDone = () => counted(stats) + stats.get('startPosition') === appended()

  await append(30)
  await until(allDone)
  assert.equal(new Set(await ids()).size, stats.get('delivered'))
  assert.equal((await letters()).length, stats.get('dead'))
  const dropped = stats.get('dropped')
  assert.equal(dropped, (30 * STREAM_EVENTS * 4) / 5 / 10, 'what a filter dropped')

  await writeFile(own('down'), '')
  await append(400)
  await until(() => stats.get('dropped') > dropped)
  await rm(own('down'))
  await until(allDone)
  assert.equal(stats.get('startPosition'), 0)
  assert.equal(counted(stats), appended(), 'and what was skipped')
  assert.ok(new Set([...(await ids()), ...(await letters())]).size >= stats.get('delivered') + stats.get('dead'))

  const dead = stats.get('dead')
  await replayAll(desk)
  assert.deepEqual([stats.get('deadLetters'), stats.get('dead')], [0, dead])
  // A batch that the skip cut short may have buried some of its events: they are kept, and counted as dropped.
  assert.ok(stats.get('replayed') >= dead)

  const before = new Set(await ids())
  const { from, to } = await desk.rewind({ position: 100 })
  assert.deepEqual([from, to], [100, appended()])
  await append(5)
  await until(allDone)
  assert.ok(before.isSubsetOf(new Set([...(await ids()), ...(await letters())])))
  assert.deepEqual([worst, samples > 0], [0, true])
})

test('what lags too far is parked, frees the buffer, and is delivered when the output keeps up', {
  timeout: 120_000,
}, async (t) => {
  const { own, buffer, stats, append, appended, ids, letters } = await setUp(t, true)
  let worst = 0
  const sampling = setInterval(() => {
    worst = Math.max(worst, unaccountedEvents(stats))
  }, 1)
  t.after(() => clearInterval(sampling))
  buffer.leave('another')
  await writeFile(own('down'), '')
  await append(120)
  await until(() => stats.get('parked') > 0 && buffer.status().bytes < 128 * 1_024)
  assert.ok(stats.get('parkedEvents') > 0)
  assert.equal(stats.get('parkedEvents'), (await Array.fromAsync(readDeadLetters(own('parked')))).length)
  await rm(own('down'))
  await until(() => stats.get('parkedEvents') === 0 && counted(stats) === appended())
  const [delivered, dead] = [new Set(await ids()), new Set(await letters())]
  const wanted = appended() - stats.get('unmatched') - stats.get('dropped')
  assert.equal(new Set([...delivered, ...dead]).size, wanted)
  assert.equal(stats.get('parkedDelivered') + stats.get('parkedDead'), stats.get('parked'))
  assert.equal(stats.get('dead_other') + stats.get('dead_too_large'), stats.get('dead') + stats.get('parkedDead'))
  assert.equal(worst, 0)
})
