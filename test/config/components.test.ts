/** What must hold for every input and output there is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { OUTPUTS } from '../../outputs/registry.ts'
import { PROTOCOLS } from '../../protocols/registry.ts'
import { loadOutput, loadProtocol } from '../../server/config/components.ts'
import { loadWithPlaces } from '../../server/config/load.ts'
import { isSecretName } from '../../server/config/secrecy.ts'
import { INPUT_FIELDS, OUTPUT_FIELDS, SECTIONS } from '../../server/config/sections.ts'
import type { Described, Fields } from '../../server/core/fields.ts'
import { withFiles } from './load-text.ts'

interface Component {
  readonly type: string
  readonly section: 'inputs' | 'outputs'
  readonly common: Fields
  readonly described: Described<Fields>
}

const components: Component[] = []
for (const [type, url] of Object.entries(PROTOCOLS)) {
  components.push({ type, section: 'inputs', common: INPUT_FIELDS, described: await loadProtocol(url) })
}
for (const [type, url] of Object.entries(OUTPUTS)) {
  components.push({ type, section: 'outputs', common: OUTPUT_FIELDS, described: await loadOutput(url) })
}

/** All fields with their names, those of maps too. */
function flat(fields: Fields): [string, Fields[string]][] {
  return Object.entries(fields).flatMap(([name, field]) => [
    [name, field] as [string, Fields[string]],
    ...('fields' in field ? flat(field.fields) : []),
  ])
}

test('the registries are sorted', () => {
  for (const table of [PROTOCOLS, OUTPUTS]) assert.deepEqual(Object.keys(table), Object.keys(table).toSorted())
})

for (const { type, section, common, described } of components) {
  test(`${section} ${type}: its name, its example and its fields are whole`, async () => {
    assert.equal(described.name, type)
    assert.match(described.summary, /^[A-Z].*\.$/)
    const other = section === 'inputs' ? 'outputs: { local: {} }' : 'inputs: { forward: { listen: 127.0.0.1:0 } }'
    const text = `${section}:\n${described.example.replace(/^(?=.)/gm, '  ')}\n${other}\n`
    const { config } = await withFiles({ 'logboom.yaml': text }, (directory) =>
      loadWithPlaces({ directory, environment: {} }),
    )
    const [name] = Object.keys((parse(text) as Record<string, object>)[section]!)
    assert.equal(config[section].find((it) => it.name === name)?.type, type)
    assert.deepEqual(
      Object.keys(described.fields).filter((field) => Object.hasOwn(common, field)),
      [],
      'a field of its own has the name of one that all have',
    )
  })
}

test('every field has a sentence, and every secret a name that is known for one', () => {
  const all = [SECTIONS, INPUT_FIELDS, OUTPUT_FIELDS, ...components.map(({ described }) => described.fields)].flatMap(
    flat,
  )
  for (const [name, field] of all) {
    assert.match(field.doc, /^[A-Z`0-9].*\.$/s, name)
    assert.match(name, /^[a-z][a-z0-9_]*$/)
    assert.equal(
      field.kind === 'secret',
      isSecretName(name),
      `${name}: a secret must be seen by its name, and no other`,
    )
  }
})
