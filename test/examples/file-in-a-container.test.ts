/** Example A: a file in a container, rotated by logrotate, followed by a tailer that is killed, to two destinations. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { GetObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3'
import { parse, parseAllDocuments } from 'yaml'
import { connectForward } from '../e2e/forward-client.ts'
import { runVerb } from '../e2e/program.ts'
import { ask, documentsOf } from '../e2e/search-client.ts'
import { findProgram, need } from '../services/launchers/availability.ts'
import { kubernetesValidator } from '../services/launchers/kubernetes-validator.ts'
import { connectionsTo } from './file-in-a-container/connections.ts'
import { EXAMPLE, Pod, type Site, startSite } from './file-in-a-container/site.ts'
import { reportRow } from './rows.ts'

const INTERVAL_MS = 5
const KILLS = Number(process.env.LOGBOOM_TEST_KILLS ?? 3)
/** Real tailers in all, and agents that only connect and send beside them. */
const TAILERS = Number(process.env.LOGBOOM_TEST_REPLICAS ?? 4)
const AGENTS = 100
const EVENTS_OF_EACH = 30
const ARRIVAL_LIMIT_MS = 180_000
const POLL_MS = 250
/** One for each request under way: `concurrency` of the output is 2 where it is not set. */
const CONNECTIONS_MAX = 2
/** Looked at so often while agents send. */
const LOOK_MS = 20

interface Stored {
  readonly tag: string
  readonly i: number
}

test('example A', async (t) => {
  const site = await need(t, () => startSite(t))
  if (site === undefined) return
  await t.test('A1 to A5: one pod, its file rotated, its tailer killed', (t) => onePod(t, site))
  await t.test('A6: many pods, and the connections to Elasticsearch', (t) => manyPods(t, site))
  await t.test('A3: Fluent Bit as the tailer', (t) => fluentBit(t, site))
})

async function onePod(t: TestContext, site: Site): Promise<void> {
  const pod = new Pod(t, site, 'pod-0')
  pod.startApp(INTERVAL_MS)
  await pod.startTailer()
  for (let kill = 0; kill < KILLS; kill += 1) {
    // Three old files are kept: one that is deleted before it was read is nobody's fault but ours.
    await untilStored(site, pod, pod.written())
    await pod.rotate()
    await pod.tailer!.kill()
    // Renamed while nobody looks: the tailer must find the rest of it.
    await pod.rotate()
    await pod.startTailer()
    await pod.rotate()
  }
  const lines = await pod.stopApp()
  const files = readdirSync(path.dirname(pod.logFile)).filter((name) => name.startsWith('events.log'))
  assert.deepEqual(files.sort(), ['events.log', 'events.log.1', 'events.log.2', 'events.log.3'])
  await untilStored(site, pod, lines)
  await pod.tailer!.untilDrained()
  await site.aggregator.untilDrained()
  const wanted = Array.from({ length: lines }, (_, i) => i)
  const found = await inSearch(site, pod.name)
  assert.deepEqual(found, wanted)
  const archived = await untilArchived(site, pod, lines)
  assert.deepEqual(archived, wanted)
  reportRow('A1', `${lines} lines to one file, opened anew ${pod.rotations} times on SIGHUP`)
  reportRow('A2', `${pod.rotations} rotations by logrotate with \`rotate 3\`, \`size 1k\`: 3 old files are left`)
  reportRow('A3', `${found.length} of ${lines} lines by way of the tailer and its durable positions`)
  const doubled = found.length + archived.length - 2 * lines
  reportRow('A4', `${lines} lines over ${pod.rotations} rotations and ${KILLS} kills -9: 0 lost, ${doubled} doubled`)
  reportRow('A5', `${found.length} documents in Elasticsearch, ${archived.length} lines in S3`)
}

/** Counted in Elasticsearch: what was sent twice is one document there. */
async function untilStored(site: Site, pod: Pod, lines: number): Promise<void> {
  const limit = performance.now() + ARRIVAL_LIMIT_MS
  for (let count = 0; (count = await countInSearch(site, pod.name)) < lines; await sleep(POLL_MS)) {
    if (performance.now() > limit) throw new Error(`${count} of ${lines} lines of ${pod.name} were stored`)
  }
}

async function countInSearch({ search }: Site, pod: string): Promise<number> {
  await ask(`${search.url}/events-*/_refresh`, 'POST')
  const query = { term: { 'tag.keyword': `app.${pod}` } }
  return (await ask(`${search.url}/events-*/_count`, 'POST', { query })).count as number
}

/** The numbers of one pod's lines, in their order, as often as they are there. */
async function inSearch({ search }: Site, pod: string): Promise<number[]> {
  await ask(`${search.url}/events-*/_refresh`, 'POST')
  const numbers: number[] = []
  for await (const document of documentsOf(search.url, 'events-*', ['i', 'tag'])) {
    const { tag, i } = document as unknown as Stored
    if (tag === `app.${pod}`) numbers.push(i)
  }
  return numbers.sort((a, b) => a - b)
}

