/** F37: bombs and floods of chunks by UDP against the running program. Losses are counted, honest senders served. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import { chunk, gelf, tcpSender, udpSender } from '../protocols/gelf/gelf-under-test.ts'
import { freePort } from '../services/launchers/server-process.ts'
import { connectForward } from './forward-client.ts'
import { watchLoopDelay } from './loop-delay.ts'
import { createSite } from './program.ts'

const MIB = 1024 * 1024
const GROWTH_LIMIT_MIB = 200
const ROUNDS = 50
/** Of each round: first chunks of 128 that never come, from as many ids. */
const FIRST_CHUNKS = 400
const BOMBS = [gzipSync(gelf({ x: 'x'.repeat(9 * MIB) })), deflateSync(gelf({ x: 'x'.repeat(60 * MIB) }))]
const GARBAGE = [Buffer.of(0x1e, 0x0f), Buffer.from('hello'), gzipSync(gelf()).subarray(0, 20)]
/** What the input says of them once their time is up. */
const REASONS = ['bomb', 'malformed', 'wrong_protocol', 'chunk_limit', 'chunk_missing', 'kernel_drop']

test('bombs, garbage, floods of chunks: memory and the event loop are bounded, nothing goes uncounted', async (t) => {
  const [forwardPort, gelfPort] = [await freePort(), await freePort()]
  const inputs = { forward: { listen: `127.0.0.1:${forwardPort}` }, gelf: { listen: `127.0.0.1:${gelfPort}` } }
  const site = await createSite(t, { inputs, outputs: { local: {} } })
  const program = await site.start()
  const forward = await connectForward(forwardPort)
  t.after(() => forward.destroy())
  const honest = await tcpSender(gelfPort)
  await forward.sendEvent('docker.web', { log: 'warm' })
  const quietMiB = program.memoryMiB().now
  const assertLoopRan = await watchLoopDelay(program)

  let datagrams = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    const send = await udpSender(gelfPort, `127.0.1.${1 + (round % 20)}`)
    const flood = Array.from({ length: FIRST_CHUNKS }, () => chunk(randomBytes(8), 0, 128, Buffer.alloc(1_000)))
    const all = [...flood, ...BOMBS, ...GARBAGE]
    await send(...all)
    datagrams += all.length
    await honest.write(Buffer.concat([gelf({ round }), Buffer.from('\0')]))
    await forward.sendEvent('docker.web', { log: `round ${round}` })
  }
  const { peak } = program.memoryMiB()
  await assertLoopRan()
  assert.ok(peak - quietMiB < GROWTH_LIMIT_MIB, `${quietMiB} MiB before, ${peak} MiB at most`)

  const countOf = (reason: string) => program.metric('logboom_input_rejected_total', `input="gelf",reason="${reason}"`)
  const counts = async () => Promise.all(REASONS.map(countOf))
  const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, count) => sum + count, 0)
  await program.until('accounting for all', async () => sumOf(await counts()) >= datagrams, 30_000)
  const counted = await counts()
  const delay = await program.metric('logboom_event_loop_delay_seconds')
  process.stdout.write(
    `# ${datagrams} datagrams: ${REASONS.map((reason, i) => `${counted[i]} ${reason}`).join(', ')}; ` +
      `event loop ${delay} s; memory ${quietMiB.toFixed(0)} MiB before, ${peak.toFixed(0)} MiB at most\n`,
  )
  assert.equal(sumOf(counted), datagrams)
  await program.untilDrained()
  for (const [input, events] of [
    ['gelf', ROUNDS],
    ['forward', ROUNDS + 1],
  ] as const) {
    assert.equal(await program.metric('logboom_input_events_total', `input="${input}"`), events)
  }
})
