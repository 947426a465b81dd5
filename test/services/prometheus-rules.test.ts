/** The alerts that are shipped: Prometheus takes them, and they fire when they should. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { METRICS } from '../../server/core/metrics.ts'
import { need, needPrograms } from './launchers/availability.ts'

const RULES = fileURLToPath(new URL('../../deploy/prometheus/rules.yml', import.meta.url))
const KINESIS_CASES = fileURLToPath(new URL('./kinesis-alerts.yml', import.meta.url))

/** Series of one minute's samples, and which alerts stand when. */
const CASES = `
rule_files: [${RULES}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'logboom_output_events_total{instance="a",output="search",result="dead"}'
        values: '0x5 3x40'
      - series: 'logboom_output_events_total{instance="a",output="calm",result="dead"}'
        values: '7x45'
      - series: 'logboom_output_blocked{instance="a",output="search"}'
        values: '0x10 1x30'
      - series: 'logboom_ledger_unaccounted_events{instance="a",output="search"}'
        values: '0x45'
      - series: 'up{job="logboom",instance="a"}'
        values: '1x20 0x20'
      - series: 'logboom_output_oldest_event_age_seconds{instance="a",output="search"}'
        values: '0x10 310+60x30'
      - series: 'logboom_buffer_bytes{instance="a"}'
        values: '10x20 90x20'
      - series: 'logboom_buffer_limit_bytes{instance="a"}'
        values: '100x40'
      - series: 'logboom_input_rejected_total{instance="a",input="forward",reason="malformed"}'
        values: '0x10 60+60x30'
      - series: 'logboom_input_events_total{instance="b",role="standby",input="forward"}'
        values: '7x20 10+3x5 22x20'
      - series: 'logboom_input_events_total{instance="a",role="primary",input="forward"}'
        values: '0+100x40'
    alert_rule_test:
      - { eval_time: 4m, alertname: LogboomDeadLetters, exp_alerts: [] }
      - { eval_time: 30m, alertname: LogboomDeadLetters, exp_alerts: [] }
      - { eval_time: 13m, alertname: LogboomOutputBlocked, exp_alerts: [] }
      - eval_time: 17m
        alertname: LogboomOutputBlocked
        exp_alerts:
          - exp_labels: { severity: critical, instance: a, output: search }
            exp_annotations:
              summary: 'Output search of a waits for an operator'
              description: >-
                Its destination refuses everything, or its dead letters are full; \`logboom status\` has the words.
                Events wait in the buffer, and nothing is lost.
      - { eval_time: 40m, alertname: LogboomEventsUnaccounted, exp_alerts: [] }
    promql_expr_test:
      - expr: 'count(ALERTS{alertname="LogboomDeadLetters",output="search"})'
        eval_time: 8m
        exp_samples: [{ value: 1 }]
      - expr: 'count(ALERTS{alertname="LogboomDeadLetters",output="calm"})'
        eval_time: 8m
        exp_samples: []
      - { expr: 'count(ALERTS{alertname="LogboomDown",alertstate="firing"})', eval_time: 20m, exp_samples: [] }
      - expr: 'count(ALERTS{alertname="LogboomDown",alertstate="firing"})'
        eval_time: 25m
        exp_samples: [{ value: 1 }]
      - { expr: 'count(ALERTS{alertname="LogboomOutputLags",alertstate="firing"})', eval_time: 12m, exp_samples: [] }
      - expr: 'count(ALERTS{alertname="LogboomOutputLags",alertstate="firing"})'
        eval_time: 20m
        exp_samples: [{ value: 1 }]
      - { expr: 'count(ALERTS{alertname="LogboomBufferFilling",alertstate="firing"})', eval_time: 20m, exp_samples: [] }
      - expr: 'count(ALERTS{alertname="LogboomBufferFilling",alertstate="firing"})'
        eval_time: 30m
        exp_samples: [{ value: 1 }]
      - { expr: 'count(ALERTS{alertname="LogboomInputRefuses",alertstate="firing"})', eval_time: 12m, exp_samples: [] }
      - expr: 'count(ALERTS{alertname="LogboomInputRefuses",alertstate="firing"})'
        eval_time: 35m
        exp_samples: [{ value: 1 }]
      - { expr: 'count(ALERTS{alertname="LogboomStandbyInUse"})', eval_time: 15m, exp_samples: [] }
      - expr: 'count(ALERTS{alertname="LogboomStandbyInUse",instance="b",alertstate="firing"})'
        eval_time: 24m
        exp_samples: [{ value: 1 }]
      - { expr: 'count(ALERTS{alertname="LogboomStandbyInUse"})', eval_time: 35m, exp_samples: [] }
`

test('Prometheus takes the rules, and they fire when they should', async (t) => {
  const promtool = () => {
    needPrograms({ promtool: 'prometheus' })
    return true
  }
  if ((await need(t, promtool)) === undefined) return
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-rules-'))
  t.after(() => rm(directory, { recursive: true }))
  const cases = path.join(directory, 'cases.yml')
  await writeFile(cases, CASES)
  execFileSync('promtool', ['check', 'rules', RULES], { encoding: 'utf8' })
  for (const file of [cases, KINESIS_CASES]) execFileSync('promtool', ['test', 'rules', file], { encoding: 'utf8' })
})

test('the rules ask for metrics that there are', async () => {
  const names = [...(await readFile(RULES, 'utf8')).matchAll(/\blogboom_\w+/g)].map(([name]) => name)
  assert.ok(names.length > 0)
  assert.deepEqual(
    names.filter((name) => !Object.hasOwn(METRICS, name)),
    [],
  )
})
