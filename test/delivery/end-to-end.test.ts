import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventBuffer } from '../../buffer/buffer.ts'
import { openFileBuffer } from '../../buffer/file-buffer.ts'
import { systemClock } from '../../server/core/clock.ts'
import type { Delivery } from '../../server/delivery/delivery.ts'
import { startDelivery } from '../../server/delivery/start-delivery.ts'
import { packEntries } from '../conformance/make-batch.ts'
import { createFakeLogger } from './fakes.ts'

/** The real buffer and the real thread; only the destination is a file. */
async function setUp(t: TestContext) {
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-e2e-'))
  const flag = (name: string) => path.join(directory, name)
  const log = createFakeLogger()
  const deliveries: Delivery[] = []
  const buffers: EventBuffer[] = []
  t.after(async () => {
    for (const delivery of deliveries) await delivery.close(0)
    for (const buffer of buffers) await buffer.close()
    await rm(directory, { recursive: true })
  })

  async function openBuffer(): Promise<EventBuffer> {
    const config = { path: flag('buffer'), chunkSizeBytes: 64 * 1_024, maxSizeBytes: 2 ** 26, ack: 'durable' as const }
    const buffer = await openFileBuffer(config, { log, clock: systemClock, outputs: ['disk'] })
    buffers.push(buffer)
    return buffer
  }

  async function deliver(buffer: EventBuffer, options: object = {}): Promise<Delivery> {
    const own = path.join(directory, 'outputs')
    await mkdir(own, { recursive: true })
    const order = {
      output: 'disk',
      type: 'file',
      module: new URL('./fixtures/file-output.ts', import.meta.url).href,
      options: { reject_every: 0, broken: false, hang: false, file: flag('ids'), ...options },
      seat: await buffer.seat('disk'),
      match: 'docker.**',
      filters: [],
      batch: { sizeBytes: 2_000, events: 100, ageMs: 5 },
      retry: { limit: undefined, maxIntervalMs: 60_000 },
      node: 'testbox',
      sequence: { seed: 0, step: 1 },
      directory: own,
      deadLetterDirectory: path.join(directory, 'dead-letters'),
      deadLettersMaxBytes: 2 ** 20,
      lagLimit: undefined,
      logLevel: 'silent',
    }
    const delivery = await startDelivery(order, log, { random: () => 0 })
    deliveries.push(delivery)
    return delivery
  }

  let made = 0
  async function append(buffer: EventBuffer, count: number, tag = 'docker.web'): Promise<void> {
    const packed = packEntries(Array.from({ length: count }, () => ({ record: { n: made++ } })))
    await buffer.append({ tag: Buffer.from(tag), packed, count })
  }
  const ids = async () => (await readFile(flag('ids'), 'utf8')).split('\n').filter((line) => line.includes('.'))
  return { openBuffer, deliver, append, ids, flag }
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(5)
}

function unaccounted({ stats }: Delivery): number {
  const counted = ['delivered', 'dead', 'dropped', 'joined', 'unmatched', 'damaged'] as const
  return stats.get('cursor') - stats.get('startPosition') - counted.reduce((sum, name) => sum + stats.get(name), 0)
}

test('what is appended is delivered, what does not match is passed, and a restart goes on where it was', async (t) => {
  const { openBuffer, deliver, append, ids } = await setUp(t)
  const first = await openBuffer()
  await append(first, 300)
  const delivery = await deliver(first)
  await append(first, 50, 'other')
  await append(first, 700)
  await until(() => delivery.stats.get('delivered') === 1_000)
  await delivery.close(5_000)
  assert.deepEqual([delivery.stats.get('cursor'), delivery.stats.get('unmatched')], [1_050, 50])
  assert.equal(unaccounted(delivery), 0)
  await first.close()

  const second = await openBuffer()
  await append(second, 20)
  const again = await deliver(second)
  await until(() => again.stats.get('delivered') === 20)
  await again.close(5_000)
  assert.deepEqual([again.stats.get('cursor'), unaccounted(again)], [1_070, 0])
  const delivered = await ids()
  assert.equal(delivered.length, 1_020)
  assert.equal(new Set(delivered).size, 1_020)
})

test('a thread that dies in the middle loses nothing, and its ledger balances afterwards', async (t) => {
  const { openBuffer, deliver, append, ids, flag } = await setUp(t)
  const buffer = await openBuffer()
  await append(buffer, 2_000)
  await writeFile(flag('crash'), '')
  const delivery = await deliver(buffer, { crash_flag: flag('crash'), reject_every: 10 })
  await until(() => delivery.stats.get('cursor') === 2_000)
  assert.equal(delivery.stats.get('restarts'), 1)
  assert.equal(unaccounted(delivery), 0)
  assert.ok(delivery.stats.get('delivered') + delivery.stats.get('dead') >= 2_000)
  assert.equal(new Set(await ids()).size + new Set(await deadIds(flag('dead-letters'))).size, 2_000)
})

async function deadIds(directory: string): Promise<string[]> {
  const { readDeadLetters } = await import('../../server/delivery/dead-letter-files.ts')
  return (await Array.fromAsync(readDeadLetters(directory))).map((letter) => letter.id)
}