async function inArchive({ archive }: Site, pod: string): Promise<number[]> {
  const numbers: number[] = []
  for await (const { Contents = [] } of paginateListObjectsV2({ client: archive.client }, { Bucket: 'events' })) {
    for (const { Key } of Contents) {
      const { Body } = await archive.client.send(new GetObjectCommand({ Bucket: 'events', Key: Key! }))
      const text = gunzipSync(await Body!.transformToByteArray()).toString()
      const lines = text.split('\n').filter(Boolean)
      const own = lines.map((line) => JSON.parse(line) as Stored).filter(({ tag }) => tag === `app.${pod}`)
      numbers.push(...own.map(({ i }) => i))
    }
  }
  return numbers.sort((a, b) => a - b)
}

/** An object is stored when its window and its grace are over, not before. */
async function untilArchived(site: Site, pod: Pod, lines: number): Promise<number[]> {
  const limit = performance.now() + ARRIVAL_LIMIT_MS
  for (;;) {
    const numbers = await inArchive(site, pod.name)
    if (numbers.length >= lines || performance.now() > limit) return numbers
    await sleep(POLL_MS)
  }
}

async function manyPods(t: TestContext, site: Site): Promise<void> {
  await manifests(t)
  const one = await mostConnections(site, () => load(t, site, 'few', { tailers: 1, agents: 0 }))
  const many = await mostConnections(site, () => load(t, site, 'many', { tailers: TAILERS, agents: AGENTS }))
  assert.ok(one >= 1 && one <= CONNECTIONS_MAX, `${one} connections`)
  assert.ok(many <= CONNECTIONS_MAX, `${many} connections`)
  reportRow(
    'A6',
    `at most ${one} connections to Elasticsearch with 1 tailer, ${many} with ${TAILERS} and ${AGENTS} more agents; ` +
      'Pod and Deployment are valid for Kubernetes',
  )
}

async function mostConnections({ aggregator, search }: Site, during: () => Promise<void>): Promise<number> {
  const port = Number(new URL(search.url).port)
  let most = 0
  let isOver = false
  const looking = (async () => {
    while (!isOver) {
      most = Math.max(most, connectionsTo(aggregator.pid, port))
      await sleep(LOOK_MS)
    }
  })()
  await during().finally(() => {
    isOver = true
  })
  await looking
  return most
}

async function load(
  t: TestContext,
  site: Site,
  name: string,
  { tailers, agents }: { tailers: number; agents: number },
): Promise<void> {
  const pods = Array.from({ length: tailers }, (_, index) => new Pod(t, site, `${name}-${index}`))
  const sending = Array.from({ length: agents }, async (_, index) => {
    const client = await connectForward(site.forwardPort)
    t.after(() => client.destroy())
    for (let i = 0; i < EVENTS_OF_EACH; i += 1) await client.sendEvent(`app.agent-${index}`, { i })
  })
  for (const pod of pods) {
    pod.startApp(INTERVAL_MS)
    await pod.startTailer()
  }
  await Promise.all(sending)
  for (const pod of pods) await everyLine(site, pod)
}

async function everyLine(site: Site, pod: Pod): Promise<void> {
  const lines = await pod.stopApp()
  await untilStored(site, pod, lines)
  assert.equal(await countInSearch(site, pod.name), lines, pod.name)
}

/** What Kubernetes says of them, and that what they hold of other files is the same. */
async function manifests(t: TestContext): Promise<void> {
  const read = (name: string) => readFileSync(path.join(EXAMPLE, name), 'utf8')
  const { data } = parse(read('config.yaml')) as { data: Record<string, string> }
  assert.equal(data['tailer.yaml'], read('tailer.yaml'))
  assert.equal(data['logrotate.conf'], read('logrotate/logrotate.conf'))
  const [pod, deployment] = ['pod.yaml', 'deployment.yaml'].map((name) => parseAllDocuments(read(name))[0]!.toJS())
  assert.deepEqual(deployment.spec.template.spec, pod.spec)
  const validate = await need(t, kubernetesValidator)
  if (validate === undefined) return
  const files = ['config.yaml', 'pod.yaml', 'deployment.yaml'].map((name) => path.join(EXAMPLE, name))
  assert.deepEqual(await validate(files), { documents: 3, faults: [] })
  const { code, stderr } = await runVerb(EXAMPLE, ['validate', '-c', path.join(EXAMPLE, 'tailer.yaml')])
  assert.equal(code, 0, stderr)
}

async function fluentBit(t: TestContext, site: Site): Promise<void> {
  const program = findProgram('fluent-bit')
  if (program === undefined) {
    t.skip('fluent-bit is not on PATH, and no package registry has it: fluent-bit.conf was not run')
    return
  }
  const pod = new Pod(t, site, 'fluent-bit')
  pod.startApp(INTERVAL_MS)
  pod.startFluentBit(t, program)
  for (let rotation = 0; rotation < 3; rotation += 1) {
    await untilStored(site, pod, pod.written())
    await pod.rotate()
  }
  await everyLine(site, pod)
  reportRow('A3', `with Fluent Bit ${pod.written()} of ${pod.written()} lines over ${pod.rotations} rotations`)
}
