import assert from 'node:assert/strict'
import { it } from 'node:test'
import { startAdmin } from '../../server/admin/admin.ts'
import { register } from '../../server/cli/replay.ts'
import { LogboomError } from '../../server/core/errors.ts'
import type { OutputDesk, RewindQuery } from '../../server/core/output-desk.ts'
import { fakeSources } from '../admin/fake-sources.ts'
import { FakeTerminal, run } from './fake-terminal.ts'

it('asks for a position or a time, and says what is delivered again', async (t) => {
  const { sources, desks } = fakeSources()
  const asked: RewindQuery[] = []
  const desk = {
    async rewind(query: RewindQuery) {
      asked.push({ ...query })
      if (query.position === 9) throw new LogboomError('LB-P008', { first: 1, cursor: 9 })
      return { from: 5, to: 1_005 }
    },
  } as OutputDesk
  desks.set('search', desk)
  const admin = await startAdmin({ listen: { host: '127.0.0.1', port: 0 }, token: undefined }, sources)
  t.after(() => admin.close())
  const replay = async (from: string) => {
    const terminal = new FakeTerminal()
    await run(register, terminal, ['replay', 'search', '--from', from, '--url', `http://127.0.0.1:${admin.port}`])
    return terminal.said
  }
  assert.equal(await replay('5'), '1,000 events are delivered again, positions 5 to 1004\n')
  await replay('2026-01-02T03:04:05Z')
  assert.deepEqual(asked, [{ position: 5 }, { timeMs: Date.UTC(2026, 0, 2, 3, 4, 5) }])
  await assert.rejects(replay('9'), {
    code: 'LB-P008',
    exitCode: 1,
    message: /stored from position 1 on and delivered/,
  })
  await assert.rejects(replay('soon'), { code: 'LB-S006' })
  const both = await fetch(`http://127.0.0.1:${admin.port}/api/v1/outputs/search/replay?position=1&timeMs=1`, {
    method: 'POST',
  })
  assert.equal(both.status, 400)
})
