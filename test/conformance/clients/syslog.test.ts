/**
 * Statement 83: logspout's syslog adapter. PRI and a time of RFC 3339 in both formats; line ends and counted octets,
 * told apart message by message. [gliderlabs/logspout, adapters/syslog]
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sendDatagrams, startSyslog } from '../../protocols/syslog/syslog-config.ts'

const TIME = '2026-11-25T11:00:00Z'
const SECONDS = `${Date.parse(TIME) / 1_000}.000000000`
/** stdout has PRI 14, stderr 11; the template ends with a line end, which a count includes. */
const RFC5424 = `<14>1 ${TIME} box web 4242 - - hello\n`
const RFC5424_DATA = `<11>1 ${TIME} box web 4242 - [env@1 stage="prod"] oops\n`
const RFC3164 = `<14>2026-11-25T12:00:00+01:00 box web[4242]: hello\n`
const LINES = `<11>1 ${TIME} box web 4242 - - Traceback\n  at a\n  at b\n`

const base = { host: 'box', ident: 'web', pid: '4242' }
const info = { priority: 14, facility: 'user', severity: 'info' }
const err = { priority: 11, facility: 'user', severity: 'err' }
const EXPECTED = {
  hello: { tag: 'syslog.user.info', time: SECONDS, record: { message: 'hello', ...base, ...info } },
  oops: {
    tag: 'syslog.user.err',
    time: SECONDS,
    record: { message: 'oops', ...base, ...err, structured_data: { 'env@1': { stage: 'prod' } } },
  },
  lines: { tag: 'syslog.user.err', time: SECONDS, record: { message: 'Traceback\n  at a\n  at b', ...base, ...err } },
}
const counted = (message: string) => `${Buffer.byteLength(message)} ${message}`

describe('statement 83: logspout syslog', () => {
  it('83: both formats over UDP, with a time of RFC 3339', async () => {
    const input = await startSyslog()
    for (const message of [RFC5424, RFC3164, RFC5424_DATA, LINES]) {
      await sendDatagrams(input.port, message)
      await input.taken(input.events.length + 1)
    }
    assert.deepEqual(input.events, [EXPECTED.hello, EXPECTED.hello, EXPECTED.oops, EXPECTED.lines])
  })

  it('83: lines over TCP', async () => {
    const input = await startSyslog()
    const socket = await input.connect()
    socket.write(RFC5424 + RFC3164)
    assert.deepEqual(await input.taken(2), [EXPECTED.hello, EXPECTED.hello])
  })

  it('83: octets counted over TCP, the line end within the count, several lines in a message', async () => {
    const input = await startSyslog()
    const socket = await input.connect()
    socket.write(counted(LINES) + counted(RFC5424_DATA) + counted(RFC3164))
    await input.taken(3)
    const byTag = (tag: string) => input.events.filter((event) => event.tag === tag)
    assert.deepEqual(byTag('syslog.user.err'), [EXPECTED.lines, EXPECTED.oops])
    assert.deepEqual(byTag('syslog.user.info'), [EXPECTED.hello])
  })

  it('83: both framings in turn on one connection, cut anywhere', async () => {
    const input = await startSyslog()
    const bytes = Buffer.from(counted(RFC5424) + RFC3164 + counted(RFC3164) + RFC5424)
    for (let at = 0; at < bytes.length; at += 3) {
      const socket = await input.connect()
      await new Promise((resolve) => socket.write(bytes.subarray(0, at), resolve))
      await new Promise((resolve) => setImmediate(resolve))
      socket.end(bytes.subarray(at))
      assert.deepEqual(await input.taken(4), Array(4).fill(EXPECTED.hello), `cut at ${at}`)
      input.events.length = 0
    }
  })
})
