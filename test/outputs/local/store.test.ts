/** The store as its users see it: what is written is found, in order, once, and for as long as it was promised. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test from 'node:test'
import { INDEXED_BYTES_MAX } from '../../../outputs/local/search-text.ts'
import { LogboomError } from '../../../server/core/errors.ts'
import type { EventSearch, SearchPage } from '../../../server/core/search.ts'
import { batchOf, DEFAULT_RECEIVED_MS, EventTime, makeBatch, packValue } from '../../conformance/make-batch.ts'
import { HOUR_MS, openStore } from './local-store.ts'

const START_S = 1_795_000_000

/** `count` events, one a second, numbered from `first`, which is their position too. */
function numbered(first: number, count: number, options: { tag?: string; receivedMs?: number } = {}) {
  const events = Array.from({ length: count }, (_, index) => ({
    time: new EventTime(START_S + first + index, 0),
    record: { n: `n${first + index}`, parity: (first + index) % 2 === 0 ? 'even' : 'odd' },
  }))
  return makeBatch([{ ...options, position: first, events }])
}

const numbersOf = (page: SearchPage) => page.hits.map((hit) => Number(JSON.parse(hit.json).n.slice(1)))
const up = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index)
const slicesOf = (directory: string) => readdirSync(directory).filter((name) => name.endsWith('.sqlite'))

const hitsOf = async (search: EventSearch, text: string) => (await search.search({ text, limit: 10 })).hits.length

async function countOf(search: EventSearch, text = ''): Promise<number> {
  const { counts } = await search.histogram({ text, limit: 1 }, 10)
  return counts.reduce((sum, count) => sum + count, 0)
}

test('a store that nothing was written to answers with nothing', async (t) => {
  const { search } = openStore(t)
  assert.deepEqual(await search.search({ text: '', limit: 10 }), { hits: [], newest: '0' })
  assert.deepEqual(await search.search({ text: 'a', after: '0', limit: 10 }), { hits: [], newest: '0', next: '0' })
  assert.deepEqual((await search.histogram({ text: '', limit: 1 }, 10)).counts, [])
  assert.deepEqual(await search.fields({ text: '', limit: 1 }), [])
})

test('a hit has the id, the tag, the time and the document', async (t) => {
  const { store, search } = openStore(t)
  const record = { log: 'hello\nworld', big: 2n ** 63n - 1n, n: 1 }
  store.write(
    makeBatch([{ position: 6, idBase: 'ABCDEFGHIJKLMNOP', idIndex: 3, events: [{ record: { a: 1 } }, { record }] }]),
  )
  const { hits } = await search.search({ text: 'hello', limit: 10 })
  assert.deepEqual(hits, [
    {
      cursor: '8',
      id: 'ABCDEFGHIJKLMNOP.4',
      timeMs: Date.UTC(2026, 10, 20, 12) + 123,
      tag: 'docker.web',
      json:
        '{"log":"hello\\nworld","big":9223372036854775807,"n":1,' +
        '"@timestamp":"2026-11-20T12:00:00.123456789Z","tag":"docker.web","sequence":15}',
    },
  ])
})

test('pages go from the newest to the oldest, over slices, without gap or double', async (t) => {
  const { store, search, directory } = openStore(t)
  for (let hour = 0; hour < 3; hour++) {
    store.write(numbered(hour * 10, 10, { receivedMs: DEFAULT_RECEIVED_MS + hour * HOUR_MS }))
  }
  assert.equal(slicesOf(directory).length, 3)
  for (const text of ['', 'parity:*']) {
    const seen: number[] = []
    let before: string | undefined
    do {
      const page: SearchPage = await search.search({ text, limit: 7, ...(before === undefined ? {} : { before }) })
      seen.push(...numbersOf(page))
      before = page.next
    } while (before !== undefined)
    assert.deepEqual(seen, up(0, 30).reverse())
  }
})

