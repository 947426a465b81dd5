import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { eventually, NOON_MS } from '../input-rig.ts'
import { sendDatagrams, startSyslog } from './syslog-config.ts'

const line = (n: number) => `<13>Nov 25 11:00:00 host app[1]: line ${n}`
const messagesOf = (events: readonly { record: Record<string, unknown> }[]) =>
  events.map(({ record }) => record.message)

describe('the syslog input', () => {
  it('takes datagrams and connections on one address', async () => {
    const input = await startSyslog()
    await sendDatagrams(input.port, '<30>Nov 25 11:00:00 host app: one', '<11>1 2026-11-25T11:00:00Z h a - - - two\n')
    await input.taken(2)
    const socket = await input.connect()
    socket.end('<14>Nov 25 11:00:00 host app: three')
    const events = await input.taken(3)
    assert.deepEqual(
      events.map(({ tag, record }) => [tag, record.message]),
      [
        ['syslog.daemon.info', 'one'],
        ['syslog.user.err', 'two'],
        ['syslog.user.info', 'three'],
      ],
    )
    assert.match(input.listener.addresses.join(), /^127\.0\.0\.1:(\d+) tcp,127\.0\.0\.1:\1 udp$/)
    assert.equal(input.stats.events, 3)
  })

  it('keeps what is no syslog whole, counts it and says so', async () => {
    const input = await startSyslog()
    await sendDatagrams(input.port, 'just words', '\n', '')
    const [event] = await input.taken(1)
    assert.deepEqual(event, {
      tag: 'syslog.user.notice',
      time: `${NOON_MS / 1_000}.000000000`,
      record: { message: 'just words', priority: 13, facility: 'user', severity: 'notice' },
    })
    assert.equal(input.stats.rejected.unparsed, 1)
    assert.match(input.warnings.join(), /^127\.0\.0\.1 sent what is no syslog message\. It was kept whole/)
  })

  it('cuts a message over the limit, keeps it and counts it', async () => {
    const input = await startSyslog({ message_size_limit: 1_024 })
    const long = `${line(1)}${'x'.repeat(5_000)}`
    const socket = await input.connect()
    socket.end(`${long}\n${line(2)}\n`)
    await input.taken(2)
    await sendDatagrams(input.port, long)
    const events = await input.taken(3)
    const prefix = '<13>Nov 25 11:00:00 host app[1]: '.length
    assert.deepEqual(messagesOf(events), [long.slice(prefix, 1_024), 'line 2', long.slice(prefix, 1_024)])
    assert.equal(input.stats.rejected.oversize, 2)
  })

  for (const [name, bytes] of [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['TLS', Buffer.from('16030100c8010000c40303', 'hex')],
    ['Fluent Forward', Buffer.from('94ac616263646566313233343536ce6553f1008080', 'hex')],
  ] as const) {
    it(`closes a connection that speaks ${name}, and keeps nothing of it`, async () => {
      const input = await startSyslog()
      const socket = await input.connect()
      socket.write(bytes)
      await once(socket, 'close')
      assert.deepEqual(input.events, [])
      assert.equal(input.stats.rejected.wrong_protocol, 1)
      assert.match(input.stats.knocks.list[0]!.text, new RegExp(`^127\\.0\\.0\\.1 spoke ${name}`))
    })
  }

  it('drops datagrams of another protocol, counted', async () => {
    const input = await startSyslog()
    await sendDatagrams(input.port, Buffer.from('1e0f01020304050607080002', 'hex'), line(1))
    assert.deepEqual(messagesOf(await input.taken(1)), ['line 1'])
    assert.equal(input.stats.rejected.wrong_protocol, 1)
  })

  it('stops reading while the disk is behind, drops datagrams then, and loses nothing of a connection', async () => {
    const held = Promise.withResolvers<void>()
    const input = await startSyslog({ message_size_limit: 8_388_608 }, { emit: () => held.promise })
    const big = 'x'.repeat(4_000_000)
    const socket = await input.connect()
    for (let n = 0; n < 16; n += 1) socket.write(`${line(n)} ${big}\n`)
    await eventually(() => input.stats.bytes > 36_000_000)
    let sent = 0
    for (; input.stats.rejected.buffer === 0; sent += 1) {
      await sendDatagrams(input.port, line(100))
      // A datagram is sent at once, so that without this nothing would ever be received.
      await new Promise((resolve) => setImmediate(resolve))
    }
    held.resolve()
    assert.equal(input.stats.knocks.list[0]!.code, 'LB-L004')
    await eventually(() => input.stats.events + input.stats.rejected.buffer === 16 + sent)
    assert.equal(messagesOf(input.events).filter((message) => String(message).length > 4_000_000).length, 16)
  })

  it('counts what the buffer could not take', async () => {
    const input = await startSyslog({}, { emit: () => Promise.reject(new Error('the disk is gone')) })
    await sendDatagrams(input.port, line(1), line(2))
    await eventually(() => input.stats.rejected.buffer === 2)
    assert.equal(input.stats.events, 0)
  })

  it('turns away who is in no allowed network, over TCP and UDP', async () => {
    const input = await startSyslog({ allow: ['192.0.2.0/24'] })
    const socket = await input.connect()
    socket.write(`${line(1)}\n`)
    await once(socket, 'close')
    await sendDatagrams(input.port, line(2))
    await eventually(() => input.stats.rejected.denied === 2)
    assert.deepEqual(input.events, [])
  })

  it('takes what was sent before it closes, and then is gone', async () => {
    const input = await startSyslog()
    const socket = await input.connect()
    socket.write(`${line(1)}\n${line(2)}`)
    await eventually(() => input.stats.bytes > 0)
    await input.listener.close()
    assert.deepEqual(messagesOf(input.events), ['line 1', 'line 2'])
  })

  it('keeps what a stalled sender has sent, and lets it go when memory is short', async () => {
    const input = await startSyslog({ message_size_limit: 8_388_608 })
    const honest = await input.connect()
    const stalled = await Promise.all(Array.from({ length: 12 }, () => input.connect()))
    for (const [n, socket] of stalled.entries()) socket.write(`${line(n)} ${'x'.repeat(7_000_000)}`)
    await eventually(() => input.stats.rejected.idle > 0)
    honest.write(`${line(99)}\n`)
    await eventually(() => messagesOf(input.events).includes('line 99'))
    assert.ok(input.events.length > 1)
  })
})
