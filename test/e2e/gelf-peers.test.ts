/**
 * Two programs that share GELF chunks, while one is killed and comes back: every message is stored once, or its chunks
 * are counted as lost, to the last one.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { chunksOf, gelf, udpSender } from '../protocols/gelf/gelf-under-test.ts'
import { freeUdpPorts } from '../services/launchers/server-process.ts'
import { createSite, type Program, type Site } from './program.ts'

const NAMES = ['one', 'two'] as const
const MESSAGES = 40
/** Of each message: 3 times 1,408 bytes and a rest. */
const CHUNKS = 4
const LIMIT_MS = 60_000

async function createSites(t: TestContext) {
  const ports = await freeUdpPorts(4)
  const members = NAMES.map((name, i) => ({ name, host: '127.0.0.1', port: ports[i] }))
  const sites: Site[] = []
  for (const [i, self] of NAMES.entries()) {
    const peers = { shared_key: 'only for this test', self, listen: `127.0.0.1:${ports[i]}`, members }
    const door = { type: 'gelf', listen: `127.0.0.1:${ports[2 + i]}`, peers }
    // `inputs` takes the place of the site's own.
    sites.push(await createSite(t, { inputs: { door }, outputs: { local: {} } }))
  }
  return { sites, doors: ports.slice(2) }
}

const counted = (programs: readonly Program[], name: string, labels = 'input="door"') =>
  Promise.all(programs.map((program) => program.metric(name, labels)))
const stored = async (programs: readonly Program[]) =>
  (await counted(programs, 'logboom_input_events_total')).reduce((sum, count) => sum + count, 0)
const lost = (program: Program) => program.metric('logboom_input_rejected_total', 'reason="peer_unreachable"')

const saysOf = (program: Program, text: string) => program.until(text, () => program.stderr.includes(text), LIMIT_MS)

test('a kill of one costs what it was handed, counted; then the other does all, and shares again', async (t) => {
  const { sites, doors } = await createSites(t)
  const [one, two] = [await sites[0]!.start(), await sites[1]!.start()]
  await Promise.all([saysOf(one, '`two` is there'), saysOf(two, '`one` is there')])
  const senders = await Promise.all(doors.map((port) => udpSender(port!)))
  const message = () => chunksOf(gelf({ full_message: randomBytes(2_100).toString('hex') }), 1_408, randomBytes(8))
  const send = async (ways: readonly (typeof senders)[number][]) => {
    for (let i = 0; i < MESSAGES; i += 1) {
      const chunks = message()
      assert.equal(chunks.length, CHUNKS)
      for (const [at, datagram] of chunks.entries()) await ways[at % ways.length]!(datagram)
    }
  }
  await send(senders)
  await one.until('all stored', async () => (await stored([one, two])) === MESSAGES, LIMIT_MS)
  const [shareOfOne] = await counted([one], 'logboom_input_events_total')
  assert.ok(shareOfOne! > 0 && shareOfOne! < MESSAGES)

  // It is quiet, so what is counted as lost from here on was sent after the kill.
  const beats = () => one.metric('logboom_input_bytes_total')
  const before = await beats()
  await one.until('another beat heard', async () => (await beats()) > before, LIMIT_MS)
  await two.kill()
  await send([senders[0]!])
  await saysOf(one, '`two` is away')
  const kept = (await stored([one])) - shareOfOne!
  assert.equal(kept * CHUNKS + (await lost(one)), MESSAGES * CHUNKS)
  assert.ok(kept > 0 && kept < MESSAGES)

  await send([senders[0]!])
  await one.until('all of it stored', async () => (await stored([one])) === shareOfOne! + kept + MESSAGES, LIMIT_MS)
  const again = await sites[1]!.start()
  await one.until('both together', async () => one.stderr.split('`two` is there').length === 3, LIMIT_MS)
  await saysOf(again, '`one` is there')
  const sum = await stored([one, again])
  await send(senders)
  await one.until('all stored again', async () => (await stored([one, again])) === sum + MESSAGES, LIMIT_MS)
  assert.equal(await lost(one), (MESSAGES - kept) * CHUNKS, 'counted once')
  const handed = await counted([one, again], 'logboom_input_peer_chunks_total', 'direction="handed_on"')
  process.stdout.write(
    `# ${4 * MESSAGES} messages in ${CHUNKS} chunks: ${MESSAGES - kept} lost with the one that was killed, ` +
      `${await lost(one)} chunks counted; ${handed.join(' and ')} chunks handed on\n`,
  )
})
