/** `logboom status`: how the server is, on one screen. */
import type { Command } from 'commander'
import { formatJson, type Json, lineText } from '../core/event-text.ts'
import { age, bytes, clockTime, dayOf } from '../core/readable.ts'
import type { InputReport, KnockReport, OutputReport, StatusReport } from '../core/status.ts'
import { askJson, type ServerOptions, withServerOptions } from './api-client.ts'
import { table, whole } from './table.ts'
import { print, processTerminal, type Terminal } from './terminal.ts'

const reasons = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .map(([reason, count]) => `${reason} ${whole(count)}`)
    .join(', ') || '0'

function inputRow({ name, type, addresses, connections, events, bytes: read, rejected }: InputReport): string[] {
  return [name, type, addresses.join(', '), whole(connections), whole(events), bytes(read), reasons(rejected)]
}

function outputRow(output: OutputReport): string[] {
  const { name, type, match, state, delivered, lagEvents, oldestAgeS, deadLetters, dropped, unmatched, unaccounted } =
    output
  const oldest = oldestAgeS === undefined ? '-' : age(oldestAgeS)
  return [
    name,
    type,
    match,
    state,
    ...[delivered, lagEvents].map(whole),
    oldest,
    ...[deadLetters, dropped, unmatched, unaccounted].map(whole),
  ]
}

/** Knocks on the screen; `--json` has all. */
const KNOCKS_SHOWN = 8
/** What went to its secondary or was parked, where anything was. */
function otherwiseLine({ name, secondary, parked, parkedEvents }: OutputReport): string {
  const words = [
    ...(secondary > 0 ? [`its secondary took ${whole(secondary)}`] : []),
    ...(parked + parkedEvents > 0 ? [`parked ${whole(parked)} since the start, ${whole(parkedEvents)} wait`] : []),
  ]
  return words.length === 0 ? '' : `  ${name}  ${words.join('; ')}\n`
}

/** What its filters did beside dropping, where they did anything. */
function filterLine({ name, joined, filterErrors }: OutputReport): string {
  if (joined === 0 && Object.keys(filterErrors).length === 0) return ''
  return `  ${name}  filters joined ${whole(joined)}, errors: ${reasons(filterErrors)}\n`
}

/** What was taken and is not stored yet. */
function stagedLine({ name, stagedBytes }: OutputReport): string {
  return stagedBytes === 0 ? '' : `  ${name}  ${bytes(stagedBytes)} on disk wait to be stored\n`
}

const INPUT_HEAD = ['input', 'type', 'listens on', 'connections', 'events', 'read', 'rejected']
const OUTPUT_HEAD = [
  'output',
  'type',
  'match',
  'state',
  'delivered',
  'lag',
  'oldest',
  'dead',
  'dropped',
  'unmatched',
  'unaccounted',
]

function knockLine({ at, text, count }: KnockReport): string {
  const times = count === 1 ? '' : ` (${whole(count)} times)`
  return `  ? ${clockTime(Date.parse(at)).slice(0, 8)} ${lineText(text)}${times}\n`
}

/** The report for people, ending in a line end. */
export function statusText(report: StatusReport, nowMs: number): string {
  const { version, node, pid, state, startedMs, configFile, buffer } = report
  const started = `${dayOf(startedMs)} ${clockTime(startedMs).slice(0, 8)}`
  const share = Math.round((100 * buffer.bytes) / Math.max(1, buffer.limitBytes))
  const problems = report.outputs.filter(({ state, lastError }) => state !== 'ok' || lastError !== undefined)
  return [
    `logboom ${version} on ${node}, ${state} since ${started} (${age((nowMs - startedMs) / 1000)}), process ${pid}\n`,
    `configuration ${configFile ?? 'none: the embedded default'}\n`,
    report.reasons.length === 0
      ? 'ready\n'
      : report.reasons.map((reason) => `not ready: ${lineText(reason)}\n`).join(''),
    `\n${table([INPUT_HEAD, ...report.inputs.map(inputRow)])}`,
    ...report.doorbell.slice(0, KNOCKS_SHOWN).map(knockLine),
    `\n  buffer  ${bytes(buffer.bytes)} of ${bytes(buffer.limitBytes)} (${share} %), chunks ${whole(buffer.chunks)}, `,
    `next position ${whole(buffer.next)}, waiting ${whole(buffer.waiting)}\n`,
    buffer.trouble === undefined ? '' : `  ! ${lineText(buffer.trouble)}\n`,
    `\n${table([OUTPUT_HEAD, ...report.outputs.map(outputRow)])}`,
    ...report.outputs.map(otherwiseLine),
    ...report.outputs.map(filterLine),
    ...report.outputs.map(stagedLine),
    ...problems.map((output) => `  ! ${output.name}: ${lineText(output.lastError ?? output.state)}\n`),
  ].join('')
}

async function status(options: ServerOptions & { json?: true }, { output }: Terminal): Promise<void> {
  const report = await askJson<StatusReport>(options, 'status')
  const text = options.json === true ? `${formatJson(report as unknown as Json, 2)}\n` : statusText(report, Date.now())
  await print(output, text)
}

export function register(program: Command, terminal: Terminal = processTerminal): void {
  const command = program
    .command('status')
    .description('show inputs, buffer, outputs and whether all is well')
    .option('--json', 'the whole report as JSON')
  withServerOptions(command).action((options: ServerOptions & { json?: true }) => status(options, terminal))
}
