/** One server as a process group of its own: started, watched, stopped, crashed, frozen. Knows no product. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const STOP_LIMIT_MS = 30_000
const POLL_MS = 50

export interface ServerOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Run as this user and group; only root may. */
  readonly uid?: number
  /** Where stdout and stderr go. */
  readonly logFile: string
}

/** What was started and not stopped: nothing outlives the test run. */
const running = new Set<ServerProcess>()
process.on('exit', () => {
  for (const server of running) server.signal('SIGKILL')
})
// Without a listener a signal ends the process and `exit` is never told.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1))

export class ServerProcess {
  readonly #child: ChildProcess
  readonly #logFile: string
  readonly #ended: Promise<void>

  constructor(options: ServerOptions) {
    const log = openSync(options.logFile, 'a')
    this.#logFile = options.logFile
    this.#child = spawn(options.command, options.args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...options.env },
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.uid !== undefined && { uid: options.uid, gid: options.uid }),
    })
    closeSync(log)
    running.add(this)
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', () => resolve())
      this.#child.once('exit', () => resolve())
    })
    this.#ended.then(() => running.delete(this))
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  get hasEnded(): boolean {
    return this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** The last lines it printed, for the message of a failure. */
  logTail(): string {
    return readFileSync(this.#logFile, 'utf8').split('\n').slice(-20).join('\n')
  }

  /** Sends to the whole group: Elasticsearch is two processes. */
  signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return
    try {
      process.kill(-this.#child.pid, signal)
    } catch {
      // The group is gone already.
    }
  }

  /** Waits until `isReady` says true. Throws with the end of the log when the server ends or the time is over. */
  async waitUntil(isReady: () => Promise<boolean>, limitMs: number): Promise<void> {
    const until = performance.now() + limitMs
    while (!(await isReady())) {
      if (this.hasEnded) throw new Error(`${this.#child.spawnfile} ended at its start:\n${this.logTail()}`)
      if (performance.now() > until) throw new Error(`${this.#child.spawnfile} is not ready:\n${this.logTail()}`)
      await sleep(POLL_MS)
    }
  }

  /** TERM to the leader, and KILL to the group if that does not end it. */
  async stop(): Promise<void> {
    if (this.hasEnded) return
    this.signal('SIGCONT')
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_LIMIT_MS)
    await this.#ended
    clearTimeout(timer)
    this.signal('SIGKILL')
  }

  async crash(): Promise<void> {
    this.signal('SIGKILL')
    await this.#ended
  }
}

/** A TCP port of 127.0.0.1 that nobody has just now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** UDP ports of 127.0.0.1 that nobody has just now, each another. */
export async function freeUdpPorts(count: number): Promise<number[]> {
  const sockets = Array.from({ length: count }, () => createSocket('udp4').bind(0, '127.0.0.1'))
  await Promise.all(sockets.map((socket) => once(socket, 'listening')))
  const ports = sockets.map((socket) => socket.address().port)
  for (const socket of sockets) socket.close()
  return ports
}

/** Whether the URL answers with 2xx. */
export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(6_000) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}

/** Whether a connection to the port of 127.0.0.1 comes about. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
