/** A grid's containers into one Kinesis stream: the record, an outage, a full buffer, 17 tries. Rows C1 to C3. */
import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import type { Program } from '../e2e/program.ts'
import { need } from '../services/launchers/availability.ts'
import { type DockerEngine, startDocker } from '../services/launchers/docker.ts'
import { createStream, type KinesisServer, readStream, startKinesis } from '../services/launchers/kinesis.ts'
import { type Agent, createAgent, loggingOf, STATIC_KEYS, TAG } from './grid-to-kinesis/agent.ts'
import { reportRow } from './rows.ts'

const LINES = Number(process.env.LOGBOOM_TEST_LINES ?? 1_500)
const LIMIT_MS = 120_000
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const KEYS_OF_RECORD = ['container_id', 'container_name', 'log', 'source', 'tag', 'time']
const TRIES = 17
/** So that 17 tries last longer than the outages of these tests, about a minute. */
const PATIENT = { RETRY_MAX_INTERVAL: '10s' }

let kinesis: KinesisServer
let docker: DockerEngine | undefined
before(async () => {
  kinesis = await startKinesis()
})
after(async () => {
  await docker?.close()
  await kinesis?.close()
})

async function engine(t: TestContext): Promise<DockerEngine | undefined> {
  docker ??= await need(t, startDocker)
  return docker
}

/** An agent that writes to a stream of its own. */
async function agentFor(t: TestContext, stream: string, environment: Readonly<Record<string, string>> = {}) {
  await createStream(kinesis.client, stream, 2)
  return createAgent(t, { STREAM: stream, KINESIS_ENDPOINT: kinesis.endpoint, ...STATIC_KEYS, ...environment })
}

const runLogged = (from: DockerEngine, agent: Agent, name: string, script: string) =>
  from.runContainer({ command: ['sh', '-c', script], name, ...loggingOf('redis-test', agent) })

/** Numbered lines, each `bytes` long; the container stays. */
const countUp = (lines: number, bytes = 0) => {
  const fill = `fill = sprintf("%${bytes}s", ""); gsub(/ /, "x", fill)`
  return `awk 'BEGIN { ${fill}; for (i = 0; i < ${lines}; i++) print i, fill }'; sleep 3600`
}

/**
 * Ends a container when the agent has all its lines: the engine drops what the driver has not sent ten seconds after a
 * container's end.
 */
async function endWhenTaken(program: Program, from: DockerEngine, name: string, lines: number): Promise<void> {
  const hasAll = async () => (await program.status()).buffer.next >= lines
  await program.until(`holding ${lines} lines`, hasAll, LIMIT_MS)
  await from.docker(['kill', name])
}

/** How often each number arrived, in the order of the numbers. */
async function arrivals(stream: string): Promise<number[]> {
  const counts: number[] = []
  for (const { data } of await readStream(kinesis.client, stream)) {
    const number = Number.parseInt(JSON.parse(data).log, 10)
    counts[number] = (counts[number] ?? 0) + 1
  }
  return Array.from(counts, (count) => count ?? 0)
}

function assertAllArrived(counts: readonly number[], lines: number): number {
  assert.equal(counts.length, lines)
  assert.equal(counts.indexOf(0), -1, 'a line is lost')
  return counts.reduce((sum, count) => sum + count - 1, 0)
}

