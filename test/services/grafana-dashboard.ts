/** The dashboard of deploy/grafana, and what its panels ask of Prometheus. */
import { readFileSync } from 'node:fs'

interface Panel {
  readonly id: number
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets: readonly { readonly expr: string }[]
}

export interface Dashboard {
  readonly panels: readonly Panel[]
}

const FILE = new URL('../../deploy/grafana/logboom.json', import.meta.url)
export const dashboard = JSON.parse(readFileSync(FILE, 'utf8')) as Dashboard

/** With all instances and outputs chosen, and a minute for the interval of rates. */
export function questionsOf({ panels }: Dashboard): { title: string; expr: string }[] {
  return panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => ({ title, expr: expr.replaceAll('$__rate_interval', '1m').replace(/\$\w+/g, '.*') })),
  )
}
