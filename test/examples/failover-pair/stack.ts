/** The project's compose file on free ports, with an engine of the check's own and the images it asks for. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ROOT } from '../../e2e/program.ts'
import { openProject, type Project } from '../../services/launchers/compose.ts'
import { type DockerEngine, startDocker } from '../../services/launchers/docker.ts'
import { needImages } from '../../services/launchers/images.ts'
import { answers, freePort } from '../../services/launchers/server-process.ts'

/** A minute on a quiet machine; the servers of others may be on it too. */
const START_LIMIT_MS = 240_000
const POLL_MS = 250
export const EXAMPLE = path.join(ROOT, 'deploy', 'examples', 'failover-pair')
export const KEYS = { accessKeyId: 'accessKey1', secretAccessKey: 'verySecretKey1' } as const

const PORTS = [
  'AGENT_PORT',
  'AGENT_ADMIN_PORT',
  'PRIMARY_ADMIN_PORT',
  'STANDBY_ADMIN_PORT',
  'WEBAPP1_PORT',
  'WEBAPP2_PORT',
  'STORE_PORT',
  'SEARCH_PORT',
  'ARCHIVE_PORT',
  'PROMETHEUS_PORT',
] as const
export type PortName = (typeof PORTS)[number]
export type LogboomName = 'agent' | 'primary' | 'standby'

export interface Stack {
  readonly engine: DockerEngine
  readonly project: Project
  portOf(name: PortName): number
  urlOf(name: PortName): string
  /** Sum of the samples of a metric whose labels hold the text. */
  metric(of: LogboomName, name: string, labels?: string): Promise<number>
  /** Waits until every output of it is done with all it has. */
  untilDrained(of: LogboomName): Promise<void>
  /** Stops and removes all of it. */
  close(): Promise<void>
}

const IMAGES = [
  'logboom:latest',
  'nginx:stable',
  'mongo:7.0',
  'docker.elastic.co/elasticsearch/elasticsearch:8.19.21',
  'versity/versitygw:v1.8.0',
  'prom/prometheus:v3.5.0',
] as const

/** Throws Unavailable. */
export async function startStack(): Promise<Stack> {
  const engine = await startDocker()
  try {
    await needImages(engine, IMAGES)
  } catch (error) {
    await engine.close()
    throw error
  }
  return startOn(engine)
}

async function startOn(engine: DockerEngine): Promise<Stack> {
  const ports = new Map<PortName, number>()
  for (const name of PORTS) ports.set(name, await freePort())
  const env = {
    ...Object.fromEntries([...ports].map(([name, port]) => [name, String(port)])),
    // An hour's objects in seconds, and a JVM that starts sooner.
    ARCHIVE_WINDOW: '5s',
    ARCHIVE_GRACE: '1s',
    SEARCH_JAVA_OPTS: '-Xms512m -Xmx512m -XX:TieredStopAtLevel=1',
  }
  const project = await openProject(engine, { name: 'pair', files: [path.join(ROOT, 'docker-compose.yml')], env })
  const stack = stackOf(engine, project, ports)
  try {
    await bringUp(stack)
    return stack
  } catch (error) {
    await stack.close()
    throw error
  }
}

async function bringUp({ project, urlOf }: Stack): Promise<void> {
  await project.compose('up', '--detach', '--no-build', 'search', 'store', 'archive')
  await until('Elasticsearch answers', () => answers(`${urlOf('SEARCH_PORT')}/_cluster/health`))
  await project.compose('up', '--detach', '--no-build')
  for (const name of ['AGENT_ADMIN_PORT', 'PRIMARY_ADMIN_PORT', 'STANDBY_ADMIN_PORT'] as const) {
    await until(`${name} is ready`, () => answers(`${urlOf(name)}/readyz`))
  }
}

function stackOf(engine: DockerEngine, project: Project, ports: ReadonlyMap<PortName, number>): Stack {
  const token = readFileSync(path.join(EXAMPLE, 'secrets', 'admin-token'), 'utf8').trim()
  const urlOf = (name: PortName) => `http://127.0.0.1:${ports.get(name)!}`
  async function metric(of: LogboomName, name: string, labels = ''): Promise<number> {
    const url = `${urlOf(`${of.toUpperCase()}_ADMIN_PORT` as PortName)}/metrics`
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
    if (!response.ok) throw new Error(`${url}: ${response.status}`)
    const lines = (await response.text()).split('\n')
    const samples = lines.filter((line) => new RegExp(`^${name}(\\{| )`).test(line) && line.includes(labels))
    return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }
  const isDrained = async (of: LogboomName) => (await metric(of, 'logboom_output_lag_events')) === 0
  return {
    engine,
    project,
    portOf: (name) => ports.get(name)!,
    urlOf,
    metric,
    untilDrained: (of) => until(`${of} is drained`, () => isDrained(of)),
    close: async () => {
      // A container that waits for its log driver would keep the engine from ending.
      await project.compose('down', '--volumes', '--timeout', '10').finally(() => engine.close())
    },
  }
}

/** Throws when it does not come about. */
export async function until(what: string, isSo: () => Promise<boolean>, limitMs = START_LIMIT_MS): Promise<void> {
  const limit = performance.now() + limitMs
  while (!(await isSo())) {
    if (performance.now() > limit) throw new Error(`not within ${limitMs} ms: ${what}`)
    await sleep(POLL_MS)
  }
}
