/**
 * The failover pair from the project's own compose file: nginx by Docker's driver to an agent, primary and standby,
 * three stores, and Prometheus. Each request has an id in its path, so that what is lost or doubled has a name.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FluentClient } from '@fluent-org/logger'
import { dashboard, questionsOf } from '../services/grafana-dashboard.ts'
import { need } from '../services/launchers/availability.ts'
import { startForwarder } from './failover-pair/keyless.ts'
import { type Stack, startStack, until } from './failover-pair/stack.ts'
import { type Document, idOf, idsIn, openStores, type StoreName, type Stores } from './failover-pair/stores.ts'
import { reportRow } from './rows.ts'

const REQUESTS = 101
/** How long the primary is paused, and how many requests a second go on meanwhile. */
const STOP_MS = Number(process.env.LOGBOOM_TEST_STOP_MS ?? 15_000)
const RATE = 20
const INPUT = 'logboom_input_events_total'
const ORDER = 'WARN order=17 the card was refused'
const APACHE = '10.1.1.7 - alice [25/Nov/2026:10:00:00 +0000] "GET /?id=apache HTTP/1.1" 404 209 "-" "curl/8.1"'

const idsOf = (phase: string, count: number) => Array.from({ length: count }, (_, i) => `${phase}-${i + 1}`)

async function request(stack: Stack, id: string, webapp: 'WEBAPP1_PORT' | 'WEBAPP2_PORT' = 'WEBAPP1_PORT') {
  const response = await fetch(`${stack.urlOf(webapp)}/?id=${id}`)
  assert.equal(response.status, 200)
  assert.match(await response.text(), /Simple Static Content/)
}

