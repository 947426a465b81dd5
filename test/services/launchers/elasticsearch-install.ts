/**
 * Elasticsearch and OpenSearch as Maven Central has them: which versions, fetched and laid out once. Starts nothing.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { installOnce, needPrograms, Unavailable } from './availability.ts'

export type SearchKind = 'elasticsearch7' | 'elasticsearch8' | 'elasticsearch9' | 'opensearch3'

interface Distribution {
  readonly version: string
  /** Where a user's own server is named. */
  readonly variable: string
  readonly group: string
  readonly artifact: 'elasticsearch' | 'opensearch'
  /** Java releases it runs on. */
  readonly java: readonly [min: number, max: number]
  readonly settings: readonly string[]
}

const ELASTIC_ZIP = 'org.elasticsearch.distribution.integ-test-zip'
export const DISTRIBUTIONS: Readonly<Record<SearchKind, Distribution>> = {
  elasticsearch7: {
    version: '7.17.29',
    variable: 'LOGBOOM_TEST_ELASTICSEARCH7_URL',
    group: ELASTIC_ZIP,
    artifact: 'elasticsearch',
    java: [11, 17], // It wants the security manager, which later releases no longer have.
    settings: ['xpack.security.enabled: false'],
  },
  elasticsearch8: {
    version: '8.19.21',
    variable: 'LOGBOOM_TEST_ELASTICSEARCH_URL',
    group: ELASTIC_ZIP,
    artifact: 'elasticsearch',
    java: [17, 25],
    settings: ['xpack.security.enabled: false'],
  },
  elasticsearch9: {
    version: '9.5.3',
    variable: 'LOGBOOM_TEST_ELASTICSEARCH9_URL',
    group: 'jars',
    artifact: 'elasticsearch',
    java: [21, 25],
    settings: [],
  },
  opensearch3: {
    version: '3.8.0',
    variable: 'LOGBOOM_TEST_OPENSEARCH_URL',
    group: 'org.opensearch.distribution.integ-test-zip',
    artifact: 'opensearch',
    java: [21, 25],
    settings: [],
  },
}
/** Downloads and lays out a server, once. Returns its home. */
export async function installSearch(kind: SearchKind): Promise<string> {
  const { version, group, artifact } = DISTRIBUTIONS[kind]
  needPrograms({ mvn: 'maven', java: 'openjdk-17-jdk-headless', javac: 'openjdk-17-jdk-headless' })
  const folder = await installOnce(`${kind}-${version}`, (into) => {
    const pom = fileURLToPath(new URL('./elasticsearch/pom.xml', import.meta.url))
    const profile = group === 'jars' ? 'jars' : 'zip'
    const options = { into, 'server.group': group, 'server.artifact': artifact, 'server.version': version }
    const defines = Object.entries(options).map(([key, value]) => `-D${key}=${value}`)
    execFileSync('mvn', ['-q', '-B', '-f', pom, `-P${profile}`, ...defines, 'package'], {
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: 600_000,
      // nobody must be able to read what is unpacked.
      env: { ...process.env, MAVEN_OPTS: '' },
    })
    rmSync(path.join(into, '.markers'), { recursive: true, force: true })
    if (profile === 'jars') finishJars(into)
  })
  return group === 'jars' ? folder : path.join(folder, `${artifact}-${version}`)
}

/** Elasticsearch 9: the netty module's own descriptor, and our launcher's class. */
function finishJars(home: string): void {
  const module = path.join(home, 'modules', 'transport-netty4')
  const jar = readdirSync(module).find((name) => name.startsWith('transport-netty4-'))!
  const entry = 'META-INF/es-plugins/transport-netty4/plugin-descriptor.properties'
  const javaHome = findJava('elasticsearch9')
  execFileSync(path.join(javaHome, 'bin', 'jar'), ['xf', jar, entry], { cwd: module })
  // Without `modulename` it is loaded from the class path, as the server is.
  const descriptor = readFileSync(path.join(module, entry), 'utf8').replace(/^modulename.*\n/m, '')
  writeFileSync(path.join(module, 'plugin-descriptor.properties'), descriptor)
  rmSync(path.join(module, 'META-INF'), { recursive: true })
  mkdirSync(path.join(home, 'plugins'))
  const source = fileURLToPath(new URL('./elasticsearch/SearchNode.java', import.meta.url))
  const options = ['--release', '21', '-nowarn', '-d', path.join(home, 'classes'), '-cp', `${home}/lib/*`, source]
  execFileSync(path.join(javaHome, 'bin', 'javac'), options, { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** A JDK whose release the server runs on: JAVA_HOME, or one of the system's. */
export function findJava(kind: SearchKind): string {
  const [min, max] = DISTRIBUTIONS[kind].java
  const system = '/usr/lib/jvm'
  const homes = [process.env.JAVA_HOME, ...safeList(system).map((name) => path.join(system, name))]
  const home = homes.find((candidate) => {
    const release = candidate === undefined ? 0 : javaRelease(candidate)
    return release >= min && release <= max
  })
  if (home === undefined) throw new Unavailable(`${kind} needs a JDK between ${min} and ${max}: set JAVA_HOME`)
  return home
}

function javaRelease(home: string): number {
  try {
    const text = execFileSync(path.join(home, 'bin', 'javac'), ['-version'], { encoding: 'utf8', stdio: 'pipe' })
    return Number(/javac (\d+)/.exec(text)?.[1] ?? 0)
  } catch {
    return 0
  }
}

function safeList(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
