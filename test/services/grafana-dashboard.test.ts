/** The dashboard that is shipped: it asks for metrics that there are, in words that Prometheus understands. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { stringify } from 'yaml'
import { METRICS } from '../../server/core/metrics.ts'
import { dashboard, questionsOf } from './grafana-dashboard.ts'
import { need, needPrograms } from './launchers/availability.ts'

test('it asks for metrics that there are', () => {
  const text = JSON.stringify(dashboard)
  const names = [...text.matchAll(/\blogboom_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))
  assert.ok(names.length > 0)
  assert.deepEqual(
    names.filter((name) => !Object.hasOwn(METRICS, name)),
    [],
  )
})

test('panels have ids of their own, and none lies on another', () => {
  const ids = dashboard.panels.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  const squares = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
  )
  assert.equal(new Set(squares).size, squares.length)
  assert.ok(squares.every((square) => Number(square.split(',')[0]) < 24))
})

test('Prometheus understands every question', async (t) => {
  if ((await need(t, () => needPrograms({ promtool: 'prometheus' }))) === undefined) return
  const folder = await mkdtemp(path.join(tmpdir(), 'logboom-dashboard-'))
  t.after(() => rm(folder, { recursive: true }))
  const rules = questionsOf(dashboard).map(({ expr }, at) => ({ record: `question_${at}`, expr }))
  const file = path.join(folder, 'rules.yml')
  await writeFile(file, stringify({ groups: [{ name: 'questions', rules }] }))
  execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })
})
