/**
 * A server that speaks S3 on 127.0.0.1: versitygw 1.8 over a folder, built from the Go module proxy, or the one that
 * the environment names.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { installOnce, runFolder, say, Unavailable } from './availability.ts'
import { findGo } from './go.ts'
import { accepts, freePort, ServerProcess } from './server-process.ts'

const VARIABLE = 'LOGBOOM_TEST_S3_URL'
const VERSION = 'v1.8.0'
const MODULE = 'github.com/versity/versitygw/cmd/versitygw'
const BUILD_LIMIT_MS = 600_000
const START_LIMIT_MS = 30_000

export const REGION = 'us-east-1'
/** Of a server of our own; for another one they come from AWS's own variables. */
export const KEYS = {
  accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? 'logboom',
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? 'logboom-secret',
} as const

export interface S3Server {
  readonly endpoint: string
  readonly port: number
  readonly client: S3Client
  /** SIGKILL, data kept. */
  crash(): Promise<void>
  /** After `crash`, on the same port. */
  start(): Promise<void>
  close(): Promise<void>
}

/** Builds it once into the cache. Throws Unavailable. */
export async function installS3(): Promise<string> {
  const go = findGo()
  const folder = await installOnce(`versitygw-${VERSION}`, (into) => {
    execFileSync(go, ['install', '-trimpath', '-ldflags=-s -w', `${MODULE}@${VERSION}`], {
      env: { ...process.env, CGO_ENABLED: '0', GOBIN: into },
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: BUILD_LIMIT_MS,
    })
  })
  return path.join(folder, 'versitygw')
}

/** Starts a server of its own with fresh data, or takes the one the environment names (which cannot be stopped). */
export async function startS3(): Promise<S3Server> {
  const foreign = process.env[VARIABLE]
  if (foreign !== undefined) return foreignServer(foreign)
  const command = await installS3()
  const folder = runFolder('versitygw')
  const port = await freePort()
  for (const name of ['data', 'iam']) mkdirSync(path.join(folder, name))
  const args = ['--port', `127.0.0.1:${port}`, '--region', REGION, '--quiet']
  const backend = ['--iam-dir', path.join(folder, 'iam'), 'posix', path.join(folder, 'data')]
  const env = { ROOT_ACCESS_KEY: KEYS.accessKeyId, ROOT_SECRET_KEY: KEYS.secretAccessKey }
  const launch = async () => {
    const logFile = path.join(folder, 'server.log')
    const server = new ServerProcess({ command, args: [...args, ...backend], env, logFile })
    await server.waitUntil(() => accepts(port), START_LIMIT_MS)
    return server
  }
  let server = await launch()
  say(`versitygw ${VERSION} at 127.0.0.1:${port}`)
  const endpoint = `http://127.0.0.1:${port}`
  const client = clientOf(endpoint)
  return {
    endpoint,
    port,
    client,
    crash: () => server.crash(),
    start: async () => {
      server = await launch()
    },
    close: async () => {
      client.destroy()
      await server.crash()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function clientOf(endpoint: string): S3Client {
  return new S3Client({ endpoint, region: REGION, credentials: KEYS, forcePathStyle: true })
}

function foreignServer(endpoint: string): S3Server {
  const refuse = async () => {
    throw new Unavailable(`${endpoint} is not ours to stop (${VARIABLE})`)
  }
  const client = clientOf(endpoint)
  const port = Number(new URL(endpoint).port || 80)
  return { endpoint, port, client, crash: refuse, start: refuse, close: async () => client.destroy() }
}
