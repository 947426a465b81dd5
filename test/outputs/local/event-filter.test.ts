/** What a field or tag filter says of one event. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { matchesPattern, passes } from '../../../outputs/local/event-filter.ts'
import { type Pattern, parseQuery } from '../../../outputs/local/query.ts'

const JSON_TEXT = `{"level":"error","code":3.0,"big":9007199254740993,"ok":true,"none":null,"empty":"","status":200,
  "a":{"b":"nested","c.d":"dotted inside"},"a.b":"dotted","list":["x","y",7],"items":[{"name":"n1"},{"name":"n2"}],
  "odd key":"v","__proto__":"p","path":"/api/v1/users","tag":"own"}`

const CASES: readonly [query: string, holds: boolean][] = [
  ['level:error', true],
  ['level:Error', false],
  ['level:err', false],
  ['level:err*', true],
  ['level:*ror', true],
  ['level:e*r*r', true],
  ['level:e*x*r', false],
  ['level:"err*"', false],
  ['-level:error', false],
  ['-level:debug', true],
  ['missing:x', false],
  ['missing:*', false],
  ['-missing:x', true],
  ['code:3.0', true],
  ['code:3', false],
  ['status:200', true],
  ['status:2*', true],
  ['big:9007199254740993', true],
  ['big:9007199254740992', false],
  ['ok:true', true],
  ['none:null', true],
  ['empty:""', true],
  ['empty:*', true],
  ['a:*', false],
  ['a.b:*', true],
  ['a.b:nested', true],
  ['a.b:dotted', true],
  ['a.c.d:"dotted inside"', true],
  ['list:y', true],
  ['list:7', true],
  ['list:z', false],
  ['-list:y', false],
  ['items.name:n2', true],
  ['items.name:n3', false],
  ['"odd key":v', true],
  ['__proto__:p', true],
  ['constructor:*', false],
  ['path:/api/*/users', true],
  ['"tag":own', true],
  ['level:error -list:z', true],
]

for (const [query, expected] of CASES) {
  test(`${query} ${expected ? 'holds' : 'does not hold'}`, () => {
    const checks = parseQuery(query).filter((clause) => clause.kind === 'field')
    assert.equal(passes(checks, JSON_TEXT), expected)
  })
}

const PATTERNS: readonly [text: string, pattern: Pattern, holds: boolean][] = [
  ['aba', ['ab', 'ba'], false],
  ['abba', ['ab', 'ba'], true],
  ['', ['', ''], true],
  ['abc', ['', 'b', ''], true],
  ['abc', ['a', 'c', 'c'], false],
  ['aXbXc', ['a', 'X', 'X', 'c'], true],
]

for (const [text, pattern, expected] of PATTERNS) {
  test(`${JSON.stringify(text)} and ${pattern.join('*')}`, () => assert.equal(matchesPattern(text, pattern), expected))
}
