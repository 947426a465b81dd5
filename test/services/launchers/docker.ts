/** A real Docker engine of the test's own, or the one the environment names, and a busybox image for it. */
import { execFileSync, type SpawnOptions, spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import { findProgram, needPrograms, runFolder, say, Unavailable } from './availability.ts'
import { ServerProcess } from './server-process.ts'

const START_LIMIT_MS = 60_000
const COMMAND_LIMIT_MS = 60_000
const IMAGE = 'logboom-test/busybox:1'

export interface DockerEngine {
  readonly version: string
  /** Where it listens, as in `DOCKER_HOST`. */
  readonly host: string
  /** Not the one the environment names: it has only the images it was given, and ends with the test. */
  readonly isOurs: boolean
  runContainer(order: ContainerOrder): Promise<Finished>
  /** Runs the docker command line against this engine. */
  docker(args: readonly string[], limitMs?: number): Promise<Finished>
  /** SIGTERM to the engine, and a new one on the same data. */
  restart(): Promise<void>
  close(): Promise<void>
}

export interface ContainerOrder {
  /** Run by busybox. */
  readonly command: readonly string[]
  readonly logDriver: string
  readonly logOptions: Readonly<Record<string, string>>
  readonly name?: string
  readonly options?: readonly string[]
}

type Ends = Pick<DockerEngine, 'isOurs' | 'restart' | 'close'>

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * Starts an engine with a data root of its own. It has no default bridge: a container of `runContainer` has no network,
 * but its log driver dials from the host; those of compose have the networks that it makes, and published ports.
 */
export async function startDocker(): Promise<DockerEngine> {
  const foreign = process.env.LOGBOOM_TEST_DOCKER_HOST
  if (foreign !== undefined) return engineAt(foreign, FOREIGN)
  needPrograms({ dockerd: 'docker.io', iptables: 'iptables', busybox: 'busybox-static' })
  if (process.getuid?.() !== 0) throw new Unavailable('dockerd needs root: set LOGBOOM_TEST_DOCKER_HOST')
  const folder = runFolder('docker')
  const host = `unix://${folder}/docker.sock`
  let server = await launchEngine(folder, host)
  const stop = async () => {
    await server.stop()
    unmountBelow(folder)
  }
  const restart = async () => {
    await stop()
    server = await launchEngine(folder, host)
  }
  const close = async () => {
    await stop()
    rmSync(folder, { recursive: true, force: true })
  }
  return engineAt(host, { isOurs: true, restart, close })
}

async function refuseRestart(): Promise<void> {
  throw new Unavailable('the engine of LOGBOOM_TEST_DOCKER_HOST is not ours to restart')
}

const FOREIGN: Ends = { isOurs: false, restart: refuseRestart, close: async () => {} }

async function engineAt(host: string, ends: Ends): Promise<DockerEngine> {
  const docker = (args: readonly string[], timeout = COMMAND_LIMIT_MS) =>
    run('docker', ['--host', host, ...args], { timeout, env: { ...process.env, DOCKER_BUILDKIT: '0' } })
  const { code, stdout, stderr } = await docker(['version', '--format', '{{.Server.Version}}'])
  if (code !== 0) throw new Unavailable(`no Docker engine at ${host}: ${stderr}`)
  await importBusybox(host)
  say(`docker engine ${stdout.trim()} at ${host}`)
  return {
    version: stdout.trim(),
    host,
    docker,
    runContainer: ({ command, logDriver, logOptions, name, options = [] }) => {
      const args = ['run', '--rm', '--network', 'none', '--log-driver', logDriver, ...options]
      if (name !== undefined) args.push('--name', name)
      for (const [key, value] of Object.entries(logOptions)) args.push('--log-opt', `${key}=${value}`)
      return docker([...args, IMAGE, ...command])
    },
    ...ends,
  }
}

async function launchEngine(folder: string, host: string): Promise<ServerProcess> {
  const options = {
    'data-root': `${folder}/data`,
    'exec-root': `${folder}/exec`,
    pidfile: `${folder}/pid`,
    host,
    // Nothing of the machine's network is touched.
    iptables: 'false',
    ip6tables: 'false',
    bridge: 'none',
    'ip-forward': 'false',
  }
  const server = new ServerProcess({
    command: findProgram('dockerd')!,
    args: Object.entries(options).map(([key, value]) => `--${key}=${value}`),
    logFile: path.join(folder, 'dockerd.log'),
  })
  const isReady = async () => (await run('docker', ['--host', host, 'version'])).code === 0
  await server.waitUntil(isReady, START_LIMIT_MS)
  return server
}

/** No registry is asked: the image is a folder with busybox and its links. */
async function importBusybox(host: string): Promise<void> {
  const existing = await run('docker', ['--host', host, 'image', 'inspect', IMAGE])
  if (existing.code === 0) return
  needPrograms({ busybox: 'busybox-static' })
  const root = runFolder('busybox')
  const bin = path.join(root, 'bin')
  mkdirSync(bin)
  copyFileSync(findProgram('busybox')!, path.join(bin, 'busybox'))
  const applets = execFileSync(path.join(bin, 'busybox'), ['--list'], { encoding: 'utf8' }).trim().split('\n')
  for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', path.join(bin, applet))
  const archive = path.join(root, 'image.tar')
  execFileSync('tar', ['-C', root, '-cf', archive, 'bin'])
  const imported = await run('docker', ['--host', host, 'import', archive, IMAGE])
  rmSync(root, { recursive: true, force: true })
  if (imported.code !== 0) throw new Error(`docker import: ${imported.stderr}`)
}

/** The engine leaves mounts of its own behind, such as `exec/netns/default`. */
function unmountBelow(folder: string): void {
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n')
  const points = mounts.map((line) => line.split(' ')[1] ?? '').filter((point) => point.startsWith(`${folder}/`))
  for (const point of points.sort().reverse()) execFileSync('umount', [point], { stdio: 'ignore' })
}

/** Runs a program to its end. A non-zero exit code is an answer, not an error. */
export function run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { timeout: COMMAND_LIMIT_MS, ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout?.on('data', (text: Buffer) => {
      stdout += text
    })
    child.stderr?.on('data', (text: Buffer) => {
      stderr += text
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
  })
}
