/** What nobody means well: bombs, floods, spoofed senders. Bounds hold, counters are exact, honest ones live. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import { LIMITS } from '../../../protocols/gelf/limits.ts'
import { unpack } from '../../../protocols/gelf/unpack.ts'
import { chunk, chunksOf, eventually, gelf, ID, startGelf, tcpSender, udpSender } from './gelf-under-test.ts'

const MIB = 1024 * 1024

test('bombs are refused by size and by ratio, and counted; an honest message between them is taken', async () => {
  const input = await startGelf({ decompression_size_limit: 8 * MIB })
  const send = await udpSender(input.port)
  const bySize = gzipSync(gelf({ x: 'x'.repeat(9 * MIB) }))
  const byRatio = deflateSync(gelf({ x: 'x'.repeat(4 * MIB) }))
  assert.ok(4 * MIB > byRatio.length * LIMITS.inflateRatio)
  await send(bySize, byRatio, gzipSync(gelf()), bySize)
  await input.received(1)
  await input.refused('bomb', 3)
  assert.match(input.warnings.join('\n'), /unpacks to more than \d+ bytes/)
})

test('what is well compressed and not large is no bomb', () => {
  assert.equal(unpack(gzipSync(Buffer.alloc(MIB - 1)), 8 * MIB).length, MIB - 1)
})

test('a bomb in chunks is one too', async () => {
  const input = await startGelf({ decompression_size_limit: MIB })
  await (await udpSender(input.port))(...chunksOf(gzipSync(gelf({ x: 'x'.repeat(2 * MIB) })), 500))
  await input.refused('bomb')
})

test('broken gzip and zlib are counted', async () => {
  const input = await startGelf()
  const [gzip, zlib] = [gzipSync(gelf()), deflateSync(gelf())]
  await (await udpSender(input.port))(gzip.subarray(0, 20), zlib.subarray(0, 20), Buffer.of(0x1f, 0x8b), gelf())
  await input.refused('malformed', 3)
  await input.received(1)
})

test('a flood of first chunks from spoofed senders: bounded, every loss counted, the honest one lives', async () => {
  const input = await startGelf({ pending_size_limit: MIB, chunk_timeout: 300 })
  const flood = 3_000
  const honest = await udpSender(input.port, '127.0.0.200')
  const message = gelf({ x: 'y'.repeat(3_000) })
  for (let i = 0; i < flood / 100; i += 1) {
    const spoofed = await udpSender(input.port, `127.0.1.${1 + (i % 20)}`)
    const id = Buffer.alloc(8)
    for (let n = 0; n < 100; n += 1) {
      id.writeUInt32BE(i * 100 + n)
      await spoofed(chunk(id, 0, 128, Buffer.alloc(1_000)))
    }
    const honestId = Buffer.alloc(8, 0xff)
    honestId.writeUInt32BE(i)
    await honest(...chunksOf(message, 1_408, honestId))
  }
  const { rejected } = input.stats
  const isAccounted = () => rejected.chunk_limit + rejected.chunk_missing + rejected.kernel_drop >= flood
  await input.received(flood / 100)
  await eventually(isAccounted)
  assert.equal(rejected.chunk_limit + rejected.chunk_missing, flood)
  assert.ok(rejected.chunk_limit > 0 && rejected.chunk_missing > 0)
})

test('while the buffer takes nothing, datagrams are dropped and counted, and memory does not grow', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const input = await startGelf({ emit: () => promise, receive_buffer: 8 * MIB })
  const send = await udpSender(input.port)
  const large = gelf({ full_message: 'x'.repeat(60_000) })
  let sent = 0
  for (; input.stats.rejected.buffer === 0; sent += 1) {
    await send(large)
    // Sending settles within the turn: without this nothing would be received.
    await new Promise((next) => setImmediate(next))
  }
  resolve()
  await eventually(() => {
    const { buffer, kernel_drop } = input.stats.rejected
    return input.events.length + buffer + kernel_drop === sent
  })
  assert.ok(input.events.length * 60_000 < 40 * MIB)
})

test('the same over TCP waits, and loses nothing', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const input = await startGelf({ emit: () => promise })
  const { write, socket } = await tcpSender(input.port)
  const frame = Buffer.concat([gelf({ full_message: 'x'.repeat(60_000) }), Buffer.of(0)])
  const sent = 1_500
  for (let i = 0; i < sent; i += 1) void write(frame)
  socket.end()
  await eventually(() => input.stats.bytes > 32 * MIB)
  const { bytes } = input.stats
  for (let turns = 0; turns < 50; turns += 1) await new Promise((next) => setImmediate(next))
  assert.ok(input.stats.bytes - bytes < MIB, 'it goes on reading')
  resolve()
  await input.received(sent)
})

const STRANGERS: [string, string][] = [
  ['HTTP', 'POST /gelf HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['syslog', '<13>Oct 11 22:14:15 host su: hello\n'],
  ['GELF in chunks', '\x1e\x0f12345678\x00\x01{}'],
  ['gzip', '\x1f\x8b\x08\x00\x00\x00\x00\x00'],
]
for (const [what, bytes] of STRANGERS) {
  test(`${what} on the TCP port is told, and nothing of it kept`, async () => {
    const input = await startGelf()
    await (await tcpSender(input.port)).write(Buffer.from(bytes, 'latin1'))
    await input.refused('wrong_protocol')
    assert.match(input.warnings.join('\n'), new RegExp(`spoke ${what} `))
    assert.equal(input.events.length, 0)
  })
}

test('syslog in a datagram is told', async () => {
  const input = await startGelf()
  await (await udpSender(input.port))('<13>Oct 11 22:14:15 host su: hello')
  await input.refused('wrong_protocol')
})

test('who is not allowed is not heard', async () => {
  const input = await startGelf({ allow: ['127.0.0.5'] })
  await (await udpSender(input.port))(gelf())
  await (await udpSender(input.port, '127.0.0.5'))(gelf({ n: 1 }))
  const [event] = await input.received(1)
  assert.equal(event!.record.n, 1)
  assert.equal(input.stats.rejected.denied, 1)
})

test('closing drops the rest of a message without a word', async () => {
  const input = await startGelf()
  await (await udpSender(input.port))(chunk(ID, 0, 2, gelf()))
  await input.close()
  assert.deepEqual(input.warnings, [])
})
