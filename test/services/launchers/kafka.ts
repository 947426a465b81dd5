/** A real Kafka broker (KRaft, one node) on 127.0.0.1, from Maven Central, or the one that the environment names. */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { installOnce, needPrograms, runFolder, say, Unavailable } from './availability.ts'
import { accepts, freePort, ServerProcess } from './server-process.ts'

const VARIABLE = 'LOGBOOM_TEST_KAFKA_BROKERS'
const VERSION = '4.3.1'
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg'
const START_LIMIT_MS = 60_000
const QUIET = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'

export interface KafkaServer {
  /** host:port. */
  readonly broker: string
  /** SIGKILL, data kept. */
  crash(): Promise<void>
  /** After `crash`, on the same port. */
  start(): Promise<void>
  close(): Promise<void>
}

export function installKafka(): Promise<string> {
  needPrograms({ mvn: 'maven', java: 'openjdk-17-jdk-headless' })
  return installOnce(`kafka-${VERSION}`, (into) => {
    const pom = fileURLToPath(new URL('./kafka/pom.xml', import.meta.url))
    const defines = [`-Dkafka.version=${VERSION}`, `-Dinto=${into}`]
    execFileSync('mvn', ['-q', '-B', '-f', pom, ...defines, 'package'], {
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: 600_000,
      env: { ...process.env, MAVEN_OPTS: '' },
    })
  })
}

/** Starts a broker of its own with fresh data, or takes the one the environment names (which cannot be stopped). */
export async function startKafka(
  settings: Readonly<Record<string, string>> = {},
  ownPort?: number,
): Promise<KafkaServer> {
  const foreign = process.env[VARIABLE]
  if (foreign !== undefined) return foreignServer(foreign)
  const home = await installKafka()
  const folder = runFolder('kafka')
  const [port, controllerPort] = [ownPort ?? (await freePort()), await freePort()]
  const file = path.join(folder, 'server.properties')
  const lines = Object.entries({ ...defaults(folder, port, controllerPort), ...settings })
  writeFileSync(file, lines.map(([key, value]) => `${key}=${value}\n`).join(''))
  const classPath = ['-cp', `${home}/*`]
  execFileSync('java', ['-Xmx128m', '-XX:TieredStopAtLevel=1', QUIET, ...classPath, ...format(file)], {
    stdio: 'ignore',
  })
  const launch = async () => {
    const args = ['-Xms256m', '-Xmx512m', '-XX:+UseSerialGC', QUIET, ...classPath, 'kafka.Kafka', file]
    const server = new ServerProcess({ command: 'java', args, logFile: path.join(folder, 'server.log') })
    await server.waitUntil(() => accepts(port), START_LIMIT_MS)
    return server
  }
  let server = await launch()
  say(`Kafka ${VERSION} at 127.0.0.1:${port}`)
  return {
    broker: `127.0.0.1:${port}`,
    crash: () => server.crash(),
    start: async () => {
      server = await launch()
    },
    close: async () => {
      await server.crash()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const format = (file: string) => ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', file]

function foreignServer(broker: string): KafkaServer {
  const refuse = async () => {
    throw new Unavailable(`${broker} is not ours to stop (${VARIABLE})`)
  }
  return { broker, crash: refuse, start: refuse, close: async () => {} }
}

/** One node, small, and quick to start and to notice things. */
function defaults(folder: string, port: number, controllerPort: number): Record<string, string> {
  const one = [
    'default.replication.factor',
    'min.insync.replicas',
    'offsets.topic.replication.factor',
    'transaction.state.log.replication.factor',
    'transaction.state.log.min.isr',
    'share.coordinator.state.topic.replication.factor',
    'share.coordinator.state.topic.min.isr',
    'log.cleaner.threads',
    'num.recovery.threads.per.data.dir',
  ]
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': path.join(folder, 'data'),
    'num.partitions': '3',
    ...Object.fromEntries(one.map((key) => [key, '1'])),
    'offsets.topic.num.partitions': '5',
    'group.initial.rebalance.delay.ms': '0',
    'log.cleaner.dedupe.buffer.size': '16777216',
    'broker.heartbeat.interval.ms': '200',
    'broker.session.timeout.ms': '5000',
    'controller.quorum.election.timeout.ms': '200',
    'controller.quorum.election.backoff.max.ms': '100',
    'controller.quorum.fetch.timeout.ms': '500',
  }
}
