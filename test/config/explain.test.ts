import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { ConfigErrors } from '../../server/config/config-errors.ts'
import { explain } from '../../server/config/explain.ts'
import { LogboomError } from '../../server/core/errors.ts'

const place = { file: 'a.yaml', line: 12, column: 3, length: 5, source: '  admni: 1' }
const unknown = new LogboomError('LB-C001', { key: 'admni', nearest: '`admin`' }, { place })

test('with a place: line, caret, help', () => {
  const text = `a.yaml:12:3  LB-C001  unknown key \`admni\`
   12 |   admni: 1
      |   ^^^^^
    Did you mean \`admin\`?
`
  assert.equal(explain(unknown, { isColored: false }), text)
  const colored = explain(unknown, { isColored: true })
  assert.notEqual(colored, text)
  assert.equal(stripVTControlCharacters(colored), text)
})

test('without a place: code, text, help', () => {
  const error = new LogboomError('LB-S005', { url: 'http://x', reason: 'refused' })
  assert.equal(
    explain(error, { isColored: false }),
    'LB-S005  no Logboom answers on http://x: refused\n    Is it running? ' +
      'Another address is given with `--url` or LOGBOOM_URL.\n',
  )
})

test('all problems, in the order of their places', () => {
  const first = new LogboomError('LB-C003', { key: 'a', doc: 'A.' }, { place: { ...place, line: 2 } })
  const text = explain(new ConfigErrors([unknown, first]), { isColored: false })
  assert.deepEqual(text.match(/LB-C\d+/g), ['LB-C003', 'LB-C001'])
})

test('a fault of Logboom itself shows its stack', () => {
  assert.match(explain(new TypeError('x is not'), { isColored: false }), /TypeError: x is not\n {4}at /)
})

test('what was sent by others cannot move the cursor', () => {
  const error = new LogboomError('LB-F001', { peer: '\u001b[2J', reason: 'a\nb\u009b31m' })
  const [head] = explain(error, { isColored: false }).split('\n')
  assert.equal(head, 'LB-F001  ␛[2J sent what is not Forward: a␊b⟨009B⟩31m')
})
