/** The load generator as a child process: run to its end, or stopped, with what it reports. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { killAtExit } from './kill-at-exit.ts'

const GENERATOR = fileURLToPath(new URL('../load/forward-load.ts', import.meta.url))

/** The options of `test/load/forward-load.ts`, by name. */
export interface LoadOptions {
  readonly port: number
  readonly mode?: 'message' | 'forward' | 'packed' | 'gzip'
  readonly events: number
  readonly connections?: number
  readonly batch?: number
  readonly window?: number
  readonly rate?: number
  readonly first?: number
  readonly tag?: string
  readonly 'ack-log'?: string
  readonly reconnect?: number
  readonly isAcked?: boolean
}

export interface LoadReport {
  readonly events: number
  readonly acked: number
  readonly resent: number
  readonly reconnects: number
  readonly failedConnections: number
  readonly startSeconds: number
  readonly seconds: number
  readonly eventsPerSecond: number
  readonly ackP99Ms: number
}

export interface Load {
  /** Ends it in order: nothing new is sent, acks are waited for. */
  stop(): void
  /** Rejects when an ack was wrong, missing, or a connection was lost for good. */
  readonly report: Promise<LoadReport>
}

/** Starts it, with acks unless told otherwise. */
export function startLoad({ isAcked = true, ...options }: LoadOptions): Load {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  if (isAcked) args.push('--ack')
  const child = spawn(process.execPath, [GENERATOR, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (text) => {
    stdout += text
  })
  child.stderr.on('data', (text) => {
    stderr += text
  })
  killAtExit(child)
  const report = new Promise<LoadReport>((resolve, reject) => {
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(stdout) as LoadReport)
      else reject(new Error(`the load generator failed (${code}): ${stderr}${stdout}`))
    })
  })
  return { stop: () => child.kill('SIGTERM'), report }
}
