/** Sockets that systemd has opened: they stay open while the program is killed, restarted and reloaded. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { stringify } from 'yaml'
import { need } from '../services/launchers/availability.ts'
import { freePort } from '../services/launchers/server-process.ts'
import { SocketKeeper } from '../services/launchers/socket-activation.ts'
import { connectForward } from './forward-client.ts'
import { createSite, ROOT } from './program.ts'

const KILLS = 5
const DATAGRAMS = 100
const COMMAND = ['--disable-sigusr1', path.join(ROOT, 'server', 'cli', 'logboom.cjs'), 'run', '-c']

/** Sends one numbered event after the other, each until it is acknowledged; a refused connection ends it. */
class AckedSender {
  acked = 0
  connections = 0
  refused: string | undefined
  #isStopped = false
  readonly #ended: Promise<void>

  constructor(port: number) {
    this.#ended = this.#run(port).catch((error: NodeJS.ErrnoException) => {
      this.refused = error.message
    })
  }

  async #run(port: number): Promise<void> {
    while (!this.#isStopped) {
      const client = await connectForward(port)
      this.connections += 1
      try {
        while (!this.#isStopped) {
          await client.sendEvent('docker.app', { id: `tcp-${this.acked};` })
          this.acked += 1
        }
      } catch {
        // The program died before the ack: the same event again.
      }
      client.destroy()
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ended
  }
}

async function handOver(t: TestContext, extra: { unwanted?: number } = {}) {
  const { folder } = await createSite(t, {})
  const [forward, gelf, admin] = [await freePort(), await freePort(), await freePort()]
  const unix = path.join(folder, 'in.sock')
  const file = path.join(folder, 'handed.yaml')
  const configure = (gelfSettings: object = {}, forwardSettings: object = {}) =>
    writeFileSync(
      file,
      stringify({
        admin: { listen: `127.0.0.1:${admin}` },
        inputs: {
          forward: { listen: `127.0.0.1:${forward}`, ...forwardSettings },
          local: { type: 'forward', listen: `unix:${unix}` },
          gelf: { listen: `127.0.0.1:${gelf}`, ...gelfSettings },
        },
        buffer: { path: path.join(folder, 'handed') },
        outputs: { screen: { type: 'stdout', match: '**', batch: { age: '50ms' } } },
      }),
    )
  configure()
  const streams = [`127.0.0.1:${forward}`, unix]
  if (extra.unwanted !== undefined) streams.push(`127.0.0.1:${extra.unwanted}`)
  const datagrams = [`127.0.0.1:${gelf}`, `127.0.0.1:${forward}`]
  const keeper = await need(t, () => new SocketKeeper(t, { streams, datagrams }, [process.execPath, ...COMMAND, file]))
  if (keeper === undefined) return undefined
  await keeper.until(() => keeper.lines.some((line) => line.startsWith(`Listening on ${unix}`)))
  return { keeper, forward, gelf, unix, configure }
}

async function gelfSender(t: TestContext, port: number) {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  return (id: string) =>
    new Promise<void>((resolve, reject) => {
      const message = JSON.stringify({ version: '1.1', host: 'h', short_message: `${id};` })
      socket.send(message, port, '127.0.0.1', (error) => (error ? reject(error) : resolve()))
    })
}

/** All of `<kind>-0;` to `<kind>-<count - 1>;` that no line holds. */
function missing(lines: readonly string[], kind: string, count: number): number[] {
  const text = lines.filter((line) => line.startsWith('{')).join('\n')
  const seen = new Set([...text.matchAll(new RegExp(`${kind}-(\\d+);`, 'g'))].map(([, number]) => Number(number)))
  return Array.from({ length: count }, (_, index) => index).filter((index) => !seen.has(index))
}

