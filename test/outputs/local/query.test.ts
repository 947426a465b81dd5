/** The language of a search: what becomes of a text, and that no text does anything but become a query or LB-Q001. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import test from 'node:test'
import fc from 'fast-check'
import { planQuery } from '../../../outputs/local/match-expression.ts'
import { type Clause, parseQuery, QUERY_LIMITS } from '../../../outputs/local/query.ts'
import { LogboomError } from '../../../server/core/errors.ts'

const words = (text: string, more: object = {}) => ({ kind: 'words', not: false, prefix: false, text, ...more })
const field = (path: string, pattern: string[], not = false) => ({ kind: 'field', not, path, pattern })
const tag = (pattern: string[], not = false) => ({ kind: 'tag', not, pattern })

const CASES: readonly [text: string, clauses: readonly object[]][] = [
  ['', []],
  ['   ', []],
  ['error', [words('error')]],
  ['  two\twords\n', [words('two'), words('words')]],
  ['10.0.0.4', [words('10.0.0.4')]],
  ['10.0.0.4:8080', [words('10.0.0.4:8080')]],
  ['12:00:01', [words('12:00:01')]],
  ['http://host/a', [words('http://host/a')]],
  ['fe80::1', [words('fe80::1')]],
  ['error: disk', [words('error:'), words('disk')]],
  ['error:', [words('error:')]],
  ['time*', [words('time', { prefix: true })]],
  ['time.*', [words('time.')]],
  ['a*b', [words('a*b')]],
  ['"time out"', [words('time out')]],
  ['"time*"', [words('time*')]],
  ['"a \\"b\\" \\\\ c\\d"', [words('a "b" \\ c\\d')]],
  ['-debug', [words('debug', { not: true })]],
  ['-"no such"', [words('no such', { not: true })]],
  ['--verbose', [words('--verbose')]],
  ['10.0.0.4 - - [20/Nov', [words('10.0.0.4'), words('[20/Nov')]],
  ['say"no"', [words('say"no"')]],
  ['level:error', [field('level', ['error'])]],
  ['-level:error', [field('level', ['error'], true)]],
  ['a.b.c:1', [field('a.b.c', ['1'])]],
  ['@timestamp:2026*', [field('@timestamp', ['2026', ''])]],
  ['path:/api/*/users', [field('path', ['/api/', '/users'])]],
  ['log:"a * b"', [field('log', ['a * b'])]],
  ['log:""', [field('log', [''])]],
  ['log:*', [field('log', ['', ''])]],
  ['url:http://x', [field('url', ['http://x'])]],
  ['"odd key":v', [field('odd key', ['v'])]],
  ['"tag":v', [field('tag', ['v'])]],
  ['"a": b', [words('a'), words('b')]],
  ['tag:docker.*', [tag(['docker.', ''])]],
  ['-tag:a', [tag(['a'], true)]],
  ['größe:Ж', [field('größe', ['Ж'])]],
]

for (const [text, clauses] of CASES) {
  test(`query ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parseQuery(text), clauses)
  })
}

const BAD: readonly [text: string, position: number, reason: RegExp][] = [
  ['a "b', 3, /not closed/],
  ['"', 1, /not closed/],
  ['x:"y', 3, /not closed/],
  ['*** ---', 1, /no letter/],
  [`${'a.'.repeat(QUERY_LIMITS.fieldParts)}z:1`, 1, /parts/],
  ['w '.repeat(QUERY_LIMITS.clauses + 1), QUERY_LIMITS.clauses * 2 + 1, /more than/],
  ['w'.repeat(QUERY_LIMITS.characters + 1), QUERY_LIMITS.characters + 1, /longer than/],
]

for (const [text, position, reason] of BAD) {
  test(`query ${JSON.stringify(text.slice(0, 20))} is refused at character ${position}`, () => {
    assert.throws(
      () => parseQuery(text),
      (error) => error instanceof LogboomError && error.details.position === position && reason.test(error.message),
    )
  })
}

/** Text that is likely to be taken for syntax by someone. */
const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(fc.constantFrom(...'"\\:-* ()\'^+{},;\0\x7f.@aé', 'NEAR', 'OR', 'NOT', 'AND', 'text', '\ud800'), {
      maxLength: 30,
    })
    .map((parts) => parts.join('')),
)

test('any text is a query or LB-Q001, and its index expression is never a syntax error', () => {
  const db = new DatabaseSync(':memory:')
  db.exec(`CREATE VIRTUAL TABLE words USING fts5(text, content='', columnsize=0)`)
  const find = db.prepare('SELECT rowid FROM words WHERE words MATCH ?')
  fc.assert(
    fc.property(hostileText, (text) => {
      let clauses: readonly Clause[]
      try {
        clauses = parseQuery(text)
      } catch (error) {
        assert.ok(error instanceof LogboomError && error.code === 'LB-Q001', String(error))
        return
      }
      const { match, except } = planQuery(clauses)
      if (match !== undefined) find.all(match)
      if (except !== undefined) find.all(except)
      if (match !== undefined && except !== undefined) find.all(`(${match}) NOT (${except})`)
    }),
    { numRuns: 2_000 },
  )
  db.close()
})
