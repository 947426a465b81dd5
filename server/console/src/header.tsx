/** The name, whether all is well, and how much flows. */
import { amount, rate } from '../../core/readable.ts'
import type { Status } from './use-status.ts'

function sumOf(rates: Status['rates'], kind: string): number {
  return [...rates].reduce((sum, [name, value]) => (name.startsWith(`${kind} `) ? sum + value : sum), 0)
}

function stateOf({ report, failure }: Status): { name: 'ready' | 'waiting' | 'bad'; text: string } {
  if (failure === 'unreachable') return { name: 'bad', text: 'Logboom does not answer' }
  if (report === undefined) return { name: 'waiting', text: 'asking …' }
  if (report.reasons.length > 0) return { name: 'bad', text: `not ready: ${report.reasons.join(' · ')}` }
  return { name: 'ready', text: 'ready' }
}

export function Header({ status }: { status: Status }) {
  const { name, text } = stateOf(status)
  const { report, rates } = status
  const delivered = report?.outputs.reduce((sum, output) => sum + output.delivered, 0) ?? 0
  return (
    <header class="header">
      <h1 class="brand">
        <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
          <rect class="log-a" x="2" y="7" width="28" height="5" rx="2.5" />
          <rect class="log-b" x="2" y="14" width="28" height="5" rx="2.5" />
          <path class="river" d="M1 24c3-2.6 6-2.6 9 0s6 2.6 9 0 6-2.6 12 0" />
        </svg>
        Logboom
      </h1>
      <span class={`state state-${name}`} data-testid="state" role="status">
        <span class="dot" />
        {text}
      </span>
      {report !== undefined && (
        <span class="flow" data-testid="rates" title={`${amount(delivered)} events delivered since the start`}>
          <b>{rate(sumOf(rates, 'input'))}</b> in/s
          <b>{rate(sumOf(rates, 'output'))}</b> delivered/s
        </span>
      )}
      {report !== undefined && (
        <span class="version" title={report.configFile ?? 'no configuration file: the embedded default'}>
          {report.node} · {report.version}
        </span>
      )}
    </header>
  )
}
