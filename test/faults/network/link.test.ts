/** Both links do what is asked of them: a judge of networks that lets through what it should stop judges nothing. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRandom } from '../../random.ts'
import { CUT, type Link, startLink } from './link.ts'
import { startProxyLink } from './proxy-link.ts'

const SEED = 7
/** Nothing has come for so long: it is stopped, not only late. */
const SILENCE_MS = 700
const ways: Record<string, (t: TestContext) => Promise<Link>> = {
  'the best link of this machine': (t) => startLink(t, createRandom(SEED)),
  'the proxy': async (t) => {
    const link = startProxyLink('asked for')
    t.after(() => link.close())
    return link
  },
}

/** A server that says what it hears, and a client of it through the link. */
async function startEcho(t: TestContext, link: Link) {
  const heard: Buffer[] = []
  const server = createServer((socket) => {
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    socket.on('data', (read) => {
      heard.push(read)
      socket.write(read)
    })
  })
  await once(server.listen(0, '0.0.0.0'), 'listening')
  t.after(() => server.close())
  const where = await link.lead((server.address() as AddressInfo).port)
  const open = async () => {
    const socket = connect(where)
    const answers: Buffer[] = []
    socket.on('error', () => {}).on('data', (read) => answers.push(read))
    t.after(() => socket.destroy())
    return { socket, answers: () => Buffer.concat(answers).toString() }
  }
  return { open, heard: () => Buffer.concat(heard).toString() }
}

const until = async (isSo: () => boolean) => {
  for (const end = performance.now() + 20_000; !isSo(); await sleep(10)) assert.ok(performance.now() < end, 'in time')
}

for (const [name, start] of Object.entries(ways)) {
  test(`${name}: one direction is stopped, then the other; what was sent comes when it is whole`, async (t) => {
    const link = await start(t)
    t.diagnostic(link.lack ?? link.kind)
    const { open, heard } = await startEcho(t, link)
    const { socket, answers } = await open()
    socket.write('one ')
    await until(() => answers() === 'one ')
    link.set({ toClient: CUT })
    socket.write('two ')
    await until(() => heard() === 'one two ')
    await sleep(SILENCE_MS)
    assert.equal(answers(), 'one ')
    link.set({ toServer: CUT })
    await until(() => answers() === 'one two ')
    socket.write('three')
    await sleep(SILENCE_MS)
    assert.equal(heard(), 'one two ')
    link.heal()
    await until(() => answers() === 'one two three')
  })

  test(`${name}: connections are reset, and counted`, async (t) => {
    const link = await start(t)
    const { open } = await startEcho(t, link)
    const first = await open()
    await once(first.socket, 'connect')
    const before = link.connects
    link.set({ refuses: true })
    const { socket } = await open()
    await closed(socket)
    assert.ok(link.connects > before)
    first.socket.write('who is there')
    await closed(first.socket)
  })

  test(`${name}: a narrow way takes its time, and loses nothing for good`, async (t) => {
    const link = await start(t)
    const { open } = await startEcho(t, link)
    const { socket, answers } = await open()
    await once(socket, 'connect')
    link.set({ toServer: { bytesPerSecond: 16_000, delayMs: 5 } })
    const text = 'x'.repeat(24_000)
    const began = performance.now()
    socket.write(text)
    await until(() => answers() === text)
    assert.ok(performance.now() - began > 1_000, 'sooner than the way is narrow')
  })
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => (socket.destroyed ? resolve() : socket.once('close', () => resolve())))
}
