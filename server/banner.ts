/** What the program says when it is up: where it listens, and a line to try. Pure: report in, text out. */
import { styleText } from 'node:util'
import type { InputReport, StatusReport } from './core/status.ts'

const KNOWN_SENDERS: Readonly<Record<string, string>> = {
  forward: 'fluentd · Fluent Bit · docker --log-driver=fluentd',
  gelf: 'docker --log-driver=gelf · graypy · logback-gelf · gelf-pro',
}

export interface BannerOptions {
  readonly consoleUrl: string
  /** Folder of the buffer, as the operator would write it. */
  readonly path: string
  readonly isColored: boolean
}

export function banner(report: StatusReport, options: BannerOptions): string {
  const bold = (text: string) => (options.isColored ? styleText('bold', text, { validateStream: false }) : text)
  const dim = (text: string) => (options.isColored ? styleText('dim', text, { validateStream: false }) : text)
  const from = report.configFile ?? 'no logboom.yaml here, so it listens on this machine only and keeps 24 h or 1 GiB'
  const outputs = report.outputs.map((output) => `${output.name} (${output.type}, ${output.match})`)
  const rows: [string, string, string][] = [
    ['console', options.consoleUrl, 'live tail, search, health'],
    ...report.inputs.map((input): [string, string, string] => [input.name, addressOf(input), sendersOf(input)]),
    ['buffer', options.path, backlog(report)],
    ['outputs', outputs.length > 0 ? outputs.join(', ') : 'none: events stay in the buffer', ''],
  ]
  const lines = rows.map(([name, what, hint]) => `  ${name.padEnd(9)}${what}${hint === '' ? '' : `   ${dim(hint)}`}`)
  return [`${bold(`logboom ${report.version}`)}  ${from}`, ...lines, ...tryLines(report), ''].join('\n')
}

/** Where senders reach it: that other instances have a door of their own is no news to them. */
function addressOf(input: InputReport): string {
  const forSenders = input.addresses.filter((address) => !address.endsWith(' peers'))
  return [...new Set(forSenders.map((address) => address.split(' ')[0]!))].join(', ')
}

const sendersOf = (input: InputReport) => KNOWN_SENDERS[input.type] ?? ''

function backlog({ buffer, outputs }: StatusReport): string {
  const waiting = Math.max(0, ...outputs.map((output) => output.lagEvents))
  return waiting > 0 ? `${waiting} events wait for an output` : `${buffer.chunks} chunk files`
}

function tryLines(report: StatusReport): string[] {
  const isPlain = (address: string) => address.endsWith(' tcp')
  const forward = report.inputs.find(({ type, addresses }) => type === 'forward' && addresses.some(isPlain))
  if (forward === undefined) return []
  const address = addressOf(forward)
  const driver = `--log-driver=fluentd --log-opt fluentd-address=${address} --log-opt fluentd-request-ack=true`
  return [`  try      docker run --rm ${driver} alpine echo hello`, '           echo hello | npx logboom send demo']
}
