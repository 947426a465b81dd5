/** The matrix and what was reported, as one line a fault. */
import type { Fault } from './matrix.ts'
import type { FaultReport, ReportLine } from './report.ts'

export interface Table {
  readonly text: string
  /** Each fault has its line, nothing is lost, nothing doubled, and every test passed. */
  readonly isClean: boolean
}

export function tableOf(faults: readonly Fault[], lines: readonly ReportLine[], failed: ReadonlySet<string>): Table {
  const rows = faults.map((fault) => rowOf(fault, lines, failed))
  return { text: rows.map((row) => row.text).join('\n'), isClean: rows.every((row) => row.isClean) }
}

function rowOf({ fault, title, files }: Fault, lines: readonly ReportLine[], failed: ReadonlySet<string>) {
  const own = lines.filter((line) => line.fault === fault)
  const counted = own.filter((line): line is FaultReport => 'tried' in line)
  const absent = own.find((line) => 'absent' in line)
  const broken = files.filter((file) => failed.has(file))
  const verdict = broken.length === 0 ? '' : `, FAILED in ${broken.join(' ')}`
  const head = `${fault} ${title}: `
  if (counted.length === 0) {
    const text = absent === undefined ? 'NOT REPORTED' : `absent: ${absent.absent}`
    return { text: `${head}${text}${verdict}`, isClean: absent !== undefined && broken.length === 0 }
  }
  const sum = (key: 'tried' | 'acked' | 'lost' | 'doubled') => counted.reduce((total, line) => total + line[key], 0)
  const [lost, doubled] = [sum('lost'), sum('doubled')]
  const notes = counted.flatMap(({ note }) => note ?? []).join('; ')
  const counts = `tried ${sum('tried')}, acked ${sum('acked')}, lost ${lost}, doubled ${doubled}`
  const note = notes === '' ? '' : ` (${notes})`
  return { text: `${head}${counts}${note}${verdict}`, isClean: lost + doubled === 0 && broken.length === 0 }
}
