/** The real program as a process of its own, on free ports and in a fresh folder: started, asked, stopped, killed. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { OutputReport, StatusReport } from '../../server/core/status.ts'
import { freePort } from '../services/launchers/server-process.ts'
import { killAtExit } from './kill-at-exit.ts'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** As `npm start` begins it. */
const COMMAND = ['--disable-sigusr1', '--max-semi-space-size=1', path.join(ROOT, 'server', 'cli', 'logboom.cjs')]
const READY_LIMIT_MS = 60_000
const STOP_LIMIT_MS = 60_000
const DRAIN_LIMIT_MS = 180_000
const POLL_MS = 25
const TICKS_PER_SECOND = 100

/** Everything below `inputs.forward`, `admin` and `buffer.path`, which the site sets itself. */
export interface SiteConfig {
  readonly outputs?: Readonly<Record<string, object>>
  readonly forward?: object
  readonly buffer?: object
  readonly [key: string]: unknown
}

/** A folder with a configuration and a buffer, where the program can be started again and again. */
export interface Site {
  readonly folder: string
  readonly configFile: string
  readonly forwardPort: number
  readonly adminUrl: string
  readonly bufferPath: string
  /** Resolves when it is ready. `wrap` is put before the command, for instance strace. */
  start(options?: StartOptions): Promise<Program>
  /** Like `start`, at once: it may never be ready. */
  spawn(options: StartOptions): Program
  /** Runs it to its end: for starts that must fail, and for the other verbs. */
  run(args: readonly string[], input?: string): Promise<Ended>
  /** Writes another configuration; HUP or a new start takes it. */
  configure(config: SiteConfig): void
}

