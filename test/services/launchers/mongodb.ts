/**
 * A server that speaks MongoDB's protocol on 127.0.0.1: FerretDB 1.24 (Go, SQLite), built from the Go module proxy, or
 * the MongoDB that the environment names. No registry has a mongod.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { installOnce, runFolder, say, Unavailable } from './availability.ts'
import { findGo } from './go.ts'
import { accepts, freePort, ServerProcess } from './server-process.ts'

const VARIABLE = 'LOGBOOM_TEST_MONGODB_URL'
const VERSION = 'v1.24.0'
const MODULE = 'github.com/FerretDB/FerretDB'
const BUILD_LIMIT_MS = 600_000
const START_LIMIT_MS = 30_000

export interface MongoServer {
  /** Without a database. */
  readonly url: string
  readonly port: number
  /** Whether it is FerretDB, which refuses a few things that a mongod takes. */
  readonly isFerret: boolean
  /** SIGKILL, data kept. */
  crash(): Promise<void>
  /** After `crash`, on the same port. */
  start(): Promise<void>
  close(): Promise<void>
}

/** Builds it once into the cache. Throws Unavailable. */
export async function installMongo(): Promise<string> {
  const go = findGo()
  const folder = await installOnce(`ferretdb-${VERSION}`, (into) => {
    const options = { timeout: BUILD_LIMIT_MS, maxBuffer: 1 << 26 }
    // `go install` looks up the list of versions, which a proxy may refuse; the module alone is enough.
    const answer = execFileSync(go, ['mod', 'download', '-json', `${MODULE}@${VERSION}`], { ...options, cwd: into })
    const { Dir } = JSON.parse(answer.toString()) as { Dir: string }
    const source = path.join(into, 'source')
    cpSync(Dir, source, { recursive: true })
    execFileSync('chmod', ['-R', 'u+w', source])
    // Without it the program panics when it starts.
    writeFileSync(path.join(source, 'build', 'version', 'version.txt'), VERSION)
    const build = ['build', '-trimpath', '-ldflags=-s -w', '-o', path.join(into, 'ferretdb'), './cmd/ferretdb']
    const env = { ...process.env, CGO_ENABLED: '0' }
    execFileSync(go, build, { ...options, cwd: source, env, stdio: ['ignore', 'inherit', 'inherit'] })
    rmSync(source, { recursive: true, force: true })
    chmodSync(path.join(into, 'ferretdb'), 0o755)
  })
  return path.join(folder, 'ferretdb')
}

/** Starts a server of its own with fresh data, or takes the one the environment names (which cannot be stopped). */
export async function startMongo(): Promise<MongoServer> {
  const foreign = process.env[VARIABLE]
  if (foreign !== undefined) return foreignServer(foreign)
  const command = await installMongo()
  const folder = runFolder('ferretdb')
  const port = await freePort()
  for (const name of ['data', 'state']) mkdirSync(path.join(folder, name))
  const args = [
    '--handler=sqlite',
    `--listen-addr=127.0.0.1:${port}`,
    '--debug-addr=-',
    `--state-dir=${folder}/state`,
    `--sqlite-url=file:${folder}/data/`,
    '--telemetry=disable',
    '--log-level=warn',
    '--test-capped-cleanup-interval=1s',
    '--test-capped-cleanup-percentage=50',
  ]
  const launch = async () => {
    const options = { command, args, logFile: path.join(folder, 'server.log'), env: { DO_NOT_TRACK: 'true' } }
    const server = new ServerProcess(options)
    await server.waitUntil(() => accepts(port), START_LIMIT_MS)
    return server
  }
  let server = await launch()
  say(`FerretDB ${VERSION} at 127.0.0.1:${port}`)
  return {
    url: `mongodb://127.0.0.1:${port}`,
    port,
    isFerret: true,
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

function foreignServer(url: string): MongoServer {
  const refuse = async () => {
    throw new Unavailable(`${url} is not ours to stop (${VARIABLE})`)
  }
  const port = Number(new URL(url).port || 27_017)
  return { url: url.replace(/\/$/, ''), port, isFerret: false, crash: refuse, start: refuse, close: async () => {} }
}
