import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { readDeadLetters } from '../../server/delivery/dead-letter-files.ts'
import type { Delivery, DeliveryOrder } from '../../server/delivery/delivery.ts'
import { startDelivery } from '../../server/delivery/start-delivery.ts'
import { createFakeLogger } from './fakes.ts'

const EVENTS = 100

interface Options {
  readonly crash_flag?: string
  readonly down_flag?: string
  readonly reject_every?: number
  readonly broken?: boolean
  readonly hang?: boolean
}

async function prepare(t: TestContext, options: Options & { readonly module?: string } = {}) {
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-delivery-'))
  const file = path.join(directory, 'ids')
  const { module = new URL('./fixtures/file-output.ts', import.meta.url).href, ...rest } = options
  const flags = Object.fromEntries(
    Object.entries(rest).map(([key, value]) => [key, typeof value === 'string' ? path.join(directory, value) : value]),
  )
  const order: DeliveryOrder = {
    output: 'disk',
    type: 'file',
    module,
    options: { reject_every: 0, broken: false, hang: false, ...flags, file },
    seat: {
      module: new URL('./fixtures/file-reader.ts', import.meta.url).href,
      output: 'disk',
      data: { cursorFile: path.join(directory, 'cursor'), events: EVENTS },
    },
    match: 'docker.**',
    filters: [],
    batch: { sizeBytes: 1_000, events: 10, ageMs: 10 },
    retry: { limit: undefined, maxIntervalMs: 60_000 },
    node: 'testbox',
    sequence: { seed: 0, step: 1 },
    directory,
    deadLetterDirectory: path.join(directory, 'dead-letters'),
    deadLettersMaxBytes: 2 ** 20,
    lagLimit: undefined,
    logLevel: 'silent',
  }
  const log = createFakeLogger()
  const open: Delivery[] = []
  t.after(async () => {
    for (const delivery of open) await delivery.close(0)
    await rm(directory, { recursive: true })
  })
  return {
    ...{ order, log, directory },
    lines: async () => (await readFile(file, 'utf8')).split('\n').filter(Boolean),
    async start(): Promise<Delivery> {
      const delivery = await startDelivery(order, log, { random: () => 0 })
      open.push(delivery)
      return delivery
    },
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(5)
}

const allIds = Array.from({ length: EVENTS }, (_, index) => `AAAAAAAAAAAAAAAA.${index}`)

test('a thread delivers, counts in shared memory, and is closed in order', async (t) => {
  const { start, lines, directory } = await prepare(t)
  const delivery = await start()
  await until(() => delivery.stats.get('delivered') === EVENTS)
  assert.deepEqual(delivery.state(), { state: 'ok', lastError: undefined })
  await delivery.close(5_000)
  assert.deepEqual(await lines(), [...allIds, 'closed'])
  assert.equal(await readFile(path.join(directory, 'cursor'), 'utf8'), String(EVENTS))
  assert.equal(delivery.stats.get('cursor'), EVENTS)
})

test('refused events are in the dead letters, of which only the owner may read', async (t) => {
  const { start, order } = await prepare(t, { reject_every: 5 })
  const delivery = await start()
  await until(() => delivery.stats.get('delivered') + delivery.stats.get('dead') === EVENTS)
  await delivery.close(5_000)
  const letters = await Array.fromAsync(readDeadLetters(order.deadLetterDirectory))
  assert.deepEqual(
    letters.map((it) => it.position).sort((a, b) => a - b),
    Array.from({ length: EVENTS / 5 }, (_, index) => index * 5),
  )
  assert.equal(delivery.stats.get('deadLetters'), EVENTS / 5)
  assert.equal((await stat(path.join(order.deadLetterDirectory, '00000001.dlq'))).mode & 0o777, 0o600)
})

test('a thread that dies is started again and loses nothing', async (t) => {
  const { start, lines, log, directory } = await prepare(t, { crash_flag: 'crash' })
  await writeFile(path.join(directory, 'crash'), '')
  const delivery = await start()
  await until(() => log.lines.length > 0)
  assert.deepEqual(delivery.state(), {
    state: 'restarting',
    lastError: 'the thread of output `disk` ended: a fault nobody foresaw',
  })
  await until(() => delivery.stats.get('cursor') === EVENTS)
  assert.equal(delivery.stats.get('restarts'), 1)
  assert.deepEqual(delivery.state(), { state: 'ok', lastError: undefined })
  await delivery.close(5_000)
  assert.deepEqual(new Set(await lines()), new Set([...allIds, 'closed']))
  assert.deepEqual(
    log.lines.map(({ level, fields }) => [level, (fields as { code?: string }).code]),
    [['error', 'LB-S004']],
  )
})

test('an output that cannot be opened is an error of the configuration', async (t) => {
  const { start } = await prepare(t, { broken: true })
  await assert.rejects(start(), {
    code: 'LB-O004',
    message: 'output `disk` cannot be opened: `file` is not what it should be',
  })
})

test('a module that cannot be loaded is one too', async (t) => {
  const { start } = await prepare(t, { module: new URL('./fixtures/absent.ts', import.meta.url).href })
  await assert.rejects(start(), { code: 'LB-O004', message: /Cannot find module/ })
})

test('the state says what the destination said and when it is tried again', async (t) => {
  const { start, directory, lines } = await prepare(t, { down_flag: 'down' })
  await writeFile(path.join(directory, 'down'), '')
  const delivery = await start()
  let shown = delivery.state()
  await until(() => {
    shown = delivery.state()
    return shown.lastError?.includes('; ') === true
  })
  assert.equal(shown.state, 'retrying')
  assert.match(shown.lastError!, /^connection refused; next try in \d+(\.\d)? s$/)
  await rm(path.join(directory, 'down'))
  await until(() => delivery.stats.get('delivered') === EVENTS)
  await until(() => delivery.state().state === 'ok')
  await delivery.close(5_000)
  assert.deepEqual(new Set(await lines()), new Set([...allIds, 'closed']))
})

test('closed while the destination is down, it ends at once; the next start delivers', async (t) => {
  const { start, directory, lines } = await prepare(t, { down_flag: 'down' })
  await writeFile(path.join(directory, 'down'), '')
  const first = await start()
  await until(() => first.stats.get('retry_network') > 0)
  await first.close(60_000)
  await rm(path.join(directory, 'down'))
  const second = await start()
  await until(() => second.stats.get('delivered') === EVENTS)
  await second.close(5_000)
  assert.deepEqual(new Set(await lines()), new Set([...allIds, 'closed']))
})

test('a write that never ends is given up at the limit', async (t) => {
  const { start, log } = await prepare(t, { hang: true })
  const delivery = await start()
  await until(() => delivery.stats.get('inFlight') > 0)
  await delivery.close(100)
  assert.deepEqual(
    log.lines.map(({ fields }) => (fields as { code?: string }).code),
    ['LB-S003'],
  )
})
