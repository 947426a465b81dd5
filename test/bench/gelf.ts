/**
 * `npm run bench:gelf`: GELF over UDP from four senders, into the buffer alone. Says how many messages came, how many
 * were lost and counted, whether the two make up all that was sent, and the CPU of the whole program a message.
 * `-- --rate N` messages per second in all (0: as fast as can be), `--seconds N`, `--gzip`.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createSite, type Program } from '../e2e/program.ts'
import { freeUdpPorts } from '../services/launchers/server-process.ts'

const SENDER = fileURLToPath(new URL('../load/gelf-load.ts', import.meta.url))
const SENDERS = 4
/** The discard port, where nothing listens: an output that is down. */
const NOBODY = 'http://127.0.0.1:9'
const LIMIT_MS = 60_000
const TAKEN = 'logboom_input_events_total{input="gelf"}'
const LOST = ['kernel_drop', 'buffer'].map((reason) => `logboom_input_rejected_total{input="gelf",reason="${reason}"}`)

interface Counts {
  readonly taken: number
  readonly lost: number
}

async function countsOf(program: Program): Promise<Counts> {
  const lines = (await program.text('/metrics')).split('\n')
  const metric = (name: string) => Number(lines.find((line) => line.startsWith(`${name} `))?.split(' ')[1] ?? 0)
  return { taken: metric(TAKEN), lost: LOST.reduce((sum, name) => sum + metric(name), 0) }
}

async function send(port: number, messages: number, { rate, gzip }: { rate: number; gzip: boolean }): Promise<void> {
  const options = ['--port', port, '--messages', Math.round(messages / SENDERS), '--rate', rate / SENDERS].map(String)
  const children = Array.from({ length: SENDERS }, (_, i) =>
    spawn(process.execPath, [SENDER, ...options, '--sender', `${i}`, ...(gzip ? ['--gzip'] : [])], { stdio: 'ignore' }),
  )
  await Promise.all(children.map((child) => once(child, 'exit')))
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rate: { type: 'string', default: '50000' },
      seconds: { type: 'string', default: '20' },
      gzip: { type: 'boolean', default: false },
    },
  })
  const cleanups: (() => unknown)[] = []
  const [port] = (await freeUdpPorts(1)) as [number]
  const site = await createSite(
    { after: (clean) => cleanups.push(clean as () => unknown) },
    {
      outputs: { sink: { type: 'elasticsearch', url: NOBODY } },
      buffer: { max_size: '8GiB' },
      inputs: { gelf: { listen: `127.0.0.1:${port}` } },
    },
  )
  try {
    const program = await site.start()
    const plan = { rate: Number(values.rate), gzip: values.gzip }
    await send(port, 20_000, { ...plan, rate: 10_000 })
    await program.until('warm', async () => sum(await countsOf(program)) >= 20_000, LIMIT_MS)
    const before = await countsOf(program)
    const cpu = program.cpuSeconds()
    const began = performance.now()
    const messages = (plan.rate === 0 ? 50_000 : plan.rate) * Number(values.seconds)
    await send(port, messages, plan)
    const seconds = (performance.now() - began) / 1_000
    await program.until('counted', async () => sum(await countsOf(program)) >= sum(before) + messages, LIMIT_MS)
    const after = await countsOf(program)
    const taken = after.taken - before.taken
    const cpuMicroseconds = Number((((program.cpuSeconds() - cpu) * 1e6) / taken).toFixed(2))
    const line = { messages, taken, lost: after.lost - before.lost, seconds, cpuMicroseconds, ...program.memoryMiB() }
    process.stdout.write(`${JSON.stringify(line)}\n`)
  } finally {
    for (const clean of cleanups) await clean()
  }
}

const sum = ({ taken, lost }: Counts) => taken + lost

await main()
