/** The documents of the fault suite keep to what is there: each test that they name exists, each fault has its row. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MATRIX } from '../faults/matrix.ts'
import { allFiles, read } from './source-files.ts'

const ROWS = 25

test('every test that the track record names exists', () => {
  const rows = read('test/faults/TRACK-RECORD.md').lines.filter((line) => /^\| \d/.test(line))
  assert.equal(rows.length, ROWS)
  for (const row of rows) {
    const named = /`(test\/[^`]+\.test\.ts)`: (.+?)\s*\|$/.exec(row)
    assert.ok(named !== null, `names no test: ${row}`)
    const [, file, name] = named
    assert.ok(allFiles.includes(file!), `${file} is not there`)
    assert.ok(read(file!).text.includes(name!), `${file} has no test “${name}”`)
  }
})

test('every fault of the matrix has its files and its row in the README', () => {
  const { text } = read('test/faults/README.md')
  for (const { fault, files } of MATRIX) {
    assert.ok(text.includes(`| ${fault} `), `${fault} is not in the README`)
    for (const file of files) {
      assert.ok(allFiles.includes(file), `${file} is not there`)
      assert.ok(read(file).text.includes(`'${fault}'`), `${file} reports nothing for ${fault}`)
    }
  }
})
