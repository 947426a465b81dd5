/** `logboom test`: runs the cases of the configuration through its filters, and says what came out otherwise. */
import type { Command } from 'commander'
import type { TestCase } from '../delivery/filters/test-run.ts'
import { Said } from './end.ts'
import type { GlobalOptions } from './program.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'

const FAILED = 1

/** Throws ConfigErrors, and Said with exit code 1 when a case fails. */
async function runCases({ config: file }: GlobalOptions, { output }: Terminal): Promise<void> {
  const { loadWithPlaces } = await import('../config/load.ts')
  const { createCaseRunner } = await import('../delivery/filters/test-run.ts')
  const { config, placeOf } = await loadWithPlaces({ file })
  const run = createCaseRunner(config.filters)
  let failed = 0
  for (const [index, testCase] of config.tests.entries()) {
    const { isSame, lines } = await run(testCase)
    const place = placeOf(['tests', index])
    const at = place === undefined ? '' : `  ${place.file}:${place.line}`
    await print(output, isSame ? `✓ ${testCase.name}\n` : `✗ ${testCase.name}${at}\n${indented(lines)}`)
    if (!isSame) failed++
  }
  await print(output, summary(config.tests, failed))
  if (failed > 0) throw new Said(FAILED)
}

function indented(lines: readonly string[]): string {
  return lines.map((line) => `    ${line}\n`).join('')
}

function summary(cases: readonly TestCase[], failed: number): string {
  if (cases.length === 0) return 'no cases: add some under `tests`\n'
  return failed === 0 ? `${cases.length} passed\n` : `${failed} of ${cases.length} failed\n`
}

export function register(program: Command, terminal: Terminal = processTerminal): void {
  program
    .command('test')
    .description('run the cases of the configuration through its filters')
    .action((_: object, command: Command) => runCases(command.optsWithGlobals<GlobalOptions>(), terminal))
}
