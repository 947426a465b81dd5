import assert from 'node:assert/strict'
import { it } from 'node:test'
import { startAdmin } from '../../server/admin/admin.ts'
import { register, statusText } from '../../server/cli/status.ts'
import { clockTime, dayOf } from '../../server/core/readable.ts'
import { fakeSources, inputReport, outputReport, statusReport } from '../admin/fake-sources.ts'
import { FakeTerminal, run } from './fake-terminal.ts'

const calm = statusReport({ version: '1.0.0', node: 'primary', pid: 42, startedMs: 1_000_000 })
const started = `${dayOf(1_000_000)} ${clockTime(1_000_000).slice(0, 8)}`

it('shows a server that is well on one screen', () => {
  const inputs = [
    inputReport('forward', { connections: 2, events: 81_234, bytes: 12_582_912, rejected: { malformed: 1 } }),
  ]
  const outputs = [outputReport('local', { delivered: 81_000, lagEvents: 234, oldestAgeS: 3 })]
  assert.equal(
    statusText({ ...calm, inputs, outputs }, 61_000 + 1_000_000),
    `logboom 1.0.0 on primary, running since ${started} (61 s), process 42
configuration none: the embedded default
ready

  input    type     listens on                                connections  events  read    rejected
  forward  forward  127.0.0.1:24224 tcp, 127.0.0.1:24224 udp            2  81,234  12 MiB  malformed 1

  buffer  4.0 KiB of 2.0 GiB (0 %), chunks 1, next position 12, waiting 0

  output  type   match  state  delivered  lag  oldest  dead  dropped  unmatched  unaccounted
  local   local  **     ok        81,000  234  3 s        0        0          0            0
`,
  )
})

it('says what filters joined and could not do', () => {
  const outputs = [
    outputReport('search', { joined: 1_200, filterErrors: { not_parsed: 3 } }),
    outputReport('local', {}),
  ]
  assert.match(statusText({ ...calm, outputs }, 0), /^ {2}search {2}filters joined 1,200, errors: not_parsed 3$/m)
})

it('says what is wrong, without what would move a terminal', () => {
  const outputs = [outputReport('search', { state: 'retrying', lastError: '\x1b[2JHTTP 429\x07' })]
  const buffer = { ...calm.buffer, trouble: 'the disk is full' }
  const text = statusText({ ...calm, reasons: ['the buffer is full'], buffer, outputs }, 0)
  assert.match(text, /^not ready: the buffer is full$/m)
  assert.match(text, /^ {2}! the disk is full$/m)
  assert.match(text, /^ {2}! search: HTTP 429␇$/m)
})

it('says which part of a destination is missing while the output goes on', () => {
  const outputs = [outputReport('next', { lastError: 'server primary is lost: connect ECONNREFUSED' })]
  const text = statusText({ ...calm, outputs }, 0)
  assert.match(text, /^ {2}next .* ok /m)
  assert.match(text, /^ {2}! next: server primary is lost: connect ECONNREFUSED$/m)
})

it('shows who was turned away of late', () => {
  const knock = { at: new Date(3_000).toISOString(), input: 'forward', peer: '10.0.0.4', code: 'LB-D001' }
  const doorbell = [
    { ...knock, text: '10.0.0.4 spoke HTTP\x1b[2J. For HTTP it is 127.0.0.1:9880.', count: 3 },
    { ...knock, peer: '10.0.0.5', text: '10.0.0.5 spoke SSH.', count: 1 },
  ]
  const text = statusText({ ...calm, doorbell }, 0)
  const at = clockTime(3_000).slice(0, 8)
  assert.ok(text.includes(`  ? ${at} 10.0.0.4 spoke HTTP. For HTTP it is 127.0.0.1:9880. (3 times)\n`), text)
  assert.ok(text.includes(`  ? ${at} 10.0.0.5 spoke SSH.\n`), text)
})

it('gives the whole report with --json', async () => {
  const { sources } = fakeSources()
  const admin = await startAdmin({ listen: { host: '127.0.0.1', port: 0 }, token: undefined }, sources)
  const terminal = new FakeTerminal()
  await run(register, terminal, ['status', '--json', '--url', `http://127.0.0.1:${admin.port}/`])
  await admin.close()
  assert.deepEqual(JSON.parse(terminal.printed), JSON.parse(JSON.stringify(sources.report)))
})

it('says that nobody listens', async () => {
  const asked = run(register, new FakeTerminal(), ['status', '--url', 'http://127.0.0.1:1'])
  await assert.rejects(asked, { code: 'LB-S005', exitCode: 69 })
})
