/**
 * What a fault has cost, told to whoever runs the suite: one JSON line a report, appended to the file that
 * LOGBOOM_FAULT_REPORT names. Without it nothing is written, so any test may report.
 */
import { appendFileSync } from 'node:fs'

export interface FaultReport {
  /** `F1` to `F44`, as in `matrix.ts`. */
  readonly fault: string
  /** Times the fault was made to happen. */
  readonly tried: number
  /** Events that were acknowledged meanwhile; 0 where there is no client. */
  readonly acked: number
  /** Acknowledged, and neither delivered nor a dead letter. */
  readonly lost: number
  /** Delivered twice under different event ids, or twice where the buffer must hand it out once. */
  readonly doubled: number
  /** Whatever else was measured, in a few words. */
  readonly note?: string
}

/** A fault that could not be tried here. */
export interface AbsentReport {
  readonly fault: string
  readonly absent: string
}

export type ReportLine = FaultReport | AbsentReport

export function reportFault(line: ReportLine): void {
  const file = process.env.LOGBOOM_FAULT_REPORT
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`)
}
