/** The example's agent on free ports and in a folder of its own, started from the example's own file. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { parse } from 'yaml'
import { type Ended, Program, ROOT, runVerb } from '../../e2e/program.ts'
import { KEYS } from '../../services/launchers/kinesis.ts'
import { freePort } from '../../services/launchers/server-process.ts'

export const EXAMPLE = path.join(ROOT, 'deploy', 'examples', 'grid-to-kinesis')
export const TAG = 'grid.devel/www-data/redis-test:devel/www-data/redis-test'

type Environment = Readonly<Record<string, string>>

export interface Agent {
  readonly folder: string
  readonly forwardPort: number
  readonly syslogPort: number
  /** Resolves when it is ready. Started again, it goes on with the buffer that is there. */
  start(environment?: Environment): Promise<Program>
  /** Runs a verb against the one that runs. */
  run(args: readonly string[]): Promise<Ended>
}

/** What differs between hosts is in the environment; keys are given unless `environment` says where they come from. */
export async function createAgent(
  t: TestContext,
  environment: Environment,
  configFile = path.join(EXAMPLE, 'logboom.yaml'),
): Promise<Agent> {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-grid-'))
  const [forwardPort, syslogPort, adminPort] = [await freePort(), await freePort(), await freePort()]
  const adminUrl = `http://127.0.0.1:${adminPort}`
  const programs: Program[] = []
  t.after(async () => {
    for (const program of programs) await program.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  const own = {
    ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    FORWARD_LISTEN: `127.0.0.1:${forwardPort}`,
    SYSLOG_LISTEN: `127.0.0.1:${syslogPort}`,
    BUFFER_PATH: path.join(folder, 'buffer'),
    RETRY_MAX_INTERVAL: '1s',
    ...environment,
  }
  return {
    folder,
    forwardPort,
    syslogPort,
    start: async (more = {}) => {
      const env = { ...own, ...more }
      const program = new Program({ args: ['run', '-c', configFile], folder, adminUrl, forwardPort, env })
      programs.push(program)
      await program.untilReady()
      return program
    },
    run: (args) => runVerb(folder, args, { LOGBOOM_URL: adminUrl }),
  }
}

/** Keys for a Kinesis that knows nobody. */
export const STATIC_KEYS: Environment = {
  AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
}

interface Logging {
  readonly driver: string
  readonly options: Readonly<Record<string, string>>
}

/** How a service of the example's compose file logs, on the agent's own ports. */
export function loggingOf(service: string, { forwardPort, syslogPort }: Agent) {
  const text = readFileSync(path.join(EXAMPLE, 'compose.yaml'), 'utf8')
  const { services } = parse(text, { merge: true }) as { services: Record<string, { logging: Logging }> }
  const { driver, options } = services[service]!.logging
  const ports = { ':24224': `:${forwardPort}`, ':5140': `:${syslogPort}` }
  const logOptions = Object.entries(options).map(([name, value]) => {
    const onOurs = Object.entries(ports).reduce((address, [from, to]) => address.replace(from, to), value)
    return [name, name.endsWith('-address') ? onOurs : value] as const
  })
  return { logDriver: driver, logOptions: Object.fromEntries(logOptions) }
}
