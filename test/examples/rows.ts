/**
 * The rows of the five systems: what the table of `deploy/examples/README.md` promises, and what a check has counted
 * for each. Told to the runner as one JSON line a row, appended to the file that LOGBOOM_EXAMPLE_REPORT names; a check
 * that is run by itself prints it only.
 */
import { appendFileSync, readFileSync } from 'node:fs'

/** Stands where a row names its file. */
const OPEN = 'not proven yet'
const TABLE = new URL('../../deploy/examples/README.md', import.meta.url)

export interface Row {
  /** `A1` to `E7`. */
  readonly row: string
  /** The folder below `deploy/examples`. */
  readonly example: string
  readonly title: string
  /** The table says that it is not proven yet: it needs no line. */
  readonly isOpen: boolean
}

export interface ReportedRow {
  readonly row: string
  /** In figures: what was sent, and what arrived. */
  readonly counted: string
}

/** Says that a row holds. Called after its assertions, so that a row without a line is one that was not proven. */
export function reportRow(row: string, counted: string): void {
  process.stdout.write(`# ${row}: ${counted}\n`)
  const file = process.env.LOGBOOM_EXAMPLE_REPORT
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ row, counted } satisfies ReportedRow)}\n`)
}

/** The table's rows, in its order: each line of it begins with the name of a row, under the heading of an example. */
export function rowsOfTable(): Row[] {
  const rows: Row[] = []
  let example = ''
  for (const line of readFileSync(TABLE, 'utf8').split('\n')) {
    example = /^## .*`([a-z-]+)`/.exec(line)?.[1] ?? example
    const [, row, title] = /^\| *([A-E]\d) *\|([^|]*)\|/.exec(line) ?? []
    if (row !== undefined) rows.push({ row, example, title: title!.trim(), isOpen: line.includes(OPEN) })
  }
  return rows
}
