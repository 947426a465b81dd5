/** The table of the conformance suite: 85 statements, each with tests that are there and bear its number. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allFiles, read } from './source-files.ts'

const STATEMENTS = 85

interface Shown {
  readonly number: number
  readonly file: string
  readonly name: string
}

const rows = read('test/conformance/clients/README.md').lines.filter((line) => /^\| +\d+ /.test(line))

/** `| number | statement | test<br>test |`, a test being `` `file`: name ``. */
function shownBy(row: string): Shown[] {
  const [, number, statement, tests] =
    row.split(' | ').length === 3 ? /^\| +(\d+) +\| (.+?) +\| (.+?) +\|$/.exec(row)! : []
  assert.ok(tests !== undefined && statement !== '', `not a row: ${row}`)
  return tests.split('<br>').map((text) => {
    const [, file, name] = /^`(test\/[^`]+\.test\.ts)`: (.+)$/.exec(text) ?? []
    assert.ok(file !== undefined && name !== undefined, `names no test: ${text}`)
    return { number: Number(number), file, name }
  })
}

test('there are 85 rows, in order', () => {
  const numbers = rows.map((row) => Number(/\d+/.exec(row)![0]))
  assert.deepEqual(
    numbers,
    Array.from({ length: STATEMENTS }, (_, index) => index + 1),
  )
})

test('each test that the table names is in its file, and bears the number of the statement', () => {
  const found = rows.flatMap(shownBy).flatMap((shown) => faultOf(shown) ?? [])
  assert.deepEqual(found, [])
})

function faultOf({ number, file, name }: Shown): string | undefined {
  if (!allFiles.includes(file)) return `${number}: ${file} is not there`
  // `…` stands for what a table of the test fills in.
  const pattern = name.split('…').map(RegExp.escape).join('\\$\\{[^}]+\\}')
  if (!new RegExp(`\\b(?:test|it)\\((['"\`])${pattern}\\1`).test(read(file).text))
    return `${file} has no test “${name}”`
  const numbers = /^\d+(?:, \d+)*/.exec(name)?.[0].split(', ').map(Number) ?? []
  return numbers.includes(number) ? undefined : `“${name}” does not begin with ${number}`
}
