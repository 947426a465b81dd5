import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MATCH_LENGTH_MAX, parseMatch } from '../../server/delivery/match.ts'

/** pattern: tags that match | tags that do not. The first five blocks are fluentd's own test/test_match.rb. */
const TABLE: readonly [match: string, yes: string, no: string][] = [
  ['a', 'a', 'b ab a.b'],
  ['a.b', 'a.b', 'aab a a.b.c'],
  ['a*', 'a ab abc', 'a.b ab.c ba'],
  ['*a', 'a ba cba', 'ab b.a'],
  ['*a*', 'a ba ac bac', 'b.a'],
  ['a.*', 'a.b a.c a.', 'ab a a.b.c'],
  ['a.*.c', 'a.b.c a.c.c', 'a.c'],

  ['a.**', 'a a.b a.b.c a.', 'ab abc ab.c ab.d.e'],
  ['a**', 'a ab abc a.b ab.c ab.d.e', 'b.a'],
  ['**.a', 'a b.a cb.a d.e.a', 'ba c.ba'],
  ['**a', 'a ba c.ba b.a cb.a d.e.a', 'ab'],
  ['a.**.b', 'a.b a.x.b a.x.y.b', 'a ab a.xb'],
  ['**.a.**', 'a b.a a.b b.a.c', 'ab ba'],
  ['a.**b', 'a.b a.xb a.x.b', 'ab b'],

  ['a.{b,c}', 'a.b a.c', 'a.d a'],
  ['a.{b,c}.**', 'a.b a.c a.b.x', 'a.d a.cd'],
  ['a.{b.**,c}', 'a.b a.b.c a.c', 'a.c.d'],
  ['{a,b}', 'a b', 'c a.b ab'],
  ['{a,{b,c.*}}.d', 'a.d b.d c.x.d', 'c.d a'],
  ['a.{**,b}', 'a.b a.x.y a.', 'a'],
  ['{,x.}a', 'a x.a', 'x. ba'],

  ['**', 'a a.b.c x', ''],
  ['a **', 'b', ''],
  ['a b.*', 'a b.c', 'b c'],
  [' \n a\tb ', 'a b', 'c'],

  ['a.', 'a', 'a. a.b'],
  ['a\\*', 'a*', 'ab a'],
  ['a\\.**', 'a. a.b', 'a ab'],
  ['a,b', 'a,b', 'a b'],
  ['a?+[x]', 'a?+[x]', 'a ab'],
  ['läng.*', 'läng.ß läng.😀', 'lang.x'],
]

for (const [match, yes, no] of TABLE)
  test(`match ${JSON.stringify(match)}`, () => {
    const matches = parseMatch(match)
    for (const tag of yes.split(' ').filter(Boolean)) assert.equal(matches(tag), true, `must match ${tag}`)
    for (const tag of no.split(' ').filter(Boolean)) assert.equal(matches(tag), false, `must not match ${tag}`)
  })

const FAULTS: readonly [match: string, says: RegExp][] = [
  ['', /must not be empty/],
  ['  ', /must not be empty/],
  ['a.{b,c', /^Error: character 3: `\{` is not closed/],
  ['x {a, b}', /^Error: character 3: `\{` is not closed before the end or a space/],
  ['a b}', /^Error: character 4: `\}` closes nothing/],
  ['a\\', /^Error: character 2: `\\` at the end/],
  ['/a.*/', /^Error: character 1: regular expressions/],
  ['{'.repeat(40), /^Error: character 17: more than 16 braces/],
  ['a'.repeat(MATCH_LENGTH_MAX + 1), /4096 characters/],
]
for (const [match, says] of FAULTS)
  test(`no match: ${JSON.stringify(match.slice(0, 20))}`, () => {
    assert.throws(() => parseMatch(match), says)
  })

type Node = string | readonly (readonly Node[])[]
const leaf = fc.constantFrom('a', 'b', '.', '*', '**', '**.', '.**', '.**.')
const { sequence } = fc.letrec<{ node: Node; sequence: readonly Node[] }>((tie) => ({
  node: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('sequence'), { minLength: 1, maxLength: 3 })),
  sequence: fc.array(tie('node'), { maxLength: 5 }),
}))
const print = (nodes: readonly Node[]): string =>
  nodes.map((node) => (typeof node === 'string' ? node : `{${node.map(print).join(',')}}`)).join('')

/** The readable version: what fluentd makes of a pattern as a regular expression. */
function oracle(pattern: string): RegExp {
  const tokens = pattern.match(/\.(?=\*\*)|\*\*\.|\*\*|\.$|./g) ?? []
  const meaning: Record<string, string> = {
    '**.': '(?:.*\\.|^)',
    '**': '.*',
    '*': '[^.]*',
    '{': '(?:',
    '}': ')',
    ',': '|',
  }
  const parts = tokens.map((token, index) => {
    if (token !== '.') return meaning[token] ?? token
    if (tokens[index + 1]?.startsWith('**')) return '(?![^.])'
    return index === tokens.length - 1 ? '' : '\\.'
  })
  return new RegExp(`^${parts.join('')}$`)
}

test('random patterns match what the regular expression of fluentd matches', () => {
  const tag = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 6 })
  const pattern = sequence.map(print).filter((text) => text !== '')
  fc.assert(
    fc.property(pattern, fc.array(tag, { minLength: 1, maxLength: 20 }), (text, tags) => {
      const matches = parseMatch(text)
      for (const it of tags) assert.equal(matches(it), oracle(text).test(it), `${text} on ${it}`)
    }),
    { numRuns: 400 },
  )
})

test('a hostile tag costs a pattern of many stars no more than its length', () => {
  const matches = parseMatch(`${'{*a,**a}'.repeat(200)}b`)
  assert.equal(matches('a'.repeat(1_024)), false)
  assert.equal(matches(`${'a'.repeat(1_023)}b`), true)
})
