/** A change of the configuration while containers log, containers of several processes, and syslog. Rows C6 and C7. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectForward } from '../e2e/forward-client.ts'
import { need, needPrograms } from '../services/launchers/availability.ts'
import { run, startDocker } from '../services/launchers/docker.ts'
import { createStream, type KinesisServer, readStream, startKinesis } from '../services/launchers/kinesis.ts'
import { type Agent, createAgent, EXAMPLE, loggingOf, STATIC_KEYS, TAG } from './grid-to-kinesis/agent.ts'
import { reportRow } from './rows.ts'

const LIMIT_MS = 120_000
const POLL_MS = 100

let kinesis: KinesisServer
before(async () => {
  kinesis = await startKinesis()
})
after(() => kinesis?.close())

type StoredEvent = Readonly<Record<string, string>>

async function eventsOf(stream: string): Promise<StoredEvent[]> {
  return (await readStream(kinesis.client, stream)).map(({ data }) => JSON.parse(data) as StoredEvent)
}

const environmentFor = (stream: string) => ({ STREAM: stream, KINESIS_ENDPOINT: kinesis.endpoint, ...STATIC_KEYS })

test('C6: HUP changes the stream; the Forward connection stays, and nothing is lost', async (t) => {
  for (const stream of ['before', 'after']) await createStream(kinesis.client, stream, 1)
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-grid-file-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'logboom.yaml')
  const text = readFileSync(path.join(EXAMPLE, 'logboom.yaml'), 'utf8')
  writeFileSync(file, text)
  const agent = await createAgent(t, environmentFor('before'), file)
  const program = await agent.start()
  const client = await connectForward(agent.forwardPort)
  t.after(() => client.destroy())
  let sent = 0
  const send = () => client.sendEvent(TAG, { log: String(sent++) })
  const startedMs = (await program.status()).startedMs
  while (sent < 50) await send()
  await program.untilDrained()
  writeFileSync(file, text.replace(/^ {4}stream: .*$/m, '    stream: after'))
  program.signal('SIGHUP')
  const isChanged = async () => {
    await send()
    return (await eventsOf('after')).length > 0
  }
  await program.until('writing to the other stream', isChanged, LIMIT_MS)
  await program.untilDrained()
  const [old, now] = [await eventsOf('before'), await eventsOf('after')]
  assert.ok(old.length >= 50 && old.length < sent, `${old.length} of ${sent} are in the first stream`)
  assert.deepEqual(
    [...old, ...now].map(({ log }) => Number(log)).sort((a, b) => a - b),
    Array.from({ length: sent }, (_, number) => number),
  )
  assert.equal(client.isOpen, true)
  assert.equal(await program.metric('logboom_input_connections', 'input="forward"'), 1)
  assert.equal((await program.status()).startedMs, startedMs)
  reportRow('C6', `${sent} events over one connection: ${old.length} in the stream before the HUP, ${now.length} after`)
})

/** Debian's supervisord, lent to a container with the host's /usr and its users. */
const BORROWED = ['/usr', '/lib', '/lib64', '/etc/passwd'].flatMap((folder) => ['--volume', `${folder}:${folder}:ro`])

async function runFat(t: TestContext, agent: Agent, expected: number): Promise<StoredEvent[]> {
  const engine = await startDocker()
  t.after(() => engine.close())
  const conf = path.join(EXAMPLE, 'supervisord.conf')
  const logging = engine.runContainer({
    command: ['/usr/bin/supervisord', '-c', '/etc/supervisord.conf'],
    name: 'fat',
    options: [...BORROWED, '--volume', `${conf}:/etc/supervisord.conf:ro`, '--tmpfs', '/tmp'],
    ...loggingOf('fat', agent),
  })
  const events = () => eventsOf('merged')
  let hasEnded = false
  const supervised = logging.finally(() => {
    hasEnded = true
  })
  while (!hasEnded && (await events()).length < expected) await sleep(POLL_MS)
  await engine.docker(['stop', '--time', '5', 'fat'])
  await supervised
  const oneOff = { command: ['echo', 'the backup is done'], name: 'one-off', ...loggingOf('one-off', agent) }
  const ended = await engine.runContainer(oneOff)
  assert.equal(ended.code, 0, ended.stderr)
  return events()
}

test('C7: the streams of several processes as one, and one-off containers by syslog', async (t) => {
  const programs = { dockerd: 'docker.io', supervisord: 'supervisor', logger: 'bsdutils' }
  if ((await need(t, () => needPrograms(programs))) === undefined) return
  await createStream(kinesis.client, 'merged', 1)
  const agent = await createAgent(t, environmentFor('merged'))
  const program = await agent.start()
  const fat = await runFat(t, agent, 200)
  const printed = fat.filter(({ tag }) => tag === TAG)
  const logsOf = (name: string) => printed.filter(({ log }) => log!.startsWith(name)).map(({ log }) => log)
  for (const name of ['web', 'worker']) {
    assert.deepEqual(
      logsOf(`${name} `),
      Array.from({ length: 100 }, (_, number) => `${name} ${number}`),
    )
  }
  assert.equal(printed.length, 200)
  const server = ['--server', '127.0.0.1', '--port', String(agent.syslogPort), '--tcp']
  const logged = await run('logger', [...server, '--tag', 'cron', '--priority', 'daemon.info', 'by logger'])
  assert.equal(logged.code, 0, logged.stderr)
  const oneOffs = async () => (await eventsOf('merged')).filter(({ tag }) => tag !== TAG)
  await program.until('storing both', async () => (await oneOffs()).length === 2, LIMIT_MS)
  assert.deepEqual(
    (await oneOffs()).map(({ log, container_name, source, tag }) => [log, container_name, source, tag]),
    [
      ['the backup is done', 'one-off', 'syslog', 'grid.oneoff.daemon.info'],
      ['by logger', 'cron', 'syslog', 'grid.oneoff.daemon.info'],
    ],
  )
  reportRow('C7', 'supervisord with 2 processes: 100 lines of each in order; a one-off container and logger: 2 of 2')
})
