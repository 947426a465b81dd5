/**
 * Real Elasticsearch 7, 8, 9 and OpenSearch 3 on 127.0.0.1, or at a URL of the environment: started, stopped, crashed.
 */
import { chownSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { runFolder, say, Unavailable } from './availability.ts'
import { DISTRIBUTIONS, findJava, installSearch, type SearchKind } from './elasticsearch-install.ts'
import { answers, freePort, ServerProcess } from './server-process.ts'

const HEAP = '512m'
const NOBODY = 65_534
const START_LIMIT_MS = 120_000

export interface SearchServer {
  readonly kind: SearchKind
  readonly url: string
  /** Orderly, data kept. */
  stop(): Promise<void>
  /** SIGKILL, data kept. */
  crash(): Promise<void>
  /** After `stop` or `crash`, on the same port. */
  start(): Promise<void>
  /** SIGSTOP: connections stay open, nothing answers. */
  freeze(): void
  thaw(): void
  /** Stops it and deletes its data. */
  close(): Promise<void>
}

/** Starts a server of its own with fresh data, or takes the one the environment names (which cannot be stopped). */
export async function startSearch(kind: SearchKind, settings: readonly string[] = []): Promise<SearchServer> {
  const url = process.env[DISTRIBUTIONS[kind].variable]
  if (url !== undefined) return foreignServer(kind, url)
  const home = await installSearch(kind)
  const java = findJava(kind)
  const folder = runFolder(kind)
  const port = await freePort()
  const address = `http://127.0.0.1:${port}`
  writeConfiguration(kind, { home, folder, settings: [...settings, `http.port: ${port}`] })
  const launch = async () => {
    const began = performance.now()
    const server = new ServerProcess(commandOf(kind, { home, folder, java }))
    await server.waitUntil(
      () => answers(`${address}/_cluster/health?wait_for_status=yellow&timeout=5s`),
      START_LIMIT_MS,
    )
    say(`${kind} ${DISTRIBUTIONS[kind].version} at ${address}, ready in ${Math.round(performance.now() - began)} ms`)
    return server
  }
  let server = await launch()
  return {
    kind,
    url: address,
    stop: () => server.stop(),
    crash: () => server.crash(),
    start: async () => {
      server = await launch()
    },
    freeze: () => server.signal('SIGSTOP'),
    thaw: () => server.signal('SIGCONT'),
    close: async () => {
      await server.crash()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function foreignServer(kind: SearchKind, url: string): SearchServer {
  const refuse = () => {
    throw new Unavailable(`${url} is not ours to stop (${DISTRIBUTIONS[kind].variable})`)
  }
  const refuseLater = async () => refuse()
  return {
    kind,
    url: url.replace(/\/$/, ''),
    stop: refuseLater,
    crash: refuseLater,
    start: refuseLater,
    freeze: refuse,
    thaw: refuse,
    close: async () => {},
  }
}

interface Layout {
  readonly home: string
  readonly folder: string
}

function writeConfiguration(kind: SearchKind, layout: Layout & { readonly settings: readonly string[] }): void {
  const { artifact, settings } = DISTRIBUTIONS[kind]
  const { home, folder } = layout
  const config = path.join(folder, 'config')
  if (kind === 'elasticsearch9') {
    mkdirSync(config)
    writeFileSync(path.join(config, 'log4j2.properties'), CONSOLE_LOG)
  } else {
    cpSync(path.join(home, 'config'), config, { recursive: true })
    // Options that name files in the home, which is not the server's to write to.
    const options = readFileSync(path.join(config, 'jvm.options'), 'utf8').replace(/^.*\blogs\/.*$/gm, '')
    writeFileSync(path.join(config, 'jvm.options'), options)
  }
  const lines = [
    'cluster.name: test',
    'node.name: test',
    'network.host: 127.0.0.1',
    'transport.port: 0',
    'discovery.type: single-node',
    `path.data: ${folder}/data`,
    `path.logs: ${folder}/logs`,
    'cluster.routing.allocation.disk.threshold_enabled: false',
    ...settings,
    ...layout.settings,
  ]
  writeFileSync(path.join(config, `${artifact}.yml`), `${lines.join('\n')}\n`)
  for (const name of ['data', 'logs', 'tmp']) mkdirSync(path.join(folder, name))
  if (runsAsNobody(kind)) giveAway(folder)
}

const CONSOLE_LOG = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
`

/** The start scripts of the distributions refuse root. */
function runsAsNobody(kind: SearchKind): boolean {
  return kind !== 'elasticsearch9' && process.getuid?.() === 0
}

function giveAway(folder: string): void {
  chownSync(folder, NOBODY, NOBODY)
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    chownSync(path.join(folder, name), NOBODY, NOBODY)
  }
}

function commandOf(kind: SearchKind, { home, folder, java }: Layout & { readonly java: string }) {
  const logFile = path.join(folder, 'server.log')
  const tmp = path.join(folder, 'tmp')
  if (kind === 'elasticsearch9') {
    const args = [...JAVA9_OPTIONS, `-Djava.io.tmpdir=${tmp}`, `-Des.path.home=${home}`, '-cp']
    args.push(`${home}/classes:${home}/lib/*`, 'SearchNode', home, path.join(folder, 'config'))
    return { command: path.join(java, 'bin', 'java'), args, logFile, cwd: folder }
  }
  const prefix = DISTRIBUTIONS[kind].artifact === 'opensearch' ? 'OPENSEARCH' : 'ES'
  const env = {
    [`${prefix}_JAVA_HOME`]: java,
    [`${prefix}_TMPDIR`]: tmp,
    [`${prefix}_PATH_CONF`]: path.join(folder, 'config'),
    [`${prefix}_JAVA_OPTS`]: `-Xms${HEAP} -Xmx${HEAP} -XX:TieredStopAtLevel=1`,
  }
  const command = path.join(home, 'bin', DISTRIBUTIONS[kind].artifact)
  return { command, args: [], env, logFile, cwd: folder, ...(runsAsNobody(kind) && { uid: NOBODY }) }
}

const JAVA9_OPTIONS = [
  `-Xms${HEAP}`,
  `-Xmx${HEAP}`,
  '-Xss1m',
  '-Dfile.encoding=UTF-8',
  '-Dio.netty.noUnsafe=true',
  '-Dio.netty.noKeySetOptimization=true',
  '-Dio.netty.recycler.maxCapacityPerThread=0',
  '-Dlog4j.shutdownHookEnabled=false',
  '-Dlog4j2.disable.jmx=true',
  '-Djava.locale.providers=CLDR',
  '-Des.networkaddress.cache.ttl=60',
  '-Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false',
  '--add-modules',
  'jdk.incubator.vector',
  '--enable-native-access=ALL-UNNAMED',
]
