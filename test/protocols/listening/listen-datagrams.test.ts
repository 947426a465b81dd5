import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, test } from 'node:test'
import { readUdpTable } from '../../../protocols/listening/kernel-drops.ts'
import { type DatagramListenOptions, listenDatagrams } from '../../../protocols/listening/listen-datagrams.ts'
import { systemClock } from '../../../server/core/clock.ts'
import type { Logger } from '../../../server/core/log.ts'
import { createInputStats } from '../../../server/core/metrics.ts'
import { marksInMemory } from '../marks-in-memory.ts'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

async function listen(options: Partial<DatagramListenOptions> = {}) {
  const received: string[] = []
  const warnings: string[] = []
  let wake = () => {}
  const warn = (_: object, message: string) => warnings.push(message)
  const log: Logger = { debug() {}, info() {}, warn, error: warn, child: () => log }
  const stats = createInputStats()
  const spool = () => Promise.reject(new Error('none'))
  const listener = await listenDatagrams({
    listen: { host: '127.0.0.1', port: 0 },
    key: 'inputs.gelf.listen',
    allow: undefined,
    context: { name: 'gelf', emit: async () => {}, spool, marks: marksInMemory(), stats, log, clock: systemClock },
    receiveBufferBytes: 65_536,
    sockets: 1,
    receive: (datagram) => {
      received.push(datagram.toString('latin1'))
      wake()
    },
    ...options,
  })
  opened.push(() => listener.close())
  const receive = async (count: number) => {
    while (received.length < count) await new Promise<void>((resolve) => (wake = resolve))
    return received
  }
  return { listener, stats, warnings, receive }
}

async function sender() {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  opened.push(async () => socket.close())
  return (text: string | Buffer, port: number) =>
    new Promise<void>((resolve, reject) =>
      socket.send(text, port, '127.0.0.1', (error) => (error === null ? resolve() : reject(error))),
    )
}

test('a datagram of 65,507 bytes is received whole, and an empty one', async () => {
  const { listener, receive, stats } = await listen()
  const send = await sender()
  const large = Buffer.alloc(65_507, 'x')
  await send(large, listener.address.port)
  await send('', listener.address.port)
  assert.deepEqual(await receive(2), [large.toString(), ''])
  assert.equal(stats.bytes, 65_507)
  assert.deepEqual(listener.addresses, [`127.0.0.1:${listener.address.port} udp`])
})

test('several sockets share the port, and all of them are read', async () => {
  const { listener, receive } = await listen({ sockets: 4 })
  for (let i = 0; i < 16; i += 1) await (await sender())(`${i}`, listener.address.port)
  const numbers = (await receive(16)).map(Number).sort((a, b) => a - b)
  assert.deepEqual(numbers, [...Array(16).keys()])
})

test('a taken port is refused, also where the sockets share theirs', async () => {
  const { listener } = await listen()
  for (const sockets of [1, 2]) {
    const again = { listen: listener.address, sockets }
    await assert.rejects(listen(again), { code: 'LB-S001', help: /inputs\.gelf\.listen/ })
  }
  await assert.rejects(listen({ listen: { host: '203.0.113.1', port: 0 } }), { code: 'LB-S002' })
})

test('who is not allowed is counted and not heard', async () => {
  const { listener, receive, stats } = await listen({ allow: { has: () => false } })
  const send = await sender()
  await send('x', listener.address.port)
  while (stats.rejected.denied === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  assert.deepEqual(await receive(0), [])
})

test('less memory than asked for is said once', async () => {
  const { warnings } = await listen({ receiveBufferBytes: 2 ** 30 })
  assert.match(warnings.join('\n'), /^the kernel keeps \d+ bytes .*net\.core\.rmem_max=1073741824/)
})

test('what the kernel dropped is counted', { skip: process.platform !== 'linux' }, async () => {
  const { listener, stats, receive, warnings } = await listen({ receiveBufferBytes: 4_096 })
  const send = await sender()
  const sent = 500
  // Nothing is read within this turn, so that the kernel's memory must overflow.
  await Promise.all(Array.from({ length: sent }, () => send(Buffer.alloc(1_000), listener.address.port)))
  await listener.close()
  const received = (await receive(0)).length
  assert.ok(stats.rejected.kernel_drop > 0)
  assert.ok(received + stats.rejected.kernel_drop <= sent)
  assert.match(warnings.join('\n'), /the kernel dropped \d+ datagrams/)
})

test('reads the table of the kernel', () => {
  const state = '00000000:00000000 00:00000000 00000000     0        0'
  const text = [
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref drops',
    ` 1145: 0100007F:921E 00000000:0000 07 ${state} 20994 2 000000000efe9405 4844`,
    `  846: 00000000000000000000000001000000:2FA9 00000000000000000000000000000000:0000 07 ${state} 21 2 0 0`,
    '',
  ].join('\n')
  assert.deepEqual(readUdpTable(text), [
    { port: 0x921e, inode: '20994', drops: 4844 },
    { port: 0x2fa9, inode: '21', drops: 0 },
  ])
})
