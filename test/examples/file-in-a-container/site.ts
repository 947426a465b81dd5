/** The aggregator of `deploy/examples/file-in-a-container` with real destinations; pods, as the processes in them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { killAtExit } from '../../e2e/kill-at-exit.ts'
import { Program, ROOT } from '../../e2e/program.ts'
import { findProgram, needPrograms } from '../../services/launchers/availability.ts'
import { run } from '../../services/launchers/docker.ts'
import { type SearchServer, startSearch } from '../../services/launchers/elasticsearch.ts'
import { KEYS, type S3Server, startS3 } from '../../services/launchers/s3.ts'
import { freePort } from '../../services/launchers/server-process.ts'

export const EXAMPLE = path.join(ROOT, 'deploy', 'examples', 'file-in-a-container')
const POLL_MS = 50

export interface Site {
  readonly folder: string
  readonly search: SearchServer
  readonly archive: S3Server
  readonly aggregator: Program
  readonly forwardPort: number
}

/** Everything ends with the test. Throws Unavailable. */
export async function startSite(t: TestContext): Promise<Site> {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-file-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const search = await startSearch('elasticsearch8')
  t.after(() => search.close())
  const archive = await startS3()
  t.after(() => archive.close())
  const forwardPort = await freePort()
  const adminPort = await freePort()
  const aggregator = new Program({
    args: ['run', '-c', path.join(EXAMPLE, 'aggregator.yaml')],
    folder,
    adminUrl: `http://127.0.0.1:${adminPort}`,
    forwardPort,
    env: {
      ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
      FORWARD_LISTEN: `127.0.0.1:${forwardPort}`,
      BUFFER: path.join(folder, 'aggregator'),
      SEARCH_URL: search.url,
      ARCHIVE_URL: archive.endpoint,
      ARCHIVE_ACCESS_KEY: KEYS.accessKeyId,
      ARCHIVE_SECRET_KEY: KEYS.secretAccessKey,
      ARCHIVE_WINDOW: '5s',
      ARCHIVE_GRACE: '1s',
    },
  })
  t.after(() => aggregator.kill())
  await aggregator.untilReady()
  return { folder, search, archive, aggregator, forwardPort }
}

/** The containers of one Pod, as processes that share a folder. */
export class Pod {
  readonly name: string
  readonly logFile: string
  readonly #folder: string
  readonly #forwardPort: number
  #app: ChildProcess | undefined
  tailer: Program | undefined
  /** Rotations that have happened. */
  rotations = 0

  constructor(t: TestContext, { folder, forwardPort }: Site, name: string) {
    this.name = name
    this.#folder = path.join(folder, name)
    this.#forwardPort = forwardPort
    mkdirSync(path.join(this.#folder, 'log'), { recursive: true })
    this.logFile = path.join(this.#folder, 'log', 'events.log')
    writeFileSync(
      this.#logrotateConf,
      this.#moved(readFileSync(path.join(EXAMPLE, 'logrotate/logrotate.conf'), 'utf8')),
    )
    t.after(async () => {
      this.#app?.kill('SIGKILL')
      await this.tailer?.kill()
    })
  }

  get #pidFile(): string {
    return path.join(this.#folder, 'log', 'app.pid')
  }

  get #logrotateConf(): string {
    return path.join(this.#folder, 'logrotate.conf')
  }

  #moved(text: string): string {
    return text.replaceAll('/var/log/app', path.join(this.#folder, 'log'))
  }

  startApp(intervalMs: number): void {
    const settings = { LOG_FILE: this.logFile, PID_FILE: this.#pidFile, INTERVAL_MS: `${intervalMs}` }
    const env = { ...process.env, ...settings }
    const app = spawn(process.execPath, [path.join(EXAMPLE, 'app/app.mjs')], { env, stdio: 'inherit' })
    killAtExit(app)
    this.#app = app
  }

  /** TERM; resolves with the number of lines that it has written. */
  async stopApp(): Promise<number> {
    const app = this.#app!
    app.kill('SIGTERM')
    if (app.exitCode === null && app.signalCode === null) await once(app, 'exit')
    return this.written()
  }

  /** Lines so far: the number in the last one, and one. */
  written(): number {
    const files = [this.logFile, `${this.logFile}.1`].filter((file) => existsSync(file))
    const lines = files.map((file) => readFileSync(file, 'utf8').trimEnd().split('\n').at(-1)!).filter(Boolean)
    return lines.length === 0 ? 0 : (JSON.parse(lines[0]!) as { i: number }).i + 1
  }

  async startTailer(): Promise<void> {
    const adminPort = await freePort()
    this.tailer = new Program({
      args: ['run', '-c', path.join(EXAMPLE, 'tailer.yaml')],
      folder: this.#folder,
      adminUrl: `http://127.0.0.1:${adminPort}`,
      forwardPort: 0,
      env: {
        POD_NAME: this.name,
        ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
        LOG_FILE: this.logFile,
        BUFFER: path.join(this.#folder, 'tailer'),
        AGGREGATOR_HOST: '127.0.0.1',
        AGGREGATOR_PORT: `${this.#forwardPort}`,
      },
    })
    await this.tailer.untilReady()
  }

  /** In place of the tailer. */
  startFluentBit(t: TestContext, program: string): void {
    const buffer = path.join(this.#folder, 'fluent-bit')
    mkdirSync(buffer)
    const env = {
      ...process.env,
      POD_NAME: this.name,
      LOG_FILE: this.logFile,
      BUFFER: buffer,
      FLUENT_BIT_PARSERS: path.join(EXAMPLE, 'fluent-bit-parsers.conf'),
      AGGREGATOR_HOST: '127.0.0.1',
      AGGREGATOR_PORT: `${this.#forwardPort}`,
    }
    const child = spawn(program, ['--config', path.join(EXAMPLE, 'fluent-bit.conf')], { env, stdio: 'inherit' })
    killAtExit(child)
    t.after(() => child.kill('SIGKILL'))
  }

  /** As cron does. Waits until the file is large enough to be rotated; and then until the app has a new one. */
  async rotate(): Promise<void> {
    needPrograms({ logrotate: 'logrotate' })
    while (!existsSync(this.logFile) || readFileSync(this.logFile).length <= 1_024) await sleep(POLL_MS)
    const state = path.join(this.#folder, 'logrotate.state')
    const { code, stderr } = await run(findProgram('logrotate')!, ['--state', state, this.#logrotateConf])
    if (code !== 0 || stderr.includes('error')) throw new Error(`logrotate: ${code} ${stderr}`)
    while (!existsSync(this.logFile)) await sleep(POLL_MS)
    this.rotations += 1
  }
}
