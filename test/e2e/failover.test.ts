/**
 * An agent before a primary and a standby, and behind both one store that tells events by their ids: each event once,
 * whatever becomes of the primary, of the agent, or of the acks between them.
 */
import assert from 'node:assert/strict'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BulkSink, startBulkSink } from '../load/bulk-sink.ts'
import { createRandom } from '../random.ts'
import { type CuttingProxy, startCuttingProxy } from '../services/launchers/cutting-proxy.ts'
import { startLoad } from './load-run.ts'
import { createSite, type Program, ROOT, type Site } from './program.ts'

/** How long the primary is stopped. */
const STOP_MS = Number(process.env.LOGBOOM_TEST_STOP_MS ?? (process.env.CI === 'true' ? 10_000 : 20_000))
const EVENTS = Number(process.env.LOGBOOM_TEST_EVENTS ?? 40_000)
const RATE = 2_000
const SEED = Number(process.env.LOGBOOM_TEST_SEED ?? Date.now() % 1_000_000)
const CONNECTIONS = 2
const HARD_TIMEOUT_MS = 3_000
/** What a busy machine may add to it. */
const SLACK_MS = 5_000
const LIMIT_MS = 60_000

const TIMES = { hard_timeout: `${HARD_TIMEOUT_MS}ms`, recover_wait: '2s', heartbeat_interval: '250ms' }
const pem = (name: string) => path.join(ROOT, 'test/golden/tls', name)
/** How the agent and the receivers speak with one another. */
const WAYS = {
  plain: { input: {}, output: {} },
  'with a key, TLS and zstd': {
    input: { shared_key: 'k3y', tls: { cert_path: pem('server.pem'), private_key_path: pem('server.key') } },
    output: { shared_key: 'k3y', compress: 'zstd', tls: { enabled: true, ca_path: pem('ca.pem') } },
  },
  'with a key and gzip': { input: { shared_key: 'k3y' }, output: { shared_key: 'k3y', compress: 'gzip' } },
}
type Way = (typeof WAYS)[keyof typeof WAYS]

interface Receiver {
  readonly site: Site
  program: Program
}

interface Pair {
  readonly sink: BulkSink
  readonly primary: Receiver
  readonly standby: Receiver
  readonly agent: Receiver
}

/** `before`: the port before the primary, from its own. */
async function startPair(t: TestContext, way: Way, before = async (port: number) => port): Promise<Pair> {
  const sink = await startBulkSink({ keyed: true })
  t.after(() => sink.close())
  const outputs = { search: { type: 'elasticsearch', match: '**', url: sink.url } }
  const start = async (config: Parameters<typeof createSite>[1]): Promise<Receiver> => {
    const site = await createSite(t, config)
    return { site, program: await site.start() }
  }
  const primary = await start({ outputs, forward: way.input })
  const standby = await start({ outputs, forward: way.input })
  const servers = [
    { name: 'primary', host: 'localhost', port: await before(primary.site.forwardPort) },
    { name: 'standby', host: 'localhost', port: standby.site.forwardPort, standby: true },
  ]
  const agent = await start({ outputs: { next: { type: 'forward', servers, ...TIMES, ...way.output } } })
  return { sink, primary, standby, agent }
}

function startAgentLoad({ agent }: Pair, events: number) {
  const options = { events, rate: RATE, connections: CONNECTIONS, batch: 50, reconnect: LIMIT_MS }
  return startLoad({ port: agent.site.forwardPort, mode: 'packed', ...options })
}

const received = ({ program }: Receiver) => program.metric('logboom_input_events_total', 'input="forward"')

async function untilReceived(receiver: Receiver, more: number): Promise<void> {
  const before = await received(receiver)
  await receiver.program.until('receiving', async () => (await received(receiver)) >= before + more, LIMIT_MS)
}

/** Each event once, whichever ways it came. */
async function assertOnce({ sink, agent, primary, standby }: Pair, events: number): Promise<void> {
  for (const { program } of [agent, primary, standby]) await program.untilDrained()
  const { uniqueIds, duplicateIds } = sink.stats
  assert.deepEqual({ uniqueIds, duplicateIds }, { uniqueIds: events, duplicateIds: 0 })
  for (let connection = 0; connection < CONNECTIONS; connection += 1) {
    assert.ok(sink.seen(connection).every((count) => count === 1))
  }
}

