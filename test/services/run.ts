/** Runs the tests against real servers and the real program: one file at a time, what is needed installed before. */
import { spawnSync } from 'node:child_process'
import { globSync, readdirSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolder, needPrograms, say, Unavailable } from './launchers/availability.ts'
import { installSearch, type SearchKind } from './launchers/elasticsearch-install.ts'
import { goGelfSender, graypySender, logstashGelfSender } from './launchers/gelf-senders.ts'
import { installKafka } from './launchers/kafka.ts'
import { installKinesis } from './launchers/kinesis.ts'
import { kubernetesValidator } from './launchers/kubernetes-validator.ts'
import { installMongo } from './launchers/mongodb.ts'
import { installS3 } from './launchers/s3.ts'
import { fluencySender, fluentLoggerJavaSender, forwardGoSender, goSender, pythonSender } from './launchers/senders.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** The faults have a runner of their own, but for the one that needs Docker. */
const TESTS = ['test/services/*.test.ts', 'test/e2e/*.test.ts', 'test/faults/docker-restart.test.ts']
const TEST_LIMIT_MS = 600_000
const LEFTOVER_AGE_MS = 24 * 3_600_000

const PROGRAMS = {
  logrotate: 'logrotate',
  promtool: 'prometheus',
  chromium: 'chromium',
  dockerd: 'docker.io',
  docker: 'docker.io',
  iptables: 'iptables',
  busybox: 'busybox-static',
  mmdebstrap: 'mmdebstrap',
}
const SEARCH: readonly SearchKind[] = ['elasticsearch8', 'elasticsearch7', 'elasticsearch9', 'opensearch3']

/** Everything once, before the first test, so that a test's time is its own. What fails here fails or skips there. */
async function install(): Promise<void> {
  await attempt(() => needPrograms(PROGRAMS))
  for (const kind of SEARCH) await attempt(() => installSearch(kind))
  for (const install of [installS3, installMongo, installKinesis, installKafka]) await attempt(install)
  for (const get of [pythonSender, goSender, forwardGoSender]) await attempt(get)
  for (const get of [fluentLoggerJavaSender, fluencySender, kubernetesValidator]) await attempt(get)
  for (const get of [graypySender, goGelfSender, logstashGelfSender]) await attempt(get)
}

async function attempt(get: () => unknown): Promise<void> {
  try {
    await get()
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    say(`not to be had: ${error.message}`)
  }
}

/** Arguments name files to run instead of all. */
function filesToRun(): string[] {
  const named = process.argv.slice(2)
  return named.length > 0 ? named : TESTS.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).sort()
}

/** What a run that was killed left behind. */
function sweep(): void {
  const folder = cacheFolder('run')
  for (const name of readdirSync(folder)) {
    const left = path.join(folder, name)
    if (Date.now() - statSync(left).mtimeMs > LEFTOVER_AGE_MS) rmSync(left, { recursive: true, force: true })
  }
}

sweep()
await install()
const files = filesToRun()
say(`running ${files.length} files: ${files.map((file) => path.basename(file)).join(' ')}`)
const options = ['--test', '--test-concurrency=1', `--test-timeout=${TEST_LIMIT_MS}`, '--test-reporter=spec']
const { status } = spawnSync(process.execPath, [...options, ...files], { cwd: ROOT, stdio: 'inherit' })
process.exitCode = status ?? 1
