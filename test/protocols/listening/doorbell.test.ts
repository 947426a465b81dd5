import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createDoorbell } from '../../../protocols/listening/doorbell.ts'
import type { Spoken } from '../../../protocols/listening/first-bytes.ts'
import type { InputContext } from '../../../protocols/protocol.ts'
import { KNOCKS_MAX } from '../../../server/core/knocks.ts'
import type { Logger } from '../../../server/core/log.ts'
import { createInputStats } from '../../../server/core/metrics.ts'
import { marksInMemory } from '../marks-in-memory.ts'

/** A context whose clock stands still, and that knows where the HTTP input is. */
function contextUnderTest() {
  const said: string[] = []
  const log: Logger = { debug() {}, info() {}, error() {}, warn: (_, message) => said.push(message), child: () => log }
  const time = { ms: 1_000 }
  const clock = { now: () => time.ms, monotonic: () => time.ms, sleep: async () => {} }
  const addressOf = (type: string) => (type === 'http' ? '10.0.0.1:9881' : undefined)
  const spool = () => Promise.reject(new Error('not used'))
  const stats = createInputStats()
  const marks = marksInMemory()
  const context: InputContext = { name: 'agents', emit: async () => {}, spool, marks, stats, log, clock, addressOf }
  return { doorbell: createDoorbell(context), said, stats, time }
}

const SENTENCES: readonly [Spoken, string][] = [
  ['tls', '10.0.0.4 spoke TLS to the plain port of `agents`. Set `inputs.agents.tls`, or turn TLS off in the client.'],
  ['http', '10.0.0.4 spoke HTTP on the forward port of `agents`. For HTTP it is 10.0.0.1:9881.'],
  [
    'syslog',
    '10.0.0.4 spoke syslog on the forward port of `agents`. ' +
      'For syslog it is 127.0.0.1:5140, with `inputs: { syslog: {} }`.',
  ],
  [
    'gzip',
    '10.0.0.4 spoke gzip on the forward port of `agents`. ' +
      'For gzip of GELF it is 127.0.0.1:12201, with `inputs: { gelf: {} }`.',
  ],
  [
    'ssh',
    '10.0.0.4 spoke SSH on the forward port of `agents`. ' +
      'Nothing here speaks it; perhaps somebody looks for open ports.',
  ],
  [
    'proxy',
    '10.0.0.4 spoke the PROXY protocol on the forward port of `agents`. ' +
      'Turn the PROXY protocol off in the balancer before it.',
  ],
]

describe('the doorbell', () => {
  for (const [spoken, sentence] of SENTENCES) {
    it(`says of ${spoken} where it belongs`, () => {
      const { doorbell, said, stats } = contextUnderTest()
      doorbell.stranger('10.0.0.4', spoken, 'forward')
      assert.deepEqual(said, [sentence])
      assert.equal(stats.rejected.wrong_protocol, 1)
      assert.equal(stats.knocks.list[0]!.text, sentence)
    })
  }

  it('says the same of the same peer once a minute, and counts each', () => {
    const { doorbell, said, stats, time } = contextUnderTest()
    for (let n = 0; n < 5; n += 1) doorbell.stranger('10.0.0.4', 'ssh', 'forward')
    doorbell.stranger('10.0.0.5', 'ssh', 'forward')
    assert.equal(said.length, 2)
    time.ms += 60_001
    doorbell.stranger('10.0.0.4', 'ssh', 'forward')
    assert.equal(said.length, 3)
    assert.equal(stats.rejected.wrong_protocol, 7)
    assert.deepEqual(
      stats.knocks.list.map(({ peer, count, atMs }) => [peer, count, atMs]),
      [
        ['10.0.0.5', 1, 1_000],
        ['10.0.0.4', 6, 61_001],
      ],
    )
  })

  it('remembers only the last knocks', () => {
    const { doorbell, stats } = contextUnderTest()
    for (let n = 0; n < 1_000; n += 1) doorbell.stranger(`10.0.${n >> 8}.${n & 255}`, 'http', 'forward')
    assert.equal(stats.knocks.list.length, KNOCKS_MAX)
    assert.equal(stats.knocks.list.at(-1)!.peer, '10.0.3.231')
    assert.equal(stats.rejected.wrong_protocol, 1_000)
  })
})
