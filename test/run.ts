/** `npm test`: all tests that need no network beyond loopback, and no root. Arguments name files to run alone. */
import { spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const FOLDERS = 'core,config,delivery,cli,admin,console,protocols,buffer,outputs,server,conformance,tidy,bench'
const TEST_LIMIT_MS = 120_000
/** Tests wait for disks and timers much of the time: two at once are quicker also on two cores. */
const concurrency = Math.max(2, availableParallelism() - 1)

const named = process.argv.slice(2)
const files = named.length > 0 ? named : [`test/{${FOLDERS}}/**/*.test.ts`]
const options = ['--test', `--test-concurrency=${concurrency}`, `--test-timeout=${TEST_LIMIT_MS}`]
const { status } = spawnSync(process.execPath, [...options, ...files], { cwd: ROOT, stdio: 'inherit' })
process.exitCode = status ?? 1
