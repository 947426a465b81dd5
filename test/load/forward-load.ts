/**
 * A load generator for the Forward protocol: numbered events over several connections, each ack checked in order and
 * byte for byte. Run as a process of its own; the last line it prints is one JSON object.
 */
import { appendFileSync, openSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Ack, Lane, type Plan } from './forward-lane.ts'
import { MODES } from './forward-messages.ts'

const USAGE = `usage: node forward-load.ts --port PORT [options]
  --host HOST         127.0.0.1
  --connections N     2
  --events N          in all; 0: until TERM
  --batch N           events of a message (500; message mode has 1)
  --line-bytes N      bytes of a log line (120: entries of about 260 bytes)
  --mode MODE         ${MODES.join(' | ')}
  --tag TAG           docker.web
  --ack               ask for acks
  --window N          unacked messages per connection (8)
  --rate N            events per second over all connections; 0: as fast as possible
  --first N           number of the first connection (0)
  --start SECONDS     time of event 0, seconds since 1970 (now)
  --ack-log FILE      a line "CC FIRST LAST" for each ack
  --reconnect MS      a lost connection is opened again, for so long, and what was not acked is sent again
`

const flags = {
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string' },
  connections: { type: 'string', default: '2' },
  events: { type: 'string', default: '1000000' },
  batch: { type: 'string', default: '500' },
  'line-bytes': { type: 'string', default: '120' },
  mode: { type: 'string', default: 'packed' },
  tag: { type: 'string', default: 'docker.web' },
  ack: { type: 'boolean', default: false },
  window: { type: 'string', default: '8' },
  rate: { type: 'string', default: '0' },
  first: { type: 'string', default: '0' },
  start: { type: 'string', default: String(Math.floor(Date.now() / 1000)) },
  'ack-log': { type: 'string' },
  reconnect: { type: 'string', default: '0' },
} as const

const LATENCIES_MAX = 1 << 20

type Values = ReturnType<typeof parseFlags>
const parseFlags = () => parseArgs({ options: flags }).values

/** Undefined: the flags make no sense. */
function planOf(values: Values): Plan | undefined {
  const mode = MODES.find((name) => name === values.mode)
  if (mode === undefined || values.port === undefined) return undefined
  return {
    host: values.host,
    port: Number(values.port),
    mode,
    batch: mode === 'message' ? 1 : Number(values.batch),
    ack: values.ack,
    window: Number(values.window),
    rate: Number(values.rate) / Number(values.connections),
    startSeconds: Number(values.start),
    lineBytes: Number(values['line-bytes']),
    tag: values.tag,
    reconnectMs: Number(values.reconnect),
  }
}

/** What is known of the acks: how long each took, and, where a file is named, which numbers they were for. */
function createAckRecord(file: string | undefined) {
  const milliseconds = new Float64Array(LATENCIES_MAX)
  const log = file === undefined ? undefined : openSync(file, 'a')
  let count = 0
  let lines = ''
  const flush = () => {
    appendFileSync(log!, lines)
    lines = ''
  }
  return {
    add({ connection, first, last, ms }: Ack): void {
      milliseconds[count++ % LATENCIES_MAX] = ms
      if (log === undefined) return
      if (lines === '') setImmediate(flush)
      lines += `${connection} ${first} ${last}\n`
    },
    /** A percentile of the last LATENCIES_MAX. */
    percentile(share: number): number {
      const sorted = milliseconds.slice(0, Math.min(count, LATENCIES_MAX)).sort()
      return Number((sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2))
    },
  }
}

async function main(): Promise<number> {
  const values = parseFlags()
  const plan = planOf(values)
  if (plan === undefined) {
    process.stderr.write(USAGE)
    return 64
  }
  const acks = createAckRecord(values['ack-log'])
  const lanes = lanesOf(plan, values, acks.add)
  const end = () => {
    for (const lane of lanes) lane.end()
  }
  process.once('SIGTERM', end).once('SIGINT', end)
  const began = performance.now()
  await Promise.all(lanes.map((lane) => lane.run()))
  const seconds = (performance.now() - began) / 1000
  const latency = { ackP50Ms: acks.percentile(0.5), ackP99Ms: acks.percentile(0.99) }
  return report(plan, lanes, { seconds, ...latency })
}

/** The events are shared out; the first connections take what is left over. */
function lanesOf(plan: Plan, values: Values, onAck: (ack: Ack) => void): Lane[] {
  const [connections, events, first] = [values.connections, values.events, values.first].map(Number) as [
    number,
    number,
    number,
  ]
  return Array.from({ length: connections }, (_, index) => {
    const share = Math.floor(events / connections) + (index < events % connections ? 1 : 0)
    return new Lane(plan, { number: first + index, events: events === 0 ? Number.POSITIVE_INFINITY : share, onAck })
  })
}

function report(
  plan: Plan,
  lanes: readonly Lane[],
  run: { seconds: number; ackP50Ms: number; ackP99Ms: number },
): number {
  const sum = (key: 'sent' | 'acked' | 'bytes' | 'resent' | 'reconnects') =>
    lanes.reduce((total, lane) => total + lane[key], 0)
  const failed = lanes.filter((lane) => lane.hasFailed).length
  const cpu = process.cpuUsage()
  const line = {
    mode: plan.mode,
    connections: lanes.length,
    events: sum('sent'),
    acked: sum('acked'),
    resent: sum('resent'),
    reconnects: sum('reconnects'),
    failedConnections: failed,
    bytes: sum('bytes'),
    startSeconds: plan.startSeconds,
    seconds: Number(run.seconds.toFixed(3)),
    cpuSeconds: Number(((cpu.user + cpu.system) / 1e6).toFixed(3)),
    eventsPerSecond: Math.round(sum('sent') / run.seconds),
    ackP50Ms: run.ackP50Ms,
    ackP99Ms: run.ackP99Ms,
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
  return failed > 0 || (plan.ack && line.acked !== line.events) ? 1 : 0
}

process.exitCode = await main()