test("C1, C2: what a container prints, by Docker's driver, as the record of the grid", async (t) => {
  const grid = await engine(t)
  if (grid === undefined) return
  const agent = await agentFor(t, 'records')
  const program = await agent.start()
  const before = Math.floor(Date.now() / 1_000)
  // One stream each: Docker's driver confuses the acks of two that are busy at a time.
  for (const script of [`echo 'Grüße "quoted"' >&2`, `echo MESSAGE; head -c 40000 /dev/zero | tr '\\0' x; echo`]) {
    const ended = await runLogged(grid, agent, 'redis-test', script)
    assert.equal(ended.code, 0, ended.stderr)
  }
  await program.untilDrained()
  const stored = await readStream(kinesis.client, 'records')
  const records = stored.map(({ data }) => JSON.parse(data) as Record<string, string>)
  const byLog = (a: { log?: string }, b: { log?: string }) => (a.log! < b.log! ? -1 : 1)
  assert.deepEqual(
    records.sort(byLog).map(({ log, source, container_name, tag }) => ({ log, source, container_name, tag })),
    [
      { log: 'Grüße "quoted"', source: 'stderr', container_name: '/redis-test', tag: TAG },
      { log: 'MESSAGE', source: 'stdout', container_name: '/redis-test', tag: TAG },
      { log: 'x'.repeat(40_000), source: 'stdout', container_name: '/redis-test', tag: TAG },
    ],
  )
  reportRow('C1', `3 lines under ${TAG}: 3 records in one stream, one of 40,000 bytes that Docker had cut in three`)
  for (const record of records) {
    assert.deepEqual(Object.keys(record).sort(), KEYS_OF_RECORD)
    assert.match(record.container_id!, /^[0-9a-f]{64}$/)
    assert.match(record.time!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    assert.ok(Date.parse(record.time!) / 1_000 >= before, record.time)
  }
  assert.ok(stored.every(({ data }) => data.endsWith('}')))
  assert.ok(stored.every(({ key }) => UUID.test(key)))
  assert.equal(new Set(stored.map(({ key }) => key)).size, stored.length)
  reportRow('C2', `${records.length} records with ${KEYS_OF_RECORD.join(', ')} and nothing else, each under its UUID`)
})

test('C3: Kinesis is away and the agent is killed while containers log: no line is lost', async (t) => {
  const grid = await engine(t)
  if (grid === undefined) return
  const agent = await agentFor(t, 'outage', PATIENT)
  const program = await agent.start()
  const logging = runLogged(grid, agent, 'outage', countUp(LINES))
  await program.until('delivering', async () => (await program.output('stream')).delivered > 0, LIMIT_MS)
  await kinesis.crash()
  const taken = await program.metric('logboom_input_events_total')
  const isTakingIn = async () => (await program.metric('logboom_input_events_total')) > taken + 20
  await program.until('taking in without Kinesis', isTakingIn, LIMIT_MS)
  await program.kill()
  const again = await agent.start()
  await endWhenTaken(again, grid, 'outage', LINES)
  await logging
  await kinesis.start()
  await again.untilDrained()
  assert.equal((await again.output('stream')).dead, 0)
  const doubles = assertAllArrived(await arrivals('outage'), LINES)
  reportRow('C3', `${LINES} lines, Kinesis away and a kill -9: 0 lost, ${doubles} doubled`)
})

test('C3: a full buffer makes the containers wait, and loses nothing', async (t) => {
  const grid = await engine(t)
  if (grid === undefined) return
  const lines = 400
  const agent = await agentFor(t, 'full', { ...PATIENT, BUFFER_CHUNK_SIZE: '1MiB', BUFFER_MAX_SIZE: '4MiB' })
  const program = await agent.start()
  await kinesis.crash()
  const logging = runLogged(grid, agent, 'full', countUp(lines, 15_000))
  const isFull = async () => (await program.status()).reasons.some((reason) => reason.startsWith('buffer'))
  await program.until('full', isFull, LIMIT_MS)
  const held = await program.metric('logboom_input_events_total')
  assert.ok(held < lines, `${held} of ${lines} lines are in the buffer, and the container waits`)
  assert.match((await grid.docker(['ps', '--format', '{{.Names}}'])).stdout, /^full$/m)
  await kinesis.start()
  await endWhenTaken(program, grid, 'full', lines)
  await logging
  await program.untilDrained()
  assertAllArrived(await arrivals('full'), lines)
  reportRow('C3', `${lines} lines of 15 kB for a buffer of 4 MiB: ${held} fit, the container waited, 0 lost`)
})

test('C3: after 17 tries the events are dead letters, and a replay brings them', async (t) => {
  const grid = await engine(t)
  if (grid === undefined) return
  const agent = await agentFor(t, 'tries')
  const program = await agent.start()
  const { proxy } = kinesis
  const requests = proxy.counts.requests
  proxy.faults.requestFails = 1
  const ended = await runLogged(grid, agent, 'tries', 'echo 0')
  assert.equal(ended.code, 0, ended.stderr)
  const letters = async () => (await program.output('stream')).deadLetters
  await program.until('given up', async () => (await letters()) === 1, LIMIT_MS)
  const tries = proxy.counts.requests - requests
  assert.equal(tries, TRIES)
  proxy.faults.requestFails = 0
  assert.deepEqual(await arrivals('tries'), [])
  const replayed = await agent.run(['dlq', 'replay', 'stream'])
  assert.equal(replayed.stderr, '1 replayed, 0 refused again\n')
  assert.deepEqual(await arrivals('tries'), [1])
  reportRow('C3', `${tries} tries, then a dead letter; replayed: 1 of 1 in the stream`)
})
