/**
 * A load generator for GELF over UDP: numbered messages of about 350 bytes from one socket, at a rate or as fast as the
 * kernel takes them. Run as a process of its own, one for each sender; the last line it prints is one JSON object.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    messages: { type: 'string', default: '100000' },
    /** Per second; 0: as fast as possible. */
    rate: { type: 'string', default: '0' },
    gzip: { type: 'boolean', default: false },
    sender: { type: 'string', default: '0' },
  },
})

const TICK_MS = 2
/** Datagrams given to the kernel before it is waited for. */
const BURST = 64
/** Messages that are compressed once and sent again and again: the sender must not be the bottleneck. */
const VARIANTS = 1_000

function messageOf(number: number): Buffer {
  const text = JSON.stringify({
    version: '1.1',
    host: 'web-1.example.com',
    short_message: `GET /shop/articles/${number} HTTP/1.1 200 in ${number % 97} ms, from the cache of the second tier`,
    timestamp: 1_700_000_000.123,
    level: 6,
    _number: number,
    _sender: Number(values.sender),
    _container_id: '489a3f02928e3f150bfae56ed45d448707208fa637875afde58cd59835e6b3b5',
    _container_name: 'shop-frontend',
    _image_name: 'shop:1.4.2',
  })
  return values.gzip ? gzipSync(text, { level: 1 }) : Buffer.from(text)
}

async function sendAll(socket: Socket, count: number, rate: number): Promise<number> {
  const variants = Array.from({ length: VARIANTS }, (_, i) => messageOf(i))
  const began = performance.now()
  let sent = 0
  while (sent < count) {
    const due = rate === 0 ? count : Math.min(count, Math.floor(((performance.now() - began) / 1_000) * rate))
    const until = Math.min(due, sent + BURST)
    if (until === sent) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS))
      continue
    }
    const last = until - 1
    for (; sent < last; sent += 1) socket.send(variants[sent % VARIANTS]!)
    await new Promise((resolve) => socket.send(variants[sent % VARIANTS]!, resolve))
    sent += 1
  }
  return performance.now() - began
}

const socket = createSocket('udp4')
socket.connect(Number(values.port), '127.0.0.1')
await once(socket, 'connect')
const messages = Number(values.messages)
const ms = await sendAll(socket, messages, Number(values.rate))
socket.close()
const cpu = process.cpuUsage()
const line = {
  messages,
  bytes: messageOf(0).length,
  seconds: Number((ms / 1_000).toFixed(3)),
  perSecond: Math.round(messages / (ms / 1_000)),
  cpuSeconds: Number(((cpu.user + cpu.system) / 1e6).toFixed(3)),
}
process.stdout.write(`${JSON.stringify(line)}\n`)