test('the cursor of a hit is the place between two pages', async (t) => {
  const { store, search } = openStore(t)
  store.write(numbered(0, 10))
  const { hits } = await search.search({ text: '', limit: 3 })
  const page = await search.search({ text: '', before: hits.at(-1)!.cursor, limit: 2 })
  assert.deepEqual(numbersOf(page), [6, 5])
})

test('a tail gives what is new, oldest first, and nothing twice', async (t) => {
  const { store, search } = openStore(t)
  store.write(numbered(0, 5))
  const { newest } = await search.search({ text: '', limit: 1 })
  assert.deepEqual((await search.search({ text: '', after: newest, limit: 10 })).hits, [])
  store.write(numbered(5, 5, { receivedMs: DEFAULT_RECEIVED_MS + HOUR_MS }))
  const first = await search.search({ text: 'odd', after: newest, limit: 2 })
  assert.deepEqual(numbersOf(first), [5, 7])
  const second = await search.search({ text: 'odd', after: first.next!, limit: 2 })
  assert.deepEqual(numbersOf(second), [9])
  assert.equal(second.next, second.newest)
})

test('a histogram counts every match once, with and without a range, whether or not fields are compared', async (t) => {
  const { store, search } = openStore(t)
  store.write(numbered(0, 50))
  store.write(numbered(50, 50, { receivedMs: DEFAULT_RECEIVED_MS + HOUR_MS }))
  for (const text of ['even', 'parity:even', '-odd', '-parity:odd', 'tag:docker.web even']) {
    const all = await search.histogram({ text, limit: 1 }, 7)
    assert.equal(all.fromMs, START_S * 1000, text)
    assert.ok(all.counts.length <= 7)
    assert.equal(
      all.counts.reduce((sum, count) => sum + count),
      50,
      text,
    )
    const range = { fromMs: (START_S + 40) * 1000, toMs: (START_S + 60) * 1000 }
    const part = await search.histogram({ text, ...range, limit: 1 }, 5)
    assert.deepEqual(part, { fromMs: range.fromMs, bucketMs: 4_000, counts: [2, 2, 2, 2, 2] }, text)
  }
})

test('a range is from included to excluded', async (t) => {
  const { store, search } = openStore(t)
  store.write(numbered(0, 10))
  const range = { fromMs: (START_S + 3) * 1000, toMs: (START_S + 6) * 1000 }
  assert.deepEqual(numbersOf(await search.search({ text: '', ...range, limit: 10 })), [5, 4, 3])
  assert.deepEqual(numbersOf(await search.search({ text: 'odd', ...range, limit: 10 })), [5, 3])
})

test('fields are listed with their most frequent values', async (t) => {
  const { store, search } = openStore(t)
  const records = up(0, 5).map((n) => ({ level: n < 3 ? 'info' : 'error', a: { list: ['x', 'x', n] }, id: 2n ** 60n }))
  store.write(batchOf(...records, { long: 'w'.repeat(300) }))
  const fields = await search.fields({ text: '', limit: 1 })
  const top = (name: string) => fields.find(({ field }) => field === name)?.top
  assert.deepEqual(top('level'), [
    { value: 'info', count: 3 },
    { value: 'error', count: 2 },
  ])
  assert.deepEqual(top('a.list')?.[0], { value: 'x', count: 5 })
  assert.deepEqual(top('id'), [{ value: '1152921504606846976', count: 5 }])
  assert.deepEqual(top('tag'), [{ value: 'docker.web', count: 6 }])
  assert.deepEqual(top('long'), [])
  assert.equal(top('sequence'), undefined)
})

