/**
 * `npm run test:faults`: runs the whole matrix and prints one line a fault. Fails when a test failed, when a fault has
 * no line, or when anything that was acknowledged is lost or doubled. Arguments name faults to run alone: F1 F3.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { needPrograms, say, Unavailable } from '../services/launchers/availability.ts'
import { MATRIX } from './matrix.ts'
import type { ReportLine } from './report.ts'
import { tableOf } from './table.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** By hand a soak may take hours; in CI a machine that others use too may need several times what a quiet one does. */
const TEST_LIMIT_MS = process.env.CI === 'true' ? 1_200_000 : 24 * 3_600_000
/** Come first: without a judge, and faults, that can be trusted the rest says nothing. */
const ORACLE = 'test/faults/oracle.test.ts'
const LINK = ['test/faults/network/way.test.ts', 'test/faults/network/link.test.ts']
const PROGRAMS = {
  strace: 'strace',
  'mkfs.ext4': 'e2fsprogs',
  mount: 'mount',
  python3: 'python3-minimal',
}

function install(): void {
  try {
    needPrograms(PROGRAMS)
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    say(`not to be had: ${error.message}`)
  }
}

/** The lines that the tests of one file have reported, and whether all of them passed. */
function runFile(file: string, report: string): boolean {
  // What a test that failed has left open must not hold up the others.
  const options = ['--test', '--test-force-exit', `--test-timeout=${TEST_LIMIT_MS}`, '--test-reporter=spec']
  const env = { ...process.env, LOGBOOM_FAULT_REPORT: report }
  return spawnSync(process.execPath, [...options, file], { cwd: ROOT, stdio: 'inherit', env }).status === 0
}

function main(): number {
  install()
  const asked = new Set(process.argv.slice(2))
  const faults = MATRIX.filter(({ fault }) => asked.size === 0 || asked.has(fault))
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-faults-'))
  const report = path.join(folder, 'report')
  writeFileSync(report, '')
  const failed = new Set<string>()
  const ofFaults = faults.flatMap(({ files }) => files)
  const judges = [ORACLE, ...(ofFaults.some((file) => file.includes('/network/')) ? LINK : [])]
  for (const file of new Set([...judges, ...ofFaults])) {
    const began = performance.now()
    if (!runFile(file, report)) failed.add(file)
    say(`${file}: ${Math.round((performance.now() - began) / 1000)} s`)
  }
  const lines = readFileSync(report, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
  rmSync(folder, { recursive: true, force: true })
  const { text, isClean } = tableOf(
    faults,
    lines.map((line) => JSON.parse(line) as ReportLine),
    failed,
  )
  process.stdout.write(`\n${text}\n`)
  return isClean && judges.every((file) => !failed.has(file)) ? 0 : 1
}

process.exitCode = main()
