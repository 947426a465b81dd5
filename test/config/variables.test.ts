import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FromVariable, substitute, UNRESOLVED } from '../../server/config/variables.ts'

const environment = { HOST: 'store', EMPTY: '', PORT: '24224' }

/** Built from parts, since these are not template strings. */
const ref = (inner: string) => `\${${inner}}`

test('variables are put into text', () => {
  const table: [string, string][] = [
    [`http://${ref('HOST')}:${ref('PORT')}/`, 'http://store:24224/'],
    [`a${ref('NONE:-b')}c`, 'abc'],
    [`a${ref('EMPTY:-b')}c`, 'abc'],
    [`a${ref('EMPTY')}c`, 'ac'],
    [`a${ref('NONE:-')}c`, 'ac'],
    [`$$${ref('HOST').slice(1)}`, ref('HOST')],
    ['$HOST costs 5$', '$HOST costs 5$'],
    ['$$', '$'],
  ]
  for (const [text, value] of table) assert.deepEqual(substitute(text, environment), { value, faults: [] }, text)
})

test('a value that is one variable is marked, so that its field decides what it is', () => {
  assert.deepEqual(substitute(ref('PORT'), environment).value, new FromVariable('24224'))
  assert.deepEqual(substitute(ref('NONE:-7'), environment).value, new FromVariable('7'))
  assert.equal(substitute(` ${ref('PORT')}`, environment).value, ' 24224')
})

test('faults are named and nothing is made of the value', () => {
  const table: [string, string, string][] = [
    [ref('NONE'), 'missing', 'NONE'],
    [ref('toString'), 'missing', 'toString'],
    [ref('HOST-x'), 'malformed', 'HOST-x'],
    [ref(''), 'malformed', ''],
    ['${HOST', 'malformed', 'HOST'],
    [ref(`A:-${ref('B')}`), 'malformed', 'A:-${B'],
  ]
  for (const [text, kind, name] of table) {
    const { value, faults } = substitute(text, environment)
    assert.deepEqual([value, faults[0]?.kind, faults[0]?.name], [UNRESOLVED, kind, name], text)
  }
})