test('what a client would look for is found', async (t) => {
  const { store, search } = openStore(t)
  const log =
    '10.0.0.4 - - [20/Nov/2026:12:00:01 +0000] "GET /api/v1/users?id=01-000000123 HTTP/1.1" 200 Größe e\u0301te'
  store.write(
    batchOf(
      { log, container_name: '/shop-web-1', source: 'x', 'a.b': { c: ['deep'] }, 7: 'odd key' },
      { log: '10.0.40 other' },
    ),
  )
  const found = [
    ...['10.0.0.4', '/api/v1/users', 'id=01-000000123', '01-000000123', 'shop-web-1', '"GET /api"', 'get', 'GRÖß*'],
    ...['grö*', 'ete', 'été', 'docker.web 200', 'container_name:/shop-web-1', 'a.b.c:deep', 'source:*'],
    ...['"7":"odd key"', '"HTTP/1.1 200"', '[20/Nov/2026:12:00:01'],
  ]
  for (const text of found) assert.equal(await hitsOf(search, text), 1, text)
  const missed = ['0.0.40.1', 'users zebra', '"users shop"', 'container_name', '"docker web 10"', 'api*x', 'shop:web']
  for (const text of missed) assert.equal(await hitsOf(search, text), 0, text)
})

test('hostile text is stored and searched as any other', async (t) => {
  const { store, search } = openStore(t)
  const long = 'x'.repeat(10_000)
  const invalid = Buffer.concat([
    Buffer.of(0x81, 0xa3),
    Buffer.from('log'),
    Buffer.of(0xa7, 0xff, 0xfe, 0x61, 0x62, 0x20, 0xed, 0xa0),
  ])
  store.write(
    makeBatch([
      { tag: `t.${long}`, events: [{ record: { log: 'nul\0byte \x7fdel' } }, { record: invalid }] },
      { tag: `'"; DROP TABLE events; --`, events: [{ record: { 'k"\'; --': 'quoted', '': 'empty key' } }] },
    ]),
  )
  const found = (text: string) => hitsOf(search, text)
  assert.equal(await found('"nul byte"'), 1)
  assert.equal(await found('ab'), 1)
  assert.equal(await found('tag:t.*'), 2)
  assert.equal(await found(`${'x'.repeat(4_000)}*`), 2)
  assert.equal(await found('"drop table events"'), 1)
  assert.equal(await found(`"k\\"'; --":quoted`), 1)
  assert.equal(await found('"":"empty key"'), 1)
  assert.equal(await countOf(search), 3)
})

test('of a huge value the beginning is indexed and the whole is stored', async (t) => {
  const { store, search } = openStore(t)
  const log = `begin ${'y'.repeat(3 * 1024 * 1024)} end`
  store.write(batchOf({ log }, { log: 'small' }))
  const { hits } = await search.search({ text: 'begin', limit: 1 })
  assert.equal(JSON.parse(hits[0]!.json).log, log)
  assert.ok(log.length > INDEXED_BYTES_MAX)
  assert.deepEqual((await search.search({ text: 'end', limit: 1 })).hits, [])
})

test('a page of large events is cut short and says where to go on', async (t) => {
  const { store, search } = openStore(t)
  const large = Array.from({ length: 6 }, (_, n) => ({ n, log: 'z'.repeat(2 * 1024 * 1024) }))
  store.write(batchOf(...large))
  const first = await search.search({ text: '', limit: 100 })
  const second = await search.search({ text: '', limit: 100, before: first.next! })
  assert.deepEqual([first.hits.length, second.hits.length, second.next], [4, 2, undefined])
})

test('events deeper or odder than an index likes do not stop the others', async (t) => {
  const { store, search } = openStore(t)
  let deep: unknown = 'bottom'
  for (let depth = 0; depth < 30; depth++) deep = depth % 2 === 0 ? [deep] : { k: deep }
  const many = Object.fromEntries(up(0, 1_000).map((n) => [`key${n}`, n]))
  store.write(batchOf({ deep }, many, {}, Buffer.concat([Buffer.of(0x81, 0xc0), packValue('nil key')])))
  for (const text of ['bottom', 'key999:999', 'null:"nil key"']) assert.equal(await hitsOf(search, text), 1, text)
  assert.equal(await countOf(search), 4)
})

