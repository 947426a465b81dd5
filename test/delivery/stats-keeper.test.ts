/** What the operator hears of damage that an output meets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutputStats } from '../../server/core/output-stats.ts'
import { createCircuit } from '../../server/delivery/circuit.ts'
import { createStatsKeeper } from '../../server/delivery/stats-keeper.ts'
import { createFakeClock, createFakeDeadLetters, createFakeLogger, createFakeReader } from './fakes.ts'

test('damage is counted, and said once, with the chunk', () => {
  const [clock, log, stats, fake] = [createFakeClock(), createFakeLogger(), new OutputStats(), createFakeReader([])]
  let damagedEvents = 0
  const reader = { ...fake, status: () => ({ ...fake.status(), damagedEvents, lastDamagedChunk: '00.chunk' }) }
  const circuit = createCircuit(1, clock, new AbortController().signal)
  const keeper = createStatsKeeper({ reader, deadLetters: createFakeDeadLetters(), stats, clock, log }, circuit)
  damagedEvents = 3
  for (let look = 0; look < 2; look++) keeper.refresh()
  damagedEvents = 4
  keeper.refresh()
  assert.equal(stats.get('damaged'), 4)
  assert.deepEqual(
    log.lines.map(({ level, message }) => [level, message.slice(0, message.indexOf('.', 10))]),
    [
      ['error', '00.chunk is damaged: 3 events cannot be read'],
      ['error', '00.chunk is damaged: 1 events cannot be read'],
    ],
  )
})
