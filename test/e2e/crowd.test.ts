/** F33: five thousand clients that say nothing, five hundred that say a byte a second, an honest one beside them. */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { startBulkSink } from '../load/bulk-sink.ts'
import { connectForward, type ForwardClient, pack } from './forward-client.ts'
import { watchLoopDelay } from './loop-delay.ts'
import { createSite, type Program } from './program.ts'

const IDLE = 5_000
const SLOW = 500
const SLOW_BYTES = 10
const SLOW_EVERY_MS = 1_000
/** Connections that are opened at once: as many as the backlog of a listener surely holds. */
const AT_ONCE = 100
const HONEST_EVENTS = 300
const GROWTH_LIMIT_MIB = 200

test('an honest client sees no difference', async (t) => {
  const sink = await startBulkSink()
  t.after(() => sink.close())
  const outputs = { sink: { type: 'elasticsearch', match: '**', url: sink.url, index: 'logs' } }
  const site = await createSite(t, { outputs })
  const program = await site.start()
  const honest = await connectForward(site.forwardPort)
  t.after(() => honest.destroy())
  const alone = await latencies(honest, () => false)
  const quietMiB = program.memoryMiB().now

  const assertLoopRan = await watchLoopDelay(program)
  const crowd = await openSockets(site.forwardPort, IDLE + SLOW)
  t.after(() => {
    for (const socket of crowd) socket.destroy()
  })
  await untilConnected(program, crowd.length + 1)
  const slow = trickle(crowd.slice(IDLE))
  const beside = await latencies(honest, () => slow.isOn)
  await slow.over
  assert.equal(crowd.filter((socket) => socket.destroyed).length, 0, 'nobody was sent away')
  await untilConnected(program, crowd.length + 1)
  const { peak } = program.memoryMiB()
  for (const socket of crowd) socket.destroy()
  await untilConnected(program, 1)
  await honest.sendEvent('docker.web', { log: 'after the crowd' })

  await program.untilDrained()
  const sent = alone.length + beside.length + 1
  assert.equal(await program.metric('logboom_input_events_total'), sent)
  assert.equal(sink.stats.documents, sent)
  const delay = await program.metric('logboom_event_loop_delay_seconds')
  process.stdout.write(
    `# median of the ack: ${median(alone)} ms alone, ${median(beside)} ms beside the crowd; longest ` +
      `${Math.max(...alone).toFixed(1)} and ${Math.max(...beside).toFixed(1)} ms; event loop ${delay} s; ` +
      `memory ${quietMiB.toFixed(0)} MiB alone, ${peak.toFixed(0)} MiB at most\n`,
  )
  await assertLoopRan()
  assert.ok(peak - quietMiB < GROWTH_LIMIT_MIB, `${quietMiB} MiB before, ${peak} MiB at most`)
})

/** One event after the other, so many and on while `goesOn`. Throws when an ack is wrong or does not come. */
async function latencies(client: ForwardClient, goesOn: () => boolean): Promise<number[]> {
  const took: number[] = []
  while (took.length < HONEST_EVENTS || goesOn()) {
    const before = performance.now()
    await client.sendEvent('docker.web', { log: `event ${took.length}` })
    took.push(performance.now() - before)
  }
  return took
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!.toFixed(2)

async function openSockets(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, () => openSocket(port))
    sockets.push(...(await Promise.all(some)))
  }
  return sockets
}

function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    socket.once('error', reject).once('connect', () => resolve(socket.off('error', reject).on('error', () => {})))
    // Without this a socket that the other side has closed is not seen to be.
    socket.resume()
  })
}

const untilConnected = (program: Program, count: number) =>
  program.until(
    `connected to ${count}`,
    async () => (await program.metric('logboom_input_connections', 'input="forward"')) === count,
    30_000,
  )

/** Sends the first bytes of a whole message through each socket, one a second. */
function trickle(sockets: readonly Socket[]): { readonly isOn: boolean; readonly over: Promise<void> } {
  const message = pack(['docker.web', 1_795_180_000, { log: 'never whole' }])
  let sent = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setInterval(() => {
    for (const socket of sockets) socket.write(message.subarray(sent, sent + 1))
    sent += 1
    if (sent < SLOW_BYTES) return
    clearInterval(timer)
    resolve()
  }, SLOW_EVERY_MS)
  return {
    get isOn() {
      return sent < SLOW_BYTES
    },
    over: promise,
  }
}
