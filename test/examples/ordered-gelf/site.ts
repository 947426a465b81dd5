/**
 * The whole of `deploy/examples/ordered-gelf` on free ports: two instances, nginx and HAProxy before them, from the
 * files of the example itself, and Elasticsearch behind them.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { Program, ROOT } from '../../e2e/program.ts'
import { startSearch } from '../../services/launchers/elasticsearch.ts'
import { type Haproxy, startHaproxy } from '../../services/launchers/haproxy.ts'
import { startNginx } from '../../services/launchers/nginx.ts'
import { freePort, freeUdpPorts } from '../../services/launchers/server-process.ts'

export const EXAMPLE = path.join(ROOT, 'deploy', 'examples', 'ordered-gelf')
/** Of the environment, as docker-compose.yml has it. */
export const INCREMENT = 3
export const SEEDS = [1, 2] as const

export const exampleFile = (name: string): string => readFileSync(path.join(EXAMPLE, name), 'utf8')

export interface OrderedSite {
  readonly folder: string
  readonly searchUrl: string
  readonly instances: readonly Program[]
  /** UDP: each datagram to the next instance; each sender to one instance; logspout's by turns. */
  readonly doors: { readonly byTurns: number; readonly bySource: number; readonly logspoutUdp: number }
  /** TCP, HAProxy's. */
  readonly logspoutTcp: number
  readonly haproxy: Haproxy
  /** Of both instances. */
  metric(name: string, labels?: string): Promise<number>
  /** Resolves when the instances have stored so many events of the input, since the site was started. */
  untilStored(input: string, events: number): Promise<void>
  untilDrained(): Promise<void>
}

const UNTIL_MS = 120_000

/** Replaces each address of the example by that of this run; one that is not there is a fault of the test. */
function readdressed(file: string, addresses: Readonly<Record<string, string>>): string {
  return Object.entries(addresses).reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`${file} has no \`${from}\``)
    return text.replaceAll(from, to)
  }, exampleFile(file))
}

async function freePorts<K extends string>(names: readonly K[]): Promise<Record<K, number>> {
  const ports = {} as Record<K, number>
  for (const name of names) ports[name] = await freePort()
  return ports
}

interface InstancePorts {
  readonly admin: number
  readonly gelf: number
  readonly peers: number
  readonly logspout: number
}
type PortsOfBoth = readonly [InstancePorts, InstancePorts]

/** Everything ends with the test. @throws Unavailable */
export async function startSite(t: TestContext): Promise<OrderedSite> {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-ordered-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const search = await startSearch('elasticsearch8')
  t.after(() => search.close())
  const peerPorts = await freeUdpPorts(SEEDS.length)
  const ports = (await Promise.all(
    peerPorts.map(async (peers) => ({ peers, ...(await freePorts(['admin', 'gelf', 'logspout'])) })),
  )) as unknown as PortsOfBoth
  const instances = startInstances(folder, search.url, ports)
  t.after(() => Promise.all(instances.map((instance) => instance.kill())))
  await Promise.all(instances.map((instance) => instance.untilReady()))
  const metric = async (name: string, labels?: string) => {
    const values = await Promise.all(instances.map((instance) => instance.metric(name, labels)))
    return values.reduce((sum, value) => sum + value, 0)
  }
  const untilStored = (input: string, events: number) => {
    const isStored = async () => (await metric('logboom_input_events_total', `input="${input}"`)) >= events
    return instances[0]!.until(`storing ${events} events of ${input}`, isStored, UNTIL_MS)
  }
  const untilDrained = async () => {
    await Promise.all(instances.map((instance) => instance.untilDrained()))
  }
  return {
    ...{ folder, searchUrl: search.url, instances, metric, untilStored, untilDrained },
    doors: await startUdpBalancer(t, ports),
    ...(await startTcpBalancer(t, ports)),
  }
}

/** With the environment of docker-compose.yml, and the addresses of this run. */
function startInstances(folder: string, searchUrl: string, ports: PortsOfBoth): Program[] {
  const shared = {
    GELF_PEERS_KEY: 'only for this check',
    ELASTICSEARCH_URL: searchUrl,
    PEER_1_HOST: '127.0.0.1',
    PEER_1_PORT: `${ports[0].peers}`,
    PEER_2_HOST: '127.0.0.1',
    PEER_2_PORT: `${ports[1].peers}`,
    counter_increment: `${INCREMENT}`,
    // The checks of HAProxy are seen at this level, and at no other.
    LOG_LEVEL: 'debug',
  }
  return ports.map(({ admin, gelf, peers, logspout }, index) => {
    const env = {
      ...shared,
      counter_seed: `${SEEDS[index]}`,
      INSTANCE: `logboom-${index + 1}`,
      ADMIN_LISTEN: `127.0.0.1:${admin}`,
      GELF_LISTEN: `127.0.0.1:${gelf}`,
      PEERS_LISTEN: `127.0.0.1:${peers}`,
      LOGSPOUT_LISTEN: `127.0.0.1:${logspout}`,
      BUFFER_PATH: path.join(folder, `buffer-${index + 1}`),
    }
    const args = ['run', '-c', path.join(EXAMPLE, 'logboom.yaml')]
    return new Program({ args, folder, adminUrl: `http://127.0.0.1:${admin}`, forwardPort: 0, env })
  })
}

async function startUdpBalancer(t: TestContext, [one, two]: PortsOfBoth): Promise<OrderedSite['doors']> {
  const [byTurns, bySource, logspoutUdp] = (await freeUdpPorts(3)) as [number, number, number]
  const config = readdressed('nginx.conf', {
    'logboom-1:12201': `127.0.0.1:${one.gelf}`,
    'logboom-2:12201': `127.0.0.1:${two.gelf}`,
    'logboom-1:5000': `127.0.0.1:${one.logspout}`,
    'logboom-2:5000': `127.0.0.1:${two.logspout}`,
    'listen 12201 ': `listen 127.0.0.1:${byTurns} `,
    'listen 12203 ': `listen 127.0.0.1:${bySource} `,
    'listen 5000 ': `listen 127.0.0.1:${logspoutUdp} `,
  })
  const nginx = await startNginx(config)
  t.after(() => nginx.close())
  return { byTurns, bySource, logspoutUdp }
}

async function startTcpBalancer(t: TestContext, [one, two]: PortsOfBoth) {
  const logspoutTcp = await freePort()
  const config = readdressed('haproxy.cfg', {
    'logboom-1:5000': `127.0.0.1:${one.logspout}`,
    'logboom-2:5000': `127.0.0.1:${two.logspout}`,
    'bind :5000': `bind 127.0.0.1:${logspoutTcp}`,
  })
  const haproxy = await startHaproxy(config, logspoutTcp)
  t.after(() => haproxy.close())
  return { logspoutTcp, haproxy }
}
