/** Failpoints: what the environment may ask for, and what happens then. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { afterEach, test } from 'node:test'
import { armedFailpoints, armFailpoints, failpoint } from '../../server/core/failpoints.ts'

afterEach(() => armFailpoints(''))

test('none is armed unless it is asked for', async () => {
  assert.deepEqual(armedFailpoints(), [])
  await failpoint('buffer.roll')
})

test('`throw` throws at each hit, `throw@n` at the n-th alone', async () => {
  armFailpoints('buffer.roll=throw; cursor.after-write=throw@2')
  assert.deepEqual(armedFailpoints(), ['buffer.roll', 'cursor.after-write'])
  for (let hit = 0; hit < 2; hit++) await assert.rejects(failpoint('buffer.roll'), /failpoint buffer\.roll/)
  await failpoint('cursor.after-write')
  await assert.rejects(failpoint('cursor.after-write'))
  await failpoint('cursor.after-write')
})

test('`pause` holds what comes next', async () => {
  armFailpoints('buffer.roll=pause:1ms')
  const order: string[] = []
  const paused = failpoint('buffer.roll').then(() => order.push('paused'))
  await failpoint('buffer.after-sync').then(() => order.push('not paused'))
  await paused
  assert.deepEqual(order, ['not paused', 'paused'])
})

for (const text of [
  'roll',
  'buffer.roll',
  'buffer.roll=stop',
  'buffer.roll=pause',
  'nowhere=kill',
  'buffer.roll=kill@',
]) {
  test(`\`${text}\` is refused with the reason`, () => {
    assert.throws(() => armFailpoints(text), { code: 'LB-S006', message: /^LOGBOOM_FAILPOINTS: / })
  })
}

const APPENDER = path.join(import.meta.dirname, '../buffer/appender.ts')

test('`kill` ends the process there and then, and says where', async () => {
  const { temporaryFolder } = await import('../buffer/harness.ts')
  using folder = temporaryFolder()
  const { signal, stderr, stdout } = spawnSync(process.execPath, [APPENDER, folder.path, '0', '100'], {
    env: { ...process.env, LOGBOOM_FAILPOINTS: 'buffer.after-write=kill@3' },
    encoding: 'utf8',
  })
  assert.equal(signal, 'SIGKILL')
  assert.match(stderr, /^failpoint buffer\.after-write: kill$/m)
  assert.match(stdout, /acked/)
})