test('positions that come again are stored once, whatever the batches', async (t) => {
  const { store, search, directory } = openStore(t)
  store.write(numbered(0, 10))
  store.write(numbered(10, 10, { receivedMs: DEFAULT_RECEIVED_MS + HOUR_MS }))
  store.write(numbered(20, 3, { receivedMs: DEFAULT_RECEIVED_MS + 2 * HOUR_MS }))
  store.write(numbered(5, 20, { receivedMs: DEFAULT_RECEIVED_MS + 2 * HOUR_MS }))
  assert.equal(slicesOf(directory).length, 3)
  assert.deepEqual(numbersOf(await search.search({ text: '', limit: 100 })), up(0, 25).reverse())
  assert.equal(await countOf(search, 'n24'), 1)
})

test('a replay brings what was not stored, before and between what was', async (t) => {
  const { store, search } = openStore(t)
  store.write(numbered(100, 3))
  store.write(numbered(105, 3, { receivedMs: DEFAULT_RECEIVED_MS + HOUR_MS }))
  store.write(numbered(98, 12))
  assert.deepEqual(numbersOf(await search.search({ text: '', limit: 100 })), up(98, 110).reverse())
  assert.deepEqual(numbersOf(await search.search({ text: 'parity:odd', limit: 100 })), [109, 107, 105, 103, 101, 99])
})

test('a store that is opened again goes on in its newest slice', async (t) => {
  const { store, search, directory } = openStore(t)
  store.write(numbered(0, 3))
  store.close()
  store.write(numbered(2, 3))
  assert.equal(slicesOf(directory).length, 1)
  assert.deepEqual(numbersOf(await search.search({ text: '', limit: 10 })), [4, 3, 2, 1, 0])
})

test('a slice goes when its newest event is older than keep_age, the last one too', async (t) => {
  const { store, search, directory, clock } = openStore(t, { keepAgeMs: 3 * HOUR_MS })
  store.write(numbered(0, 5))
  store.write(numbered(5, 5, { receivedMs: DEFAULT_RECEIVED_MS + HOUR_MS }))
  assert.equal(await countOf(search), 10)
  clock.nowMs = DEFAULT_RECEIVED_MS + 3 * HOUR_MS + 1
  store.expire()
  assert.deepEqual(numbersOf(await search.search({ text: '', limit: 10 })), [9, 8, 7, 6, 5])
  clock.nowMs += HOUR_MS
  store.expire()
  assert.deepEqual(readdirSync(directory), [])
  assert.equal(await countOf(search), 0)
  store.write(numbered(10, 1, { receivedMs: clock.nowMs }))
  assert.equal(await countOf(search), 1)
})

test('the oldest slices go when all are larger than keep_size', async (t) => {
  const keepSizeBytes = 2 * 1024 * 1024
  const { store, search, directory } = openStore(t, { keepSizeBytes })
  const noise = (n: number) => createHash('sha512').update(String(n)).digest('hex').replace(/.{10}/g, '$& ').repeat(3)
  for (let n = 0; n < 60; n++) {
    store.write(
      makeBatch([{ position: n * 100, events: up(0, 100).map((i) => ({ record: { log: noise(n * 100 + i) } })) }]),
    )
  }
  const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
  assert.ok(bytes < keepSizeBytes * 1.5 && bytes > keepSizeBytes / 2, `${bytes} bytes are kept`)
  const { hits } = await search.search({ text: '', limit: 1 })
  assert.equal(hits[0]?.cursor, '6000')
  assert.ok((await countOf(search)) < 6_000)
})

test('searches answer while the store is written to', async (t) => {
  const { store, search } = openStore(t)
  const answers: Promise<number>[] = []
  for (let n = 0; n < 30; n++) {
    store.write(numbered(n * 50, 50))
    answers.push(countOf(search, 'parity:even'))
    await new Promise((resolve) => setImmediate(resolve))
  }
  const counts = await Promise.all(answers)
  assert.ok(
    counts.every((count) => count % 25 === 0),
    counts.join(),
  )
  assert.equal(await countOf(search, 'even'), 750)
})