export interface StartOptions {
  readonly wrap?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Takes what it prints, instead of `stdout`, which keeps it all. */
  readonly onStdout?: (bytes: Buffer) => void
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Deleted, with what still runs in it, when the test ends. */
export async function createSite(t: Pick<TestContext, 'after'>, config: SiteConfig): Promise<Site> {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-site-'))
  const [forwardPort, adminPort] = [await freePort(), await freePort()]
  const configFile = path.join(folder, 'logboom.yaml')
  const programs: Program[] = []
  t.after(async () => {
    for (const program of programs) await program.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  const configure = ({
    outputs = { screen: { type: 'stdout', match: '**' } },
    forward,
    buffer,
    ...rest
  }: SiteConfig) => {
    const document = {
      admin: { listen: `127.0.0.1:${adminPort}` },
      inputs: { forward: { listen: `127.0.0.1:${forwardPort}`, ...forward } },
      buffer: { path: path.join(folder, 'buffer'), ...buffer },
      outputs,
      ...rest,
    }
    writeFileSync(configFile, stringify(document))
  }
  configure(config)
  const bufferPath = (config.buffer as { path?: string } | undefined)?.path ?? path.join(folder, 'buffer')
  const adminUrl = `http://127.0.0.1:${adminPort}`
  const spawnIt = (options: StartOptions) => {
    const program = new Program({ args: ['run', '-c', configFile], folder, adminUrl, forwardPort, ...options })
    programs.push(program)
    return program
  }
  return {
    folder,
    configFile,
    forwardPort,
    adminUrl,
    bufferPath,
    configure,
    start: async (options = {}) => {
      const program = spawnIt(options)
      await program.untilReady()
      return program
    },
    spawn: spawnIt,
    run: (args, input) => runVerb(folder, args, { LOGBOOM_URL: adminUrl }, input),
  }
}

/** The embedded default: no file, an empty folder, the ports everybody knows. */
export async function startDefault(t: TestContext): Promise<{ program: Program; folder: string }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-default-'))
  const program = new Program({ args: [], folder, adminUrl: 'http://127.0.0.1:8686', forwardPort: 24_224 })
  t.after(async () => {
    await program.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  await program.untilReady()
  return { program, folder }
}

/** Runs `logboom ARGS` to its end. */
export async function runVerb(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
): Promise<Ended> {
  const child = spawn(process.execPath, [...COMMAND, ...args], { cwd: folder, env: { ...process.env, ...env } })
  const output = collect(child)
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
  const { code, signal } = await ended(child)
  clearTimeout(timer)
  return { code, signal, stdout: output.stdout(), stderr: output.stderr() }
}

interface ProgramOptions extends StartOptions {
  readonly args: readonly string[]
  readonly folder: string
  readonly adminUrl: string
  readonly forwardPort: number
}

export class Program {
  readonly forwardPort: number
  readonly adminUrl: string
  readonly #child: ChildProcess
  readonly #output: ReturnType<typeof collect>
  readonly #ended: ReturnType<typeof ended>

  constructor({ args, folder, adminUrl, forwardPort, wrap = [], env = {}, onStdout }: ProgramOptions) {
    this.adminUrl = adminUrl
    this.forwardPort = forwardPort
    const [command, ...rest] = [...wrap, process.execPath, ...COMMAND, ...args]
    this.#child = spawn(command!, rest, { cwd: folder, env: { ...process.env, ...env }, stdio: 'pipe' })
    this.#output = collect(this.#child, onStdout)
    this.#ended = ended(this.#child)
    killAtExit(this.#child)
  }

  get pid(): number {
    return this.#child.pid!
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  get stderr(): string {
    return this.#output.stderr()
  }

  get stdout(): string {
    return this.#output.stdout()
  }

  async untilReady(): Promise<void> {
    await this.until('ready', () => this.isReady(), READY_LIMIT_MS)
  }

  async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.adminUrl}/readyz`)).status === 200
    } catch {
      return false
    }
  }

  /** Waits for something; says what, with the program's own words, when it does not come. */
  async until(what: string, isSo: () => Promise<boolean> | boolean, limitMs: number): Promise<void> {
    const limit = performance.now() + limitMs
    while (!(await isSo())) {
      if (this.hasEnded) throw new Error(`the program ended before it was ${what}:\n${this.stderr}`)
      if (performance.now() > limit) throw new Error(`not ${what} within ${limitMs} ms:\n${this.stderr.slice(-4000)}`)
      await sleep(POLL_MS)
    }
  }

  async text(where: string): Promise<string> {
    const response = await fetch(`${this.adminUrl}${where}`)
    const body = await response.text()
    if (!response.ok) throw new Error(`${where}: ${response.status} ${body}`)
    return body
  }

  async status(): Promise<StatusReport> {
    return JSON.parse(await this.text('/api/v1/status')) as StatusReport
  }

  async output(name: string): Promise<OutputReport> {
    const report = (await this.status()).outputs.find((output) => output.name === name)
    if (report === undefined) throw new Error(`no output ${name}`)
    return report
  }

  /** Sum of all samples of a metric whose labels hold the text. */
  async metric(name: string, labels = ''): Promise<number> {
    const lines = (await this.text('/metrics')).split('\n')
    const samples = lines.filter((line) => new RegExp(`^${name}(\\{| )`).test(line) && line.includes(labels))
    return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** Waits until every output is done with everything that was acknowledged before the call. */
  async untilDrained(limitMs = DRAIN_LIMIT_MS): Promise<void> {
    const isDrained = async () => (await this.status()).outputs.every((output) => output.lagEvents === 0)
    await this.until('drained', isDrained, limitMs)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** TERM, and the end of it. */
  async stop(): Promise<Ended> {
    this.signal('SIGTERM')
    return this.end()
  }

  async end(): Promise<Ended> {
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_LIMIT_MS)
    const { code, signal } = await this.#ended
    clearTimeout(timer)
    return { code, signal, stdout: this.stdout, stderr: this.stderr }
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#ended
  }

  /** Resident memory now, and the most there ever was, in MiB. */
  memoryMiB(): { now: number; peak: number } {
    const text = readFileSync(`/proc/${this.pid}/status`, 'utf8')
    const kib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(text)?.[1])
    return { now: kib('VmRSS') / 1024, peak: kib('VmHWM') / 1024 }
  }

  /** How long its main thread had work to do and no CPU to do it on, so far: what a busy machine costs. */
  cpuWaitSeconds(): number {
    const [, waitedNs] = readFileSync(`/proc/${this.pid}/schedstat`, 'utf8').split(' ')
    return Number(waitedNs) / 1e9
  }

  /** User and system time so far. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  }
}

function collect(child: ChildProcess, onStdout?: (bytes: Buffer) => void) {
  const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] }
  child.stdout?.on('data', onStdout ?? ((bytes: Buffer) => chunks.stdout.push(bytes)))
  child.stderr?.on('data', (bytes: Buffer) => chunks.stderr.push(bytes))
  const textOf = (name: 'stdout' | 'stderr') => Buffer.concat(chunks[name]).toString()
  return { stdout: () => textOf('stdout'), stderr: () => textOf('stderr') }
}

function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: -1, signal: null }))
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
}

/** Whether something listens on the port: for the tests that need the ports everybody knows. */
export function isPortTaken(port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const table = execFileSync('cat', ['/proc/net/tcp'], { encoding: 'utf8' })
  return new RegExp(`: [0-9A-F]{8}:${hex} [0-9A-F]{8}:0000 0A`).test(table)
}