const isSaid = ({ program }: Receiver, words: string) => program.stderr.includes(words)

for (const [name, way] of Object.entries(WAYS)) {
  test(`the primary is stopped for ${STOP_MS} ms, ${name}`, async (t) => {
    const pair = await startPair(t, way)
    const { agent, primary, standby, sink } = pair
    const events = Math.round((RATE * (STOP_MS + 15_000)) / 1000)
    const load = startAgentLoad(pair, events)
    await untilReceived(primary, RATE)
    primary.program.signal('SIGSTOP')
    const stoppedMs = performance.now()
    await untilReceived(standby, 1)
    const takeoverMs = performance.now() - stoppedMs
    await sleep(STOP_MS - takeoverMs)
    primary.program.signal('SIGCONT')
    const goesOnMs = performance.now()
    await agent.program.until('back', () => isSaid(agent, 'server primary is back'), LIMIT_MS)
    const backMs = performance.now() - goesOnMs
    await load.report
    await assertOnce(pair, events)
    t.diagnostic(`takeover after ${takeoverMs.toFixed(0)} ms, back after ${backMs.toFixed(0)} ms`)
    t.diagnostic(`${sink.stats.conflicts} events came twice and were told by their ids`)
    assert.ok(takeoverMs < HARD_TIMEOUT_MS + SLACK_MS, `takeover took ${takeoverMs} ms`)
  })
}

test('the primary is killed and started again', async (t) => {
  const pair = await startPair(t, WAYS['with a key and gzip'])
  const { agent, primary, standby, sink } = pair
  const load = startAgentLoad(pair, EVENTS)
  await untilReceived(primary, RATE)
  await primary.program.kill()
  const killedMs = performance.now()
  await untilReceived(standby, 1)
  t.diagnostic(`takeover after ${(performance.now() - killedMs).toFixed(0)} ms`)
  primary.program = await primary.site.start()
  await agent.program.until('back', () => isSaid(agent, 'server primary is back'), LIMIT_MS)
  await load.report
  await assertOnce(pair, EVENTS)
  t.diagnostic(`${sink.stats.conflicts} events came twice and were told by their ids`)
})

test('the agent is killed and started again, three times', async (t) => {
  const pair = await startPair(t, WAYS.plain)
  const { agent, primary, sink } = pair
  const load = startAgentLoad(pair, EVENTS)
  for (let round = 0; round < 3; round += 1) {
    await untilReceived(primary, RATE)
    await agent.program.kill()
    agent.program = await agent.site.start()
  }
  await load.report
  await assertOnce(pair, EVENTS)
  t.diagnostic(`${sink.stats.conflicts} events came twice and were told by their ids`)
})

test('acks get lost between the agent and the primary', async (t) => {
  const proxy = Promise.withResolvers<CuttingProxy>()
  const pair = await startPair(t, WAYS.plain, (port) => startProxy(t, port, proxy))
  const { lose } = await proxy.promise
  lose(0.3)
  const load = startAgentLoad(pair, EVENTS)
  await load.report
  await assertOnce(pair, EVENTS)
  t.diagnostic(`${pair.sink.stats.conflicts} events came twice and were told by their ids`)
  assert.ok((await proxy.promise).cuts > 0)
  assert.ok(pair.sink.stats.conflicts > 0, 'what was not acknowledged must have come to both')
})

test('the way to the primary comes and goes', async (t) => {
  const proxy = Promise.withResolvers<CuttingProxy>()
  const pair = await startPair(t, WAYS['with a key and gzip'], (port) => startProxy(t, port, proxy))
  const { block, unblock } = await proxy.promise
  const load = startAgentLoad(pair, EVENTS)
  for (let round = 0; round < 3; round += 1) {
    await untilReceived(pair.primary, 1)
    block()
    await untilReceived(pair.standby, 1)
    unblock()
  }
  await load.report
  await assertOnce(pair, EVENTS)
  t.diagnostic(`${pair.sink.stats.conflicts} events came twice and were told by their ids`)
})

/** @returns its port. */
async function startProxy(t: TestContext, port: number, made: PromiseWithResolvers<CuttingProxy>): Promise<number> {
  t.diagnostic(`seed ${SEED}`)
  const proxy = await startCuttingProxy(port, createRandom(SEED))
  t.after(() => proxy.close())
  made.resolve(proxy)
  return proxy.port
}
