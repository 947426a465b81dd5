import assert from 'node:assert/strict'
import { afterEach, beforeEach, it } from 'node:test'
import { type Admin, startAdmin } from '../../server/admin/admin.ts'
import { register } from '../../server/cli/tail.ts'
import { fakeSources } from '../admin/fake-sources.ts'
import { FakeTerminal, run } from './fake-terminal.ts'

let fake: ReturnType<typeof fakeSources>
let admin: Admin

beforeEach(async () => {
  fake = fakeSources()
  admin = await startAdmin({ listen: { host: '127.0.0.1', port: 0 }, token: undefined }, fake.sources)
})
afterEach(() => admin.close())

function tail(terminal: FakeTerminal, ...words: string[]) {
  return run(register, terminal, ['tail', '--url', `http://127.0.0.1:${admin.port}`, '-o', 'raw', ...words])
}

it('begins with the newest few, follows, and ends at Ctrl-C', async () => {
  for (let n = 0; n < 20; n += 1) fake.search.add({ log: `n${n}` })
  const terminal = new FakeTerminal()
  const done = tail(terminal, '-n', '2')
  await terminal.until(({ printed }) => printed === 'n18\nn19\n')
  fake.search.add({ log: 'new' })
  await terminal.until(({ printed }) => printed.endsWith('new\n'))
  terminal.abort.abort()
  await done
  assert.equal(terminal.printed, 'n18\nn19\nnew\n')
  assert.equal(terminal.said, '')
})

it('shows only what matches', async () => {
  fake.search.add({ log: 'old', level: 'error' })
  const terminal = new FakeTerminal()
  const done = tail(terminal, 'level:error')
  await terminal.until(({ printed }) => printed === 'old\n')
  fake.search.add({ log: 'no', level: 'info' })
  fake.search.add({ log: 'yes', level: 'error' })
  await terminal.until(({ printed }) => printed.endsWith('yes\n'))
  terminal.abort.abort()
  await done
  assert.equal(terminal.printed, 'old\nyes\n')
})

it('goes on without a gap after the server was away', async () => {
  const terminal = new FakeTerminal()
  const done = tail(terminal)
  fake.search.add({ log: 'one' })
  await terminal.until(({ printed }) => printed.includes('one\n'))
  const { port } = admin
  await admin.close()
  await terminal.until(({ said }) => said.includes('connection lost'))
  fake.search.add({ log: 'two' })
  admin = await startAdmin({ listen: { host: '127.0.0.1', port }, token: undefined }, fake.sources)
  await terminal.until(({ printed }) => printed.includes('two\n'))
  terminal.abort.abort()
  await done
  assert.equal(terminal.printed, 'one\ntwo\n')
  assert.equal(terminal.said, 'connection lost, trying again …\nconnected again\n')
})

it('says at once that nobody listens', async () => {
  await assert.rejects(run(register, new FakeTerminal(), ['tail', '--url', 'http://127.0.0.1:1']), { code: 'LB-S005' })
})
it('says that the query is wrong', async () => {
  await assert.rejects(tail(new FakeTerminal(), '"open'), { code: 'LB-Q001' })
})
it('refuses a number of lines that is none', async () => {
  await assert.rejects(tail(new FakeTerminal(), '-n', 'x'), { code: 'LB-S006' })
})
