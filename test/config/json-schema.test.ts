import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { parse } from 'yaml'
import { OUTPUTS } from '../../outputs/registry.ts'
import { PROTOCOLS } from '../../protocols/registry.ts'
import { loadOutput, loadProtocol } from '../../server/config/components.ts'
import { configJsonSchema } from '../../server/config/json-schema.ts'
import { configReference } from '../../server/config/reference.ts'
import { EMBEDDED_DEFAULT, SECTIONS } from '../../server/config/sections.ts'
import { loadText, STUBS } from './load-text.ts'

const schema = await configJsonSchema()
/** The check itself is of draft 7. */
const ajv = new Ajv({ strict: false, allErrors: true })
const isValid = ajv.compile(schema)
const isValidStub = ajv.compile(await configJsonSchema(STUBS))

test('the schema is draft 7, whole and the same every time', async () => {
  assert.equal(ajv.validateSchema(schema), true)
  assert.equal(JSON.stringify(await configJsonSchema()), JSON.stringify(schema))
  const referred = [...JSON.stringify(schema).matchAll(/"#\/definitions\/(\w+)"/g)].map(([, name]) => name!)
  const defined = Object.keys(schema.definitions as object)
  assert.deepEqual([...new Set(referred)].toSorted(), defined.toSorted())
})

test('every field has a description, and its default as it is written', () => {
  const { properties } = schema as { properties: Record<string, { properties: Record<string, object> }> }
  const { path, chunk_size } = properties.buffer!.properties as Record<
    string,
    { default?: unknown; description?: string }
  >
  assert.deepEqual([path?.default, chunk_size?.default], ['./logboom-data', '16MiB'])
  assert.equal(chunk_size?.description, SECTIONS.buffer.fields.chunk_size.doc)
})

test('it accepts the embedded default and the example of every component', async () => {
  const check = (text: string) => assert.ok(isValid(parse(text)), `${text}: ${ajv.errorsText(isValid.errors)}`)
  check(EMBEDDED_DEFAULT)
  const indent = (example: string) => example.replace(/^(?=.)/gm, '  ')
  for (const url of Object.values(PROTOCOLS)) {
    check(`inputs:\n${indent((await loadProtocol(url)).example)}\noutputs: { local: {} }`)
  }
  for (const url of Object.values(OUTPUTS)) {
    check(`inputs: {}\noutputs:\n${indent((await loadOutput(url)).example)}`)
  }
})

const WITH = 'inputs: {}\noutputs: { store: { url: x } }\n'

/** Configurations that the loader and the schema must judge alike; the second is whether they are right. */
const JUDGED: [string, boolean][] = [
  ['inputs: { forward: }\noutputs: { store: { url: x } }', true],
  ['inputs: { a: { type: forward } }\noutputs: { b: { type: store, url: x } }', true],
  ['inputs: { forward: { type: forward } }\noutputs: { store: { url: x, hosts: one, limit: 2048 } }', true],
  ['inputs: {}\noutputs: { store: { url: x, batch: { size: 1MiB }, tls: } }', true],
  [
    `inputs: { forward: { connection_limit: "\${N}", keep_alive: "\${YES}", shared_key_file: key } }
outputs: { store: { url: x } }`,
    true,
  ],
  ['inputs: {}\noutputs: {}', false],
  ['outputs: { store: { url: x } }', false],
  ['inputs: {}\noutputs: { store: {} }', false],
  ['inputs: {}\noutputs: { a: { url: x } }', false],
  ['inputs: {}\noutputs: { a: { type: nothing, url: x } }', false],
  ['inputs: {}\noutputs: { store: { type: nothing, url: x } }', false],
  ['inputs: { Forward: { type: forward } }\noutputs: { store: { url: x } }', false],
  ['inputs: { forward: { lisen: 1 } }\noutputs: { store: { url: x } }', false],
  ['inputs: { forward: { listen: 1 } }\noutputs: { store: { url: x } }', false],
  ['inputs: { forward: { idle: 5 } }\noutputs: { store: { url: x } }', false],
  ['inputs: { forward: { connection_limit: 0 } }\noutputs: { store: { url: x } }', false],
  ['inputs: {}\noutputs: { store: { url: x, on_lag: wait } }', false],
  ['inputs: {}\noutputs: { store: { url: x, servers: [ { port: 1 } ] } }', false],
  ['inputs: {}\noutputs: { store: { url: x } }\ncolour: red', false],
  [`${WITH}filters: [{ match: a, join: docker }, { record: { add: { a: x, n: 1, on: true } } }]`, true],
  [`${WITH}filters: [{ join: { type: docker, timeout: 1s } }, { throttle: { events: 5 } }]`, true],
  [`${WITH}filters: [{ grep: { exclude: [{ key: log, pattern: x }] } }]`, true],
  [`${WITH}filters: []`, true],
  [`${WITH}filters: { join: docker }`, false],
  [`${WITH}filters: [{ match: a }]`, false],
  [`${WITH}filters: [{ join: docker, throttle: { events: 5 } }]`, false],
  [`${WITH}filters: [{ join: podman }]`, false],
  [`${WITH}filters: [{ grep: { exclude: [{ pattern: x }] } }]`, false],
  [`${WITH}filters: [{ record: { add: { a: [x] } } }]`, false],
  [`${WITH}tests: [{ name: a, input: { tag: t, record: {} }, dropped: true }]`, true],
  [`${WITH}tests: [{ name: a, input: [{ tag: t, record: {} }], expect: [{ record: { a: [1] } }] }]`, true],
  [`${WITH}tests: [{ name: a, input: { tag: t }, dropped: true }]`, false],
  [`${WITH}tests: [{ input: { tag: t, record: {} }, dropped: true }]`, false],
]

for (const [text, isRight] of JUDGED) {
  test(`loader and schema agree: ${text.replace('\n', ' ')}`, async () => {
    const options = { environment: { N: '1', YES: 'true' }, files: { key: 'k' } }
    const isLoaded = await loadText(text, options).then(
      () => true,
      () => false,
    )
    assert.deepEqual({ loader: isLoaded, schema: isValidStub(parse(text)) }, { loader: isRight, schema: isRight })
  })
}

test('the reference names every key of every component', async () => {
  const reference = await configReference()
  for (const key of ['node.sequence.seed', 'buffer.path', 'admin.listen', 'batch.size', 'match', 'retry_limit']) {
    assert.ok(reference.includes(`\`${key}\``), key)
  }
  for (const url of Object.values(OUTPUTS)) {
    const { name, fields } = await loadOutput(url)
    assert.ok(reference.includes(`### ${name}\n`), name)
    for (const key of Object.keys(fields)) assert.ok(reference.includes(key), `${name}: ${key}`)
  }
  assert.doesNotMatch(reference, /undefined|\[object/)
})

test('the golden faults of fields are faults by the schema too', () => {
  const folder = new URL('../golden/config/', import.meta.url)
  for (const name of ['unknown-keys', 'wrong-types', 'missing', 'unknown-types', 'names', 'empty', 'list']) {
    const text = readFileSync(new URL(`${name}.yaml`, folder), 'utf8')
    assert.equal(isValidStub(parse(text)), false, name)
  }
})
