/**
 * `npm run test:examples`: brings the systems of `deploy/examples` to life, each from its own files, and prints one
 * line a row with what was counted. Fails when a test failed, or when a row has no line and the table does not say that
 * it is open. Arguments name examples.
 */
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { say } from '../services/launchers/availability.ts'
import { type ReportedRow, type Row, rowsOfTable } from './rows.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Servers and images may have to be installed first. */
const TEST_LIMIT_MS = 1_200_000
const USAGE = 64

/** The tests of one example: `<name>.test.ts` and `<name>-*.test.ts`. */
function filesOf(example: string): string[] {
  return globSync(`test/examples/${example}{,-*}.test.ts`, { cwd: ROOT }).sort()
}

/** Whether all its tests passed. */
function runExample(example: string, report: string): boolean {
  const began = performance.now()
  const options = ['--test', '--test-concurrency=1', '--test-force-exit', '--test-reporter=spec']
  const env = { ...process.env, LOGBOOM_EXAMPLE_REPORT: report }
  const args = [...options, `--test-timeout=${TEST_LIMIT_MS}`, ...filesOf(example)]
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env })
  say(`${example}: ${Math.round((performance.now() - began) / 1000)} s`)
  return status === 0
}

/** @returns false where a row was not proven, or was and the table does not know it. */
function print(rows: readonly Row[], lines: readonly ReportedRow[]): boolean {
  let isWhole = true
  for (const { row, title, isOpen } of rows) {
    const counted = lines.filter((line) => line.row === row).map((line) => line.counted)
    if ((counted.length === 0) !== isOpen) isWhole = false
    const nothing = isOpen ? 'not proven yet' : 'NOT PROVEN'
    process.stdout.write(`${row} ${title}: ${counted.join('; ') || nothing}\n`)
  }
  return isWhole
}

function main(asked: readonly string[]): number {
  const table = rowsOfTable()
  const known = [...new Set(table.map(({ example }) => example))]
  const unknown = asked.filter((name) => !known.includes(name))
  if (unknown.length > 0) {
    process.stderr.write(`no example ${unknown.join(', ')}: there are ${known.join(', ')}\n`)
    return USAGE
  }
  const examples = known.filter((name) => asked.length === 0 || asked.includes(name))
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-examples-'))
  const report = path.join(folder, 'report')
  writeFileSync(report, '')
  const failed = examples.filter((name) => filesOf(name).length > 0 && !runExample(name, report))
  const lines = readFileSync(report, 'utf8').split('\n').filter(Boolean)
  rmSync(folder, { recursive: true, force: true })
  const rows = table.filter(({ example }) => examples.includes(example))
  process.stdout.write('\n')
  const isWhole = print(
    rows,
    lines.map((line) => JSON.parse(line) as ReportedRow),
  )
  for (const name of failed) process.stdout.write(`FAILED: ${name}\n`)
  return isWhole && failed.length === 0 ? 0 : 1
}

process.exitCode = main(process.argv.slice(2))
