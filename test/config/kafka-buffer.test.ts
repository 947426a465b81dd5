/** What does not go with `buffer.type: kafka` is refused before anything starts, each by its key. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigErrors } from '../../server/config/config-errors.ts'
import { loadConfig } from '../../server/config/load.ts'
import { withFiles } from './load-text.ts'

const BUFFER = 'buffer: { type: kafka, brokers: ["kafka:9092"], topics: [info, other], default_topic: other }\n'

function load(text: string) {
  return withFiles({ 'logboom.yaml': text }, (directory) => loadConfig({ directory, environment: {} }))
}

/** Keys that LB-K001 names. */
async function refusedKeys(text: string): Promise<unknown[]> {
  const errors = await load(text).then(
    () => assert.fail('it was taken'),
    (error) => error,
  )
  assert.ok(errors instanceof ConfigErrors, String(errors))
  return errors.problems.filter(({ code }) => code === 'LB-K001').map(({ details }) => details.key)
}

test('inputs and outputs that need this machine, and ways to lag that a topic does not have', async () => {
  const lag = 'match: "**", url: "http://search:9200", lag_limit: { age: 1h }'
  const keys = await refusedKeys(
    `${BUFFER}inputs: { tail: { path: /var/log/app.log, tag: app } }
outputs:
  local: {}
  skipping: { type: elasticsearch, ${lag}, on_lag: skip }
  parking: { type: elasticsearch, ${lag}, on_lag: park }
`,
  )
  assert.deepEqual(keys, ['inputs.tail', 'outputs.local', 'outputs.skipping.on_lag', 'outputs.parking.on_lag'])
})

test('a topic out of the record, which nobody looks at before the ack', async () => {
  const text = `${BUFFER.replace('{ type', '{ topic: "{record.level}", type')}inputs: { forward: {} }\noutputs: {}\n`
  assert.deepEqual(await refusedKeys(text), ['buffer.topic'])
})

test('a receiver needs no output, where the buffer is Kafka and only there', async () => {
  const { outputs } = await load(`${BUFFER}inputs: { forward: {} }\noutputs: {}\n`)
  assert.deepEqual(outputs, [])
  await assert.rejects(load('inputs: { forward: {} }\noutputs: {}\n'), ConfigErrors)
})