test('a slice that cannot be read is set aside, and the store goes on', async (t) => {
  const { store, search, directory, log } = openStore(t)
  store.write(numbered(0, 5))
  store.write(numbered(5, 5, { receivedMs: DEFAULT_RECEIVED_MS + HOUR_MS }))
  store.close()
  const [oldest] = slicesOf(directory)
  writeFileSync(join(directory, oldest!), 'this is no database, whatever its name says'.repeat(200))
  assert.deepEqual(numbersOf(await search.search({ text: '', limit: 10 })), [9, 8, 7, 6, 5])
  store.write(numbered(10, 1, { receivedMs: DEFAULT_RECEIVED_MS + HOUR_MS }))
  assert.ok(readdirSync(directory).includes(`${oldest}.damaged`))
  assert.ok(log.said.some(({ fields }) => (fields as { code?: string }).code === 'LB-O005'))
  assert.deepEqual(numbersOf(await search.search({ text: '', limit: 10 })), [10, 9, 8, 7, 6, 5])
})

test('a damaged page within a slice costs that slice and nothing else', async (t) => {
  const { store, search, directory } = openStore(t)
  store.write(numbered(0, 3_000))
  store.write(numbered(3_000, 5, { receivedMs: DEFAULT_RECEIVED_MS + HOUR_MS }))
  store.close()
  const path = join(directory, slicesOf(directory)[0]!)
  const bytes = readFileSync(path)
  bytes.fill(0xa5, 4_096 * 3)
  writeFileSync(path, bytes)
  const page = await search.search({ text: 'odd', limit: 10 })
  assert.deepEqual([numbersOf(page), page.partial], [[3003, 3001], true])
})

test('a damaged block is found out, and costs its slice', async (t) => {
  const { store, search, directory, log } = openStore(t)
  store.write(numbered(0, 3))
  store.write(numbered(3, 3, { receivedMs: DEFAULT_RECEIVED_MS + HOUR_MS }))
  store.close()
  const db = new DatabaseSync(join(directory, slicesOf(directory)[1]!))
  db.exec(`UPDATE blocks SET body = substr(body, 1, 20) || x'00112233' || substr(body, 25)`)
  db.close()
  const page = await search.search({ text: '', limit: 10 })
  assert.deepEqual([numbersOf(page), page.partial], [[2, 1, 0], true])
  assert.equal(log.said.length, 1)
})

test('a slice of another format is set aside', async (t) => {
  const { store, search, directory } = openStore(t)
  store.write(numbered(0, 5))
  store.close()
  const db = new DatabaseSync(join(directory, slicesOf(directory)[0]!))
  db.exec('PRAGMA user_version = 99')
  db.close()
  store.write(numbered(5, 1))
  assert.deepEqual(numbersOf(await search.search({ text: '', limit: 10 })), [5])
})

test('questions beyond the bounds are refused and do no harm', async (t) => {
  const { store, search } = openStore(t)
  store.write(numbered(0, 3))
  const isBadQuery = (error: unknown) => error instanceof LogboomError && error.code === 'LB-Q001'
  await assert.rejects(search.search({ text: '"open', limit: 10 }), isBadQuery)
  await assert.rejects(search.search({ text: '', before: `1'; --`, limit: 10 }), isBadQuery)
  const many = await Promise.allSettled(up(0, 100).map(() => search.search({ text: 'even', limit: 1 })))
  const refused = many.filter((each) => each.status === 'rejected').map(({ reason }) => reason.code)
  assert.ok(refused.length > 0 && refused.every((code) => code === 'LB-Q003'))
  assert.equal((await search.search({ text: '', limit: 1e9 })).hits.length, 3)
  assert.equal((await search.search({ text: '', fromMs: Number.NaN, toMs: 1e300, limit: Number.NaN })).hits.length, 1)
  await search.close()
  await assert.rejects(search.fields({ text: '', limit: 1 }), { code: 'LB-Q003' })
})