/** How often each of the ids stands in a store. */
async function countsIn(stores: Stores, name: StoreName, ids: readonly string[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>(ids.map((id) => [id, 0]))
  for (const id of idsIn(await stores.all[name]())) if (counts.has(id)) counts.set(id, counts.get(id)! + 1)
  return counts
}

const doubled = (counts: ReadonlyMap<string, number>) => [...counts].filter(([, count]) => count !== 1)

async function untilMore(stack: Stack, of: 'primary' | 'standby'): Promise<void> {
  const before = await stack.metric(of, INPUT)
  await until(`${of} receives`, async () => (await stack.metric(of, INPUT)) > before)
}

/** Requests at RATE until `isOver`. @returns their ids. */
async function requestUntil(stack: Stack, phase: string, isOver: () => boolean): Promise<string[]> {
  const sent: Promise<void>[] = []
  const ids: string[] = []
  while (!isOver()) {
    const id = `${phase}-${ids.length + 1}`
    ids.push(id)
    sent.push(request(stack, id))
    await sleep(1000 / RATE)
  }
  await Promise.all(sent)
  return ids
}

/** An app that speaks Forward itself, with acks. */
async function sendStraight(stack: Stack, tag: string, record: object): Promise<void> {
  const socket = { host: '127.0.0.1', port: stack.portOf('AGENT_PORT') }
  const client = new FluentClient(tag, { socket, ack: { ackTimeout: 30_000 } })
  await client.emit(record)
  await client.shutdown()
}

/** @returns the lines of the answer. Throws when the question is wrong, or nobody answers. */
async function askPrometheus(url: string, query: string): Promise<unknown[]> {
  const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`)
  const answer = (await response.json()) as { status: string; error?: string; data: { result: unknown[] } }
  assert.equal(answer.status, 'success', `${query}: ${answer.error}`)
  return answer.data.result
}

async function documentWith(stores: Stores, key: string, value: unknown): Promise<Document> {
  let found: Document | undefined
  await until(`a document with ${key} ${value}`, async () => {
    found = (await stores.all.elasticsearch()).find((document) => document[key] === value)
    return found !== undefined
  })
  return found!
}

interface Check {
  readonly stack: Stack
  readonly stores: Stores
  readonly t: TestContext
}

async function oneAgent({ stack, stores }: Check): Promise<void> {
  await request(stack, 'b1-1', 'WEBAPP1_PORT')
  await request(stack, 'b1-2', 'WEBAPP2_PORT')
  await stores.untilStored(['b1-1', 'b1-2'])
  const documents = (await stores.all.elasticsearch()).filter((document) => idOf(document)?.startsWith('b1-'))
  const tags = documents.map((document) => String(document['@log_name'])).sort()
  assert.match(tags[0]!, /^docker\.[0-9a-f]{12}$/)
  assert.match(tags[1]!, /^docker\.nginx\.[0-9a-f]{12}$/)
  for (const { container_id: id, '@log_name': tag } of documents) {
    assert.equal(String(tag).split('.').at(-1), String(id).slice(0, 12))
  }
  reportRow('B1', `2 containers through Docker's fluentd driver to 1 agent, each under the tag of its own id`)
}

async function matchingOnly({ stack, stores }: Check): Promise<void> {
  await sendStraight(stack, 'shop.other', { log: 'not for the forwarders' })
  await sendStraight(stack, 'docker.after', { log: 'GET /?id=b2-1' })
  await stores.untilStored(['b2-1'])
  const others = (await stores.all.mongodb()).filter(({ tag }) => !String(tag).startsWith('docker.'))
  assert.deepEqual(others, [])
  const [primary, standby] = [await stack.metric('primary', INPUT), await stack.metric('standby', INPUT)]
  // On a busy machine a heartbeat may be late for once.
  assert.ok(primary > standby)
  reportRow(
    'B2',
    `of docker.after and shop.other only the first went on; primary ${primary}, standby ${standby} events`,
  )
}

async function hundredAndOne({ stack, stores }: Check): Promise<void> {
  const ids = idsOf('b4', REQUESTS)
  for (const id of ids) await request(stack, id)
  await stores.untilStored(ids)
  for (const name of ['mongodb', 'elasticsearch', 's3'] as const) {
    assert.deepEqual(doubled(await countsIn(stores, name, ids)), [], name)
  }
  reportRow(
    'B4',
    `${REQUESTS} requests: ${REQUESTS} documents in MongoDB, ${REQUESTS} in Elasticsearch, ${REQUESTS} lines in S3`,
  )
  const day = new Date().toISOString().slice(0, 10)
  const keys = await stores.keys()
  assert.ok(
    keys.every((key) => /^logs\/\d{4}-\d\d-\d\d\/\d\d_\d+\.gz$/.test(key)),
    keys.join(' '),
  )
  const indices = new Set((await stores.all.elasticsearch()).map(({ _index }) => String(_index)))
  assert.ok(
    [...indices].every((name) => /^logstash-\d{4}\.\d\d\.\d\d$/.test(name)),
    [...indices].join(' '),
  )
  reportRow(
    'B3',
    `3 stores: applogs.docker, ${[...indices].join(' ')}, ${keys.length} objects such as logs/${day}/HH_N.gz`,
  )
}

async function pausedUnderLoad({ stack, stores, t }: Check): Promise<void> {
  let isOver = false
  t.after(() => {
    isOver = true
  })
  const load = requestUntil(stack, 'b5', () => isOver)
  await untilMore(stack, 'primary')
  await stack.project.compose('pause', 'primary')
  const pausedMs = performance.now()
  await untilMore(stack, 'standby')
  const takeoverMs = performance.now() - pausedMs
  await sleep(Math.max(0, STOP_MS - takeoverMs))
  await stack.project.compose('unpause', 'primary')
  // What came before the pause and was not acknowledged is stored with the return: then again only what is new.
  await stack.untilDrained('primary')
  await untilMore(stack, 'primary')
  isOver = true
  const ids = await load
  // Its window ends last: when it is in S3, all before it is.
  await request(stack, 'last')
  await stores.untilStored([...ids, 'last'])
  for (const name of ['agent', 'primary', 'standby'] as const) await stack.untilDrained(name)
  for (const name of ['mongodb', 'elasticsearch'] as const) {
    assert.deepEqual(doubled(await countsIn(stores, name, ids)), [], name)
  }
  const lines = (await stores.all.s3()).filter((line) => ids.includes(idOf(line) ?? ''))
  const events = new Set(lines.map(({ event_id: id }) => id))
  assert.equal(events.size, ids.length, 'a line that came twice must have the event id of the other')
  const standby = await stack.metric('standby', INPUT)
  t.diagnostic(`takeover after ${takeoverMs.toFixed(0)} ms`)
  reportRow(
    'B5',
    `${ids.length} requests, primary paused for ${STOP_MS / 1000} s: ${ids.length} documents in MongoDB and ` +
      `Elasticsearch each, 0 doubled; S3 ${events.size} events, ${lines.length - events.size} of them on two lines, ` +
      `told by event_id; ${standby} came by the standby, after ${(takeoverMs / 1000).toFixed(1)} s`,
  )
}

async function prometheusScrapes({ stack, t }: Check): Promise<void> {
  await stack.project.compose('up', '--detach', '--no-build', 'prometheus')
  const ask = (query: string) => askPrometheus(stack.urlOf('PROMETHEUS_PORT'), query)
  const scraped = async () => (await ask('up{job="logboom"} == 1').catch(() => [])).length === 3
  await until('three targets are up', scraped)
  // Rates need a second sample.
  await until('rates are there', async () => (await ask(`rate(${INPUT}[1m])`)).length > 0)
  const silent: string[] = []
  for (const { title, expr } of questionsOf(dashboard)) if ((await ask(expr)).length === 0) silent.push(title)
  t.diagnostic(`${silent.length} panels without a line: ${silent.join(', ')}`)
  // Nothing was retried or refused within the last minute, or else there is a line.
  const mayBeSilent = new Set(['Retries', 'Refused at the inputs'])
  assert.deepEqual(
    silent.filter((title) => !mayBeSilent.has(title)),
    [],
  )
  const rules = await fetch(`${stack.urlOf('PROMETHEUS_PORT')}/api/v1/rules`)
  assert.match(await rules.text(), /"LogboomStandbyInUse".*"health":"ok"/)
}

async function parsedByTag({ stack, stores }: Check): Promise<void> {
  await request(stack, 'b6-nginx', 'WEBAPP2_PORT')
  await sendStraight(stack, 'docker.orders.shop', { log: ORDER })
  await sendStraight(stack, 'docker.apache.shop', { log: APACHE })
  const nginx = await documentWith(stores, 'path', '/?id=b6-nginx')
  assert.deepEqual([nginx.method, String(nginx.code)], ['GET', '200'])
  const order = await documentWith(stores, 'order', '17')
  assert.deepEqual([order.level, order.message], ['WARN', 'the card was refused'])
  const apache = await documentWith(stores, 'path', '/?id=apache')
  assert.deepEqual([apache.user, String(apache.code)], ['alice', '404'])
  assert.equal(Date.parse(String(apache['@timestamp'])), Date.parse('2026-11-25T10:00:00Z'))
  reportRow('B6', 'lines of nginx, Apache and an own format parsed by their tags; two of them straight from an app')
}

async function keylessByRole({ stack, stores, t }: Check): Promise<void> {
  const forwarder = await startForwarder(t, stack)
  await forwarder.send('docker.keyless', { log: 'GET /?id=b6-keyless' })
  await stores.untilStored(['b6-keyless'])
  assert.ok(forwarder.asked() > 0)
  reportRow(
    'B6',
    `S3 without a key in configuration or environment: the role of a task gave it (asked ${forwarder.asked()}×)`,
  )
}

/** In this order. */
const CHECKS: Readonly<Record<string, (check: Check) => Promise<void>>> = {
  'B1: two containers, one agent': oneAgent,
  'B2: docker.** goes on, to the primary while it lives': matchingOnly,
  'B3, B4: 101 requests': hundredAndOne,
  'B5: the primary is paused and goes on, under load': pausedUnderLoad,
  'Prometheus scrapes the three, and the dashboard has its answers from it': prometheusScrapes,
  'B6: other log types, parsed by their tags; straight from an app': parsedByTag,
  'B6: no key in the configuration: the role of the task gives it': keylessByRole,
}

test('the failover pair', async (t) => {
  const stack = await need(t, startStack)
  if (stack === undefined) return
  const stores = openStores(stack)
  t.after(async () => {
    await stores.close()
    await stack.close()
  })

  for (const [title, check] of Object.entries(CHECKS)) await t.test(title, (t) => check({ stack, stores, t }))
})
