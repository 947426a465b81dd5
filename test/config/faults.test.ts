/** Each `test/golden/config/<case>.yaml` beside what the operator must read. UPDATE_GOLDEN=1 writes the texts anew. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { explain } from '../../server/config/explain.ts'
import { ERRORS } from '../../server/core/errors.ts'
import { loadText } from './load-text.ts'

const folder = new URL('../golden/config/', import.meta.url)
const cases = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
const environment = { SET: 'value', NUMBER: '42', EMPTY: '', MY_TOKEN: 'hunter2', MY_PASSWORD: 'hunter3' }
const files = { empty_secret: '\n', good_secret: 'hunter2\n' }

/** Every secret in the golden files reads so. */
const SECRET = /hunter\d/

async function explained(text: string): Promise<string> {
  try {
    await loadText(text, { environment, files })
    return 'nothing is wrong\n'
  } catch (error) {
    return explain(error, { isColored: false })
  }
}

for (const name of cases) {
  test(`explains ${name}`, async () => {
    const golden = new URL(name.replace('.yaml', '.txt'), folder)
    const text = await explained(readFileSync(new URL(name, folder), 'utf8'))
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden, text)
    assert.equal(text, readFileSync(golden, 'utf8'))
    assert.doesNotMatch(text, SECRET)
  })
}

test('the cases show every fault of a configuration but an unreadable file', () => {
  const texts = cases.map((name) => readFileSync(new URL(name.replace('.yaml', '.txt'), folder), 'utf8')).join('\n')
  const codes = Object.keys(ERRORS).filter((code) => code.startsWith('LB-C') && code !== 'LB-C006')
  const unseen = [...codes, 'LB-S008'].filter((code) => !texts.includes(code))
  assert.deepEqual(unseen, [])
})
