import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, it } from 'node:test'
import { type Admin, startAdmin } from '../../server/admin/admin.ts'
import { register } from '../../server/cli/dlq.ts'
import { LogboomError } from '../../server/core/errors.ts'
import type { OutputDesk, ReplayQuery, ShownLetter } from '../../server/core/output-desk.ts'
import { clockTime, dayOf } from '../../server/core/readable.ts'
import { openDeadLetters } from '../../server/delivery/dead-letters.ts'
import { fakeSources, silent } from '../admin/fake-sources.ts'
import { FakeTerminal, run } from './fake-terminal.ts'
import { runProgram } from './run-program.ts'

const MS = 1_790_000_000_000
const at = (ms: number) => `${dayOf(ms)} ${clockTime(ms)}`
const letter: ShownLetter = {
  cause: 'mapping\x1b[2J',
  detail: 'failed to parse field [x]',
  attempts: 2,
  refusedMs: MS,
  receivedMs: MS,
  position: 7,
  id: 'AAAAAAAAAAAAAAAA.7',
  tag: 'docker.web',
  time: '2026-01-02T03:04:05.000Z',
  record: '{"x":9223372036854775807}',
}

/** A desk that has 25 letters, and remembers what it was asked. */
const asked: { verb: string; query: unknown }[] = []
let left = 25
const desk: OutputDesk = {
  async list() {
    const cause = { cause: 'mapping', letters: left, oldestMs: MS, newestMs: MS + 1_000 }
    return { output: 'search', letters: left, bytes: 100, causes: [cause] }
  },
  async show(query) {
    asked.push({ verb: 'show', query: { ...query } })
    return { letters: [letter], ...(query.from === undefined && { next: '00000001.dlq+1' }) }
  },
  async replay(query: ReplayQuery) {
    asked.push({ verb: 'replay', query: { ...query } })
    const replayed = Math.min(query.limit, left)
    left -= replayed
    return { replayed, dead: 0, before: 5, ...(left > 0 && { next: '00000001.dlq' }) }
  },
  async discard(query) {
    asked.push({ verb: 'discard', query: { ...query } })
    if (query.cause === 'away') throw new LogboomError('LB-P002', { output: 'search' })
    return { discarded: 3 }
  },
  async rewind(query) {
    asked.push({ verb: 'rewind', query: { ...query } })
    return { from: 5, to: 1_005 }
  },
}

let admin: Admin
before(async () => {
  const { sources, desks } = fakeSources()
  desks.set('search', desk)
  admin = await startAdmin({ listen: { host: '127.0.0.1', port: 0 }, token: 'secret' }, sources)
})
after(() => admin.close())

async function dlq(...words: string[]): Promise<FakeTerminal> {
  asked.length = 0
  const terminal = new FakeTerminal()
  const server = ['--url', `http://127.0.0.1:${admin.port}`, '--token', 'secret']
  await run(register, terminal, ['dlq', ...words, ...server])
  return terminal
}

it('lists outputs and causes', async () => {
  assert.equal(
    (await dlq('ls')).printed,
    `  output  cause    letters  oldest               newest
  search  mapping       25  ${at(MS).slice(0, 19)}  ${at(MS + 1_000).slice(0, 19)}
`,
  )
  assert.equal(JSON.parse((await dlq('ls', '--json')).printed)[0].bytes, 100)
})

it('shows letters page by page, with exact numbers and nothing that moves a terminal', async () => {
  const text = `${at(MS)}  mapping  docker.web  2 attempts  AAAAAAAAAAAAAAAA.7
  failed to parse field [x]
  2026-01-02T03:04:05.000Z {"x":9223372036854775807}
`
  const { printed, said } = await dlq('show', 'search', '--cause', 'mapping')
  assert.equal(printed, text + text)
  assert.equal(said, '')
  assert.deepEqual(asked, [
    { verb: 'show', query: { cause: 'mapping', limit: 10 } },
    { verb: 'show', query: { cause: 'mapping', limit: 9, from: '00000001.dlq+1' } },
  ])
  const { printed: line, said: more } = await dlq('show', 'search', '--json', '--limit', '1')
  assert.match(line, /^\{"cause":.*"record":\{"x":9223372036854775807\}\}\n$/)
  assert.equal(more, 'the oldest 1 of more: --limit N\n')
})

