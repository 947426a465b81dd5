import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { type Admin, startAdmin } from '../../server/admin/admin.ts'
import { register } from '../../server/cli/query.ts'
import { parseTime } from '../../server/cli/time-option.ts'
import { LogboomError } from '../../server/core/errors.ts'
import { clockTime, dayOf } from '../../server/core/readable.ts'
import { fakeSources } from '../admin/fake-sources.ts'
import { FakeTerminal, run } from './fake-terminal.ts'

const { sources, search } = fakeSources()
let admin: Admin
let url: string
const now = Date.now()

before(async () => {
  admin = await startAdmin({ listen: { host: '127.0.0.1', port: 0 }, token: undefined }, sources)
  url = `http://127.0.0.1:${admin.port}`
  search.add({ log: 'two hours old' }, { timeMs: now - 7_200_000 })
  search.add({ log: 'plain', kind: 'plain' }, { timeMs: now - 60_000 })
  const hostile = '\x1b[31mred\x1b[0m \x1b]0;owned\x07 nul\0 \u202erev\n'
  search.add({ log: hostile, kind: 'hostile' }, { tag: 'ta\x1bg', timeMs: now - 50_000 })
  search.add({ kind: 'big' }, { json: '{"kind":"big","n":9223372036854775807}', timeMs: now - 40_000 })
  for (let n = 0; n < 2_500; n += 1) search.add({ log: `many ${n}`, kind: 'many' }, { timeMs: now - 30_000 })
})
after(() => admin.close())

async function query(...words: string[]) {
  const terminal = new FakeTerminal()
  await run(register, terminal, ['query', '--url', url, ...words])
  return terminal
}

describe('output', () => {
  it('is time, tag and text', async () => {
    const when = `${dayOf(now - 60_000)} ${clockTime(now - 60_000)}`
    assert.equal((await query('kind:plain')).printed, `${when}  docker.web  plain\n`)
  })
  it('holds nothing that moves a terminal', async () => {
    const { printed } = await query('kind:hostile')
    assert.match(printed, / {2}ta␛g {2}red {2}nul␀ ⟨202E⟩rev\n$/)
  })
  it('is as it came with -o raw', async () => {
    assert.equal(
      (await query('kind:hostile', '-o', 'raw')).printed,
      '\x1b[31mred\x1b[0m \x1b]0;owned\x07 nul\0 \u202erev\n',
    )
  })
  it('is the whole event with -o jsonl, exact and on one line', async () => {
    assert.equal((await query('kind:big', '-o', 'jsonl')).printed, '{"kind":"big","n":9223372036854775807}\n')
    const { printed } = await query('kind:hostile', '-o', 'jsonl')
    assert.equal(printed.includes('\x1b'), false)
    assert.equal(JSON.parse(printed).tag, 'ta\x1bg')
  })
  it('is oldest first, over as many pages as it takes', async () => {
    const { printed, said } = await query('kind:many', '--limit', '2400', '-o', 'raw')
    assert.equal(printed, Array.from({ length: 2_400 }, (_, n) => `many ${n + 100}\n`).join(''))
    assert.match(said, /^the newest 2400 of more/)
  })
  it('ends when nobody reads any more', async () => {
    const terminal = new FakeTerminal()
    const closed = new Writable({
      write: (_piece, _encoding, done) => done(Object.assign(new Error('gone'), { code: 'EPIPE' })),
    })
    await run(register, { ...terminal, output: closed, interrupt: () => terminal.abort.signal }, [
      'query',
      '--url',
      url,
    ])
  })
})

describe('questions', () => {
  it('join their words', async () => {
    assert.equal((await query('many', '99', 'kind:many', '--limit', '1', '-o', 'raw')).printed, 'many 2499\n')
  })
  it('take what begins with a dash after --', async () => {
    assert.equal(
      (await query('-o', 'raw', '--limit', '1', '--', '-kind:many', '-kind:big', '-kind:hostile')).printed,
      'plain\n',
    )
  })
  it('are bound by --since and --until', async () => {
    assert.equal((await query('-o', 'raw', '--until', '1h')).printed, 'two hours old\n')
    const [since, until] = [new Date(now - 60_000).toISOString(), new Date(now - 59_999).toISOString()]
    assert.equal((await query('-o', 'raw', '--since', since, '--until', until)).printed, 'plain\n')
  })
  it('say when nothing matches', async () => {
    const { printed, said } = await query('kind:none')
    assert.deepEqual([printed, said], ['', 'no event matches\n'])
  })
  for (const [text, ms] of [
    ['1h', 6_400_000],
    ['500ms', 9_999_500],
    ['1970-01-01T00:00:05Z', 5_000],
    ['9999d', 0],
  ] as const) {
    it(`read ${text}`, () => assert.equal(parseTime(text, 10_000_000), ms))
  }
})

describe('errors', () => {
  const fails = async (words: string[], code: string, exit: number) => {
    await assert.rejects(run(register, new FakeTerminal(), ['query', ...words]), (error) => {
      assert.ok(error instanceof LogboomError, String(error))
      assert.deepEqual([error.code, error.exitCode], [code, exit])
      return true
    })
  }
  it('say where the query is wrong', () => fails(['--url', url, '"open'], 'LB-Q001', 64))
  it('say that nobody listens', () => fails(['--url', 'http://127.0.0.1:1'], 'LB-S005', 69))
  it('say that it is no URL', () => fails(['--url', 'localhost:8686'], 'LB-S006', 64))
  for (const words of [
    ['--since', 'soon'],
    ['--limit', '0'],
    ['--limit', '100001'],
    ['--limit', '1.5'],
  ]) {
    it(`refuse ${words.join(' ')}`, () => fails(['--url', url, ...words], 'LB-S006', 64))
  }
  it('say that there is nothing to search', async () => {
    sources.search = undefined
    await fails(['--url', url], 'LB-Q002', 69)
    sources.search = search
  })
  it('say that a token is asked for, and take it', async () => {
    const guarded = await startAdmin({ listen: { host: '127.0.0.1', port: 0 }, token: 'sesame' }, sources)
    const guardedUrl = `http://127.0.0.1:${guarded.port}`
    await fails(['--url', guardedUrl], 'LB-S007', 69)
    const terminal = new FakeTerminal()
    await run(register, terminal, ['query', '--url', guardedUrl, '--token', 'sesame', 'kind:plain', '-o', 'raw'])
    assert.equal(terminal.printed, 'plain\n')
    await guarded.close()
  })
  it('say that it is another server', async () => {
    const other = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    await fails(['--url', `http://127.0.0.1:${(other.address() as AddressInfo).port}`], 'LB-S005', 69)
    other.close()
  })
})
