/**
 * Statement 82: logspout's logstash adapter. One JSON object and a line end, over TCP and in each datagram; `labels`
 * null, `tags` an empty list, no timestamp. [looplab/logspout-logstash]
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NOON_MS } from '../../protocols/input-rig.ts'
import { startJson } from '../../protocols/json/json-config.ts'
import { sendDatagrams } from '../../protocols/syslog/syslog-config.ts'

/** What the adapter makes of the line `hello` of a container without labels: the keys in Go's order. */
const PLAIN =
  '{"docker":{"name":"/web","id":"4f3d","image":"nginx","hostname":"4f3d2a","labels":null},' +
  '"message":"hello","stream":"stdout","tags":[]}\n'
/** Of a line that is itself a JSON object: its keys, and the adapter's beside them. */
const DECODED =
  '{"docker":{"name":"/web","id":"4f3d","image":"nginx","hostname":"4f3d2a","labels":{"com_example_team":"ops"}},' +
  '"level":"warn","n":9007199254740993,"stream":"stderr","tags":["a","b"]}\n'

const docker = { name: '/web', id: '4f3d', image: 'nginx', hostname: '4f3d2a', labels: null }
const plain = { docker, message: 'hello', stream: 'stdout', tags: [] }
const decoded = {
  docker: { ...docker, labels: { com_example_team: 'ops' } },
  level: 'warn',
  n: 9007199254740993n,
  stream: 'stderr',
  tags: ['a', 'b'],
}
const time = `${NOON_MS / 1_000}.000000000`
const expected = [plain, decoded].map((record) => ({ tag: 'json', time, record }))

describe('statement 82: logspout JSON', () => {
  it('82: one object and a line end in each datagram; the time is that of receipt', async () => {
    const input = await startJson()
    await sendDatagrams(input.port, PLAIN, DECODED)
    assert.deepEqual(await input.taken(2), expected)
  })

  it('82: the same over TCP, however it is cut', async () => {
    const input = await startJson()
    const bytes = Buffer.from(PLAIN + DECODED)
    const socket = await input.connect()
    for (let at = 0; at < bytes.length; at += 7) {
      await new Promise((resolve) => socket.write(bytes.subarray(at, at + 7), resolve))
    }
    assert.deepEqual(await input.taken(2), expected)
  })

  it('82: a datagram of 65,507 bytes is read whole', async () => {
    const input = await startJson()
    const empty = PLAIN.replace('hello', '')
    const message = 'x'.repeat(65_507 - empty.length)
    await sendDatagrams(input.port, PLAIN.replace('hello', message))
    const [event] = await input.taken(1)
    assert.equal(event!.record.message, message)
  })

  it('82: a connection that is idle, or between two lines, stays open: logspout exits when it is closed', async () => {
    const input = await startJson()
    const socket = await input.connect()
    let closed = false
    socket.on('close', () => {
      closed = true
    })
    socket.write(PLAIN)
    await input.taken(1)
    // Whatever other clients do meanwhile.
    for (let n = 0; n < 20; n += 1) (await input.connect()).end('garbage\n')
    await input.taken(21)
    socket.write(DECODED)
    await input.taken(22)
    assert.equal(closed, false)
  })
})