it('replays step by step up to a limit, at most a second of the rate at a time', async () => {
  const { said } = await dlq('replay', 'search', '--rate', '400', '--limit', '12', '--cause', 'mapping')
  assert.equal(said, '12 replayed, 0 refused again\n')
  assert.deepEqual(asked, [{ verb: 'replay', query: { cause: 'mapping', limit: 12 } }])
  assert.equal((await dlq('replay', 'search', '--rate', '10')).said, '13 replayed, 0 refused again\n')
  assert.deepEqual(asked, [
    { verb: 'replay', query: { limit: 10 } },
    { verb: 'replay', query: { limit: 10, before: 5, from: '00000001.dlq' } },
  ])
})

it('discards only what is named', async () => {
  assert.equal((await dlq('discard', 'search', '--cause', 'mapping')).said, '3 discarded\n')
  assert.equal((await dlq('discard', 'search', '--all')).said, '3 discarded\n')
  assert.deepEqual(asked, [{ verb: 'discard', query: {} }])
  await assert.rejects(dlq('discard', 'search'), { code: 'LB-P005', exitCode: 64 })
  await assert.rejects(dlq('discard', 'search', '--cause', 'away'), { code: 'LB-P002', exitCode: 69 })
  await assert.rejects(dlq('discard', 'other', '--all'), {
    code: 'LB-P001',
    message: 'there is no output `other`',
    help: 'Its name is that under `outputs`; there are search.',
  })
})

it('asks for the token, a method and parameters that are right, and describes itself', async () => {
  const ask = async (route: string, init: RequestInit = {}, token = 'secret') => {
    const headers = { authorization: `Bearer ${token}`, ...init.headers }
    const response = await fetch(`http://127.0.0.1:${admin.port}/api/v1/${route}`, { ...init, headers })
    const { code } = (await response.json()) as { code?: string }
    return [response.status, code]
  }
  const post = { method: 'POST' }
  assert.deepEqual(await ask('dead-letters', {}, 'wrong'), [401, 'LB-S007'])
  assert.deepEqual(await ask('dead-letters/search/discard?all=true', post, 'wrong'), [401, 'LB-S007'])
  assert.deepEqual(await ask('dead-letters/search/discard?all=true'), [404, 'LB-A002'])
  assert.deepEqual(await ask('dead-letters/search/discard', post), [400, 'LB-P005'])
  assert.deepEqual(await ask('dead-letters/search?limit=1001'), [400, 'LB-A001'])
  assert.deepEqual(await ask('dead-letters/search?from=../../x'), [400, 'LB-A001'])
  const foreign = { ...post, headers: { origin: 'http://evil.example' } }
  assert.deepEqual(await ask('dead-letters/search/discard?all=true', foreign), [403, 'LB-A003'])
  const described = await fetch(`http://127.0.0.1:${admin.port}/api/v1/openapi.json`, {
    headers: { authorization: 'Bearer secret' },
  })
  const { paths } = (await described.json()) as { paths: Record<string, object> }
  assert.deepEqual(Object.keys(paths['/api/v1/dead-letters/{output}/replay']!), ['post'])
})

it('reads the folder where no server runs', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-dlq-'))
  t.after(() => rm(directory, { recursive: true }))
  const config = path.join(directory, 'logboom.yaml')
  await writeFile(config, 'inputs: {}\noutputs: { local: {} }\nbuffer: { path: data }\n')
  const ls = () => runProgram('-c', config, 'dlq', 'ls', '--offline')
  assert.deepEqual(await ls(), { exitCode: 0, output: '', talk: 'no dead letters\n', started: undefined })
  const store = await openDeadLetters(path.join(directory, 'data', 'dead-letters', 'search'), {
    log: silent,
    bytesMax: 2 ** 20,
  })
  const { cause: reason, record, time, ...rest } = letter
  const entry = Buffer.from('92ce6956d9a581a178cf7fffffffffffffff', 'hex')
  await store.append([{ ...rest, reason, entry }])
  await store.close()
  assert.match((await ls()).output, /search +mapping +1 /)
  const shown = await runProgram('-c', config, 'dlq', 'show', 'search', '--offline')
  assert.match(shown.output, /\n {2}2026-01-01T20:31:33\.000Z \{"x":9223372036854775807\}\n$/)
  assert.equal((await runProgram('-c', config, 'dlq', 'show', 'other', '--offline')).exitCode, 64)
})
