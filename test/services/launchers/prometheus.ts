/** Prometheus' own judge of a metrics page. */
import { execFileSync } from 'node:child_process'
import { needPrograms } from './availability.ts'

/** Runs `promtool check metrics`. Returns what it complains of; empty when the page is clean. */
export function checkMetrics(text: string): string {
  needPrograms({ promtool: 'prometheus' })
  try {
    execFileSync('promtool', ['check', 'metrics'], { input: text, stdio: ['pipe', 'pipe', 'pipe'] })
    return ''
  } catch (error) {
    const { stdout, stderr } = error as { stdout: Buffer; stderr: Buffer }
    return `${stdout}${stderr}`
  }
}
