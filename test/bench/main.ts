/**
 * `npm run bench`: events per CPU-second of the whole program, beside what the machine can do in the same run.
 * The last line it prints is one JSON object. README.md in this folder says how to read it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type LoadOptions, startLoad } from '../e2e/load-run.ts'
import { createSite, type Program, type Site } from '../e2e/program.ts'
import { freePort } from '../services/launchers/server-process.ts'
import { type MachineLimits, measureMachine } from './machine-limits.ts'

const SINK = fileURLToPath(new URL('../load/bulk-sink.ts', import.meta.url))
/** The discard port, where nothing listens: an output that is down. */
const NOBODY = 'http://127.0.0.1:9'
const WARM_UP_EVENTS = 200_000
const STORED = 'logboom_input_events_total'
const LIMIT_MS = 120_000
/** Other numbers than the measured run's, or its messages would be known already. */
const WARM_UP_CONNECTION = 20
const LOAD = { connections: 4, batch: 500, window: 8 } as const

interface Result {
  readonly work: string
  readonly events: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly eventsPerCpuSecond: number
  /** Of the events that a bare copy loop moves in a CPU-second. */
  readonly shareOfCopyLoop: number
  readonly peakMiB: number
}

interface Work {
  readonly name: string
  readonly mode: NonNullable<LoadOptions['mode']>
  readonly events: number
  /** To the bulk sink; else the output is down, and the events stay in the buffer. */
  readonly isDelivered: boolean
  /** Whether the sender asks for acks; it does unless this is false. */
  readonly isAcked?: boolean
}

function worksOf(events: number): Work[] {
  return [
    { name: 'packed → buffer → bulk', mode: 'packed', events, isDelivered: true },
    { name: 'packed in', mode: 'packed', events, isDelivered: false },
    { name: 'gzip in', mode: 'gzip', events, isDelivered: false },
    { name: 'forward in', mode: 'forward', events, isDelivered: false },
    { name: 'message in, no acks', mode: 'message', events: events / 2, isDelivered: false, isAcked: false },
    { name: 'message in', mode: 'message', events: events / 20, isDelivered: false },
  ]
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { events: { type: 'string', default: '2000000' }, only: { type: 'string' } },
  })
  const machine = measureMachine()
  printMachine(machine)
  const results: Result[] = []
  for (const work of worksOf(Number(values.events))) {
    if (values.only !== undefined && !work.name.startsWith(values.only)) continue
    const result = await measure(work, machine)
    results.push(result)
    printResult(result)
  }
  process.stdout.write(`${JSON.stringify({ machine, results })}\n`)
}

async function measure(work: Work, machine: MachineLimits): Promise<Result> {
  const cleanups: (() => unknown)[] = []
  const atEnd = { after: (clean: () => unknown) => cleanups.push(clean) }
  try {
    const sink = work.isDelivered ? await startSink() : undefined
    if (sink !== undefined) atEnd.after(() => sink.child.kill())
    const outputs = { sink: { type: 'elasticsearch', url: sink?.url ?? NOBODY } }
    const site = await createSite(atEnd, { outputs, buffer: { max_size: '8GiB' } })
    const program = await site.start()
    await send(work, { site, program, sink, events: WARM_UP_EVENTS, first: WARM_UP_CONNECTION })
    return await measured(work, { site, program, sink, machine })
  } finally {
    for (const clean of cleanups) await clean()
  }
}

interface Bench {
  readonly site: Site
  readonly program: Program
  readonly sink: Sink | undefined
}

async function measured(work: Work, { machine, ...bench }: Bench & { machine: MachineLimits }): Promise<Result> {
  const { program } = bench
  const cpu = program.cpuSeconds()
  const began = performance.now()
  await send(work, { ...bench, events: work.events, first: 0 })
  const cpuSeconds = program.cpuSeconds() - cpu
  const eventsPerCpuSecond = Math.round(work.events / cpuSeconds)
  return {
    work: work.name,
    events: work.events,
    seconds: (performance.now() - began) / 1000,
    cpuSeconds,
    eventsPerCpuSecond,
    shareOfCopyLoop: eventsPerCpuSecond / machine.copiedEventsPerCpuSecond,
    peakMiB: Math.round(program.memoryMiB().peak),
  }
}

/**
 * Sends until all is durable; where there is a sink, until it has all. The program itself is asked as little as can be.
 */
async function send(work: Work, bench: Bench & { events: number; first: number }): Promise<void> {
  const { site, program, sink, events, first } = bench
  const { mode, isAcked = true } = work
  const documents = sink === undefined ? 0 : await documentsOf(sink)
  const stored = isAcked ? 0 : await program.metric(STORED)
  await startLoad({ port: site.forwardPort, mode, isAcked, events, first, ...LOAD }).report
  const isDelivered = async () => sink === undefined || (await documentsOf(sink)) >= documents + events
  await program.until('delivered', isDelivered, LIMIT_MS)
  const isStored = async () => isAcked || (await program.metric(STORED)) >= stored + events
  await program.until('stored', isStored, LIMIT_MS)
}

async function documentsOf(sink: Sink): Promise<number> {
  return ((await (await fetch(`${sink.url}/__stats`)).json()) as { documents: number }).documents
}

interface Sink {
  readonly child: ChildProcess
  readonly url: string
}

async function startSink(): Promise<Sink> {
  const port = await freePort()
  const child = spawn(process.execPath, [SINK, '--port', String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout!, 'data')
  return { child, url: `http://127.0.0.1:${port}` }
}

function printMachine(machine: MachineLimits): void {
  const lines = [
    `this machine: a copy loop moves ${millions(machine.copiedEventsPerCpuSecond)} events of 270 bytes per CPU-second,`,
    `CRC-32 ${machine.crc32GigabytesPerSecond.toFixed(2)} GB/s, ${Math.round(machine.syncsPerSecond)} fdatasync/s`,
    '',
    'work                     events/CPU-s   of a copy loop    CPU     wall    peak memory',
    '',
  ]
  process.stdout.write(lines.join('\n'))
}

function printResult(result: Result): void {
  const columns = [
    result.work.padEnd(24),
    millions(result.eventsPerCpuSecond).padStart(10),
    `${(100 * result.shareOfCopyLoop).toFixed(1)} %`.padStart(15),
    `${result.cpuSeconds.toFixed(1)} s`.padStart(11),
    `${result.seconds.toFixed(1)} s`.padStart(8),
    `${result.peakMiB} MiB`.padStart(12),
  ]
  process.stdout.write(`${columns.join('')}\n`)
}

const millions = (count: number) => `${(count / 1e6).toFixed(2)} M`

await main()
