/** Whatever stands in the file: a configuration, or ConfigErrors that can be explained, and never anything else. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { ConfigErrors } from '../../server/config/config-errors.ts'
import { explain } from '../../server/config/explain.ts'
import { loadWithPlaces } from '../../server/config/load.ts'
import { showConfig } from '../../server/config/show.ts'
import { STUBS } from './load-text.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'logboom-hostile-'))
after(() => rmSync(directory, { recursive: true }))

async function check(text: string | Uint8Array): Promise<void> {
  writeFileSync(path.join(directory, 'logboom.yaml'), text)
  try {
    showConfig(await loadWithPlaces({ ...STUBS, directory, environment: { SET: 'value' } }))
  } catch (error) {
    assert.ok(error instanceof ConfigErrors, `${(error as Error)?.stack}`)
    assert.ok(error.problems.length > 0)
    explain(error, { isColored: true })
  }
}

const variable = (name: string) => `\${${name}}`

/** Pieces of configurations and of YAML's darker corners. */
const piece = fc.oneof(
  fc.constantFrom(
    ...'inputs: |outputs: |admin: |node: |forward: |store: |type: |listen: |url: |shared_key: '.split('|'),
  ),
  fc.constantFrom(...'{|}|[|]|- |? |: |, |\n|\n  |\n    |\t|#|"|\'|&a |*a|!tag |<<: |---\n|...\n|%|@|>|\\'.split('|')),
  fc.constantFrom(
    '|',
    '|\n   ',
    variable('SET'),
    variable('NOT'),
    '${',
    '$$',
    '__proto__',
    'constructor',
    'null',
    '~',
    '.inf',
    '0x1f',
  ),
  fc.constantFrom('127.0.0.1:0', '10s', '16MiB', 'true', '-1', '1e400', '9'.repeat(400), '\u0000', '\u202e', '\ud800'),
  fc.string({ maxLength: 5 }),
)

test('pieces of configurations in any order', async () => {
  const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''))
  await fc.assert(fc.asyncProperty(text, check), { numRuns: 300 })
})

test('any value at any key', async () => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.double(), fc.constantFrom(variable('SET'), variable('NOT')))
  const keys = ['node', 'admin', 'log', 'buffer', 'shutdown_limit', 'filters', 'inputs', 'outputs', 'x']
  const section = fc.dictionary(
    fc.constantFrom('id', 'sequence', 'listen', 'token_file', 'forward', 'store', 'y'),
    value,
  )
  const config = fc.dictionary(fc.constantFrom(...keys), fc.oneof(value, section))
  await fc.assert(
    fc.asyncProperty(
      config.map((it) => JSON.stringify(it)),
      check,
    ),
    { numRuns: 100 },
  )
})

test('any bytes', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), check), { numRuns: 100 })
})

test('nesting, aliases and sizes that are meant to hurt', async () => {
  const laughs = Array.from({ length: 12 }, (_, level) => {
    const inside = level === 0 ? 'x' : Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')
    return `a${level}: &a${level} [${inside}]`
  })
  const texts = [
    '['.repeat(100_000),
    '{a: '.repeat(5_000),
    '- '.repeat(10_000),
    `a: ${'['.repeat(2_000)}${']'.repeat(2_000)}`,
    `${'{a: '.repeat(1_500)}1${'}'.repeat(1_500)}`,
    laughs.join('\n'),
    'inputs: &a { forward: *a }\noutputs: *a',
    'inputs: &a { forward: { type: *a } }',
    `inputs: { ${'x'.repeat(500_000)}: 1 }`,
    `node: { id: "${variable('A').repeat(2_000)}" }`,
    '\ufeffinputs: {}',
    '\u0000',
  ]
  for (const text of texts) await check(text)
})
