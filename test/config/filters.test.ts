import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadFilters } from '../../server/config/filters.ts'
import { configReference } from '../../server/config/reference.ts'
import { showConfig } from '../../server/config/show.ts'
import { COMPONENTS, loadText } from './load-text.ts'

const FILTERS = `${COMPONENTS}filters:
  - { match: docker.**, join: docker }
  - record: { add: { service: "{tag[-1]}", n: 1, on: true, price: "$$\{{x}}" } }
  - grep: { regexp: [{ key: log, pattern: "a|b" }] }
`

test('every filter is given to every output, as plain data', async () => {
  const { config } = await loadText(FILTERS)
  const [join, record] = config.outputs[0]!.filters
  assert.deepEqual([join!.type, join!.match, record!.type, record!.match], ['join', 'docker.**', 'record', '**'])
  assert.deepEqual(structuredClone(config.outputs[0]!.filters), config.outputs[0]!.filters)
  assert.deepEqual((record!.options as { add: object }).add, { service: '{tag[-1]}', n: 1, on: true, price: `\${{x}}` })
})

test('what is shown loads to the same filters', async () => {
  const loaded = await loadText(FILTERS)
  const again = await loadText(showConfig(loaded).replace(/^# .*/, ''))
  assert.deepEqual(again.config.outputs[0]!.filters, loaded.config.outputs[0]!.filters)
  assert.match(showConfig(loaded), /- match: docker\.\*\* +# logboom\.yaml:4/)
})

test('the example of every filter is valid, and the reference has it', async () => {
  const reference = await configReference()
  for (const [type, { example, summary }] of await loadFilters()) {
    const { config } = await loadText(`${COMPONENTS}filters:\n${example.replace(/^/gm, '  ')}\n`)
    assert.ok(config.filters.every((filter) => filter.type === type))
    assert.ok(reference.includes(summary))
  }
})