test(`${KILLS} kills under load refuse no connection and lose nothing acknowledged, and datagrams wait`, async (t) => {
  const handed = await handOver(t)
  if (handed === undefined) return
  const { keeper, forward, gelf } = handed
  const sender = new AckedSender(forward)
  const sendGelf = await gelfSender(t, gelf)
  keeper.begin()
  await keeper.untilSaid(/^# pid \d/)
  let datagrams = 0
  for (let kill = 0; kill < KILLS; kill += 1) {
    const goal = sender.acked + 50
    await keeper.until(() => sender.acked >= goal || sender.refused !== undefined)
    keeper.signal('SIGKILL')
    await keeper.untilSaid(/^# ended/)
    // Nobody is there: the kernel keeps them.
    for (let i = 0; i < DATAGRAMS; i += 1) await sendGelf(`udp-${datagrams++}`)
    keeper.begin()
    await keeper.untilSaid(/^# pid \d/)
    await keeper.until(() => missing(keeper.lines, 'udp', datagrams).length === 0)
  }
  await sender.stop()
  await keeper.until(() => missing(keeper.lines, 'tcp', sender.acked).length === 0)
  assert.equal(sender.refused, undefined)
  assert.ok(sender.connections > KILLS, `${sender.connections} connections`)
  process.stdout.write(`# ${KILLS} kills: ${sender.acked} acknowledged, ${datagrams} datagrams sent meanwhile\n`)
})

test('a clean stop and a reload of the inputs refuse nobody either', async (t) => {
  const handed = await handOver(t)
  if (handed === undefined) return
  const { keeper, forward, gelf, configure } = handed
  const sender = new AckedSender(forward)
  const sendGelf = await gelfSender(t, gelf)
  keeper.begin()
  await keeper.untilSaid(/^# pid \d/)
  let datagrams = 0
  for (const limit of [1_001, 1_002, 1_003]) {
    const goal = sender.acked + 20
    await keeper.until(() => sender.acked >= goal || sender.refused !== undefined)
    configure({ connection_limit: limit }, { connection_limit: limit })
    keeper.signal('SIGHUP')
    for (let i = 0; i < DATAGRAMS; i += 1) await sendGelf(`udp-${datagrams++}`)
    await keeper.untilSaid(/"reloaded"/)
    await keeper.until(() => missing(keeper.lines, 'udp', datagrams).length === 0)
  }
  keeper.signal('SIGTERM')
  await keeper.untilSaid(/^# ended/)
  for (let i = 0; i < DATAGRAMS; i += 1) await sendGelf(`udp-${datagrams++}`)
  keeper.begin()
  await keeper.until(() => missing(keeper.lines, 'udp', datagrams).length === 0)
  const goal = sender.acked + 20
  await keeper.until(() => sender.acked >= goal || sender.refused !== undefined)
  await sender.stop()
  await keeper.until(() => missing(keeper.lines, 'tcp', sender.acked).length === 0)
  assert.equal(sender.refused, undefined)
})

test('a Unix socket is served, and heartbeats are; a socket that no input wants is named', async (t) => {
  const unwanted = await freePort()
  const handed = await handOver(t, { unwanted })
  if (handed === undefined) return
  const { keeper, unix, forward } = handed
  const socket = connect({ path: unix })
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  keeper.begin()
  const warning = await keeper.untilSaid(/LB-S014/)
  assert.match(warning, new RegExp(`no input listens on the socket that was handed over: 127.0.0.1:${unwanted} stream`))
  socket.write('["docker.app", 1700000000, {"id": "unix-0;"}]')
  await keeper.until(() => missing(keeper.lines, 'unix', 1).length === 0)
  const heartbeat = createSocket('udp4')
  t.after(() => heartbeat.close())
  heartbeat.send('', forward, '127.0.0.1')
  const [answer] = (await once(heartbeat, 'message')) as [Buffer]
  assert.deepEqual([...answer], [0])
  keeper.signal('SIGTERM')
  await keeper.untilSaid(/^# ended/)
  assert.ok(existsSync(unix), 'the file is of who made it')
  assert.equal(keeper.lines.filter((line) => line.includes('LB-S014')).length, 1)
})
