/** A stream listener on a free port that echoes, and clients for it. For tests only. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  type AcceptedConnection,
  type Knock,
  listenStream,
  type StreamListenOptions,
} from '../../../protocols/listening/listen-stream.ts'
import type { TlsConfig } from '../../../protocols/listening/tls.ts'
import { systemClock } from '../../../server/core/clock.ts'
import type { HostPort } from '../../../server/core/fields.ts'
import type { Logger } from '../../../server/core/log.ts'
import { createInputStats } from '../../../server/core/metrics.ts'
import { marksInMemory } from '../marks-in-memory.ts'

/** A file of `test/golden/tls`. */
export const pem = (name: string) => fileURLToPath(new URL(`../../golden/tls/${name}`, import.meta.url))

export const TLS: TlsConfig = {
  cert_path: pem('server.pem'),
  private_key_path: pem('server.key'),
  private_key_passphrase: undefined,
  ca_path: undefined,
  client_cert_auth: false,
}

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

/** Resolves when a value was pushed, with all so far. */
export class Told<T> {
  readonly all: T[] = []
  #wake = Promise.withResolvers<void>()
  push(value: T): void {
    this.all.push(value)
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }
  async until(isSo: (all: readonly T[]) => boolean): Promise<readonly T[]> {
    while (!isSo(this.all)) await this.#wake.promise
    return this.all
  }
}

/** Echoes; `end` finishes the socket. */
function echo(socket: Socket): AcceptedConnection {
  socket.on('error', () => {})
  socket.pipe(socket)
  return { closed: new Promise((resolve) => socket.on('close', () => resolve())), end: () => socket.end() }
}

export async function startListener(options: Partial<StreamListenOptions> = {}) {
  const knocks = new Told<Knock>()
  const said = new Told<string>()
  const log: Logger = {
    debug: () => {},
    info: (_, message) => said.push(message),
    warn: (_, message) => said.push(message),
    error: (_, message) => said.push(message),
    child: () => log,
  }
  const stats = createInputStats()
  const listener = await listenStream({
    listen: { host: '127.0.0.1', port: 0 },
    key: 'inputs.in.listen',
    tls: undefined,
    allow: undefined,
    connectionLimit: 100,
    context: {
      ...{ name: 'in', emit: async () => {}, spool: () => Promise.reject(), marks: marksInMemory() },
      ...{ stats, log, clock: systemClock },
    },
    accept: echo,
    knocked: (knock) => knocks.push(knock),
    ...options,
  })
  cleanups.push(() => listener.close())
  return { listener, stats, knocks, said, port: (listener.address as HostPort).port }
}

/** A client that is destroyed when the test is over. */
export function dial(to: { port: number } | { path: string }): Socket {
  const socket = connect('path' in to ? to : { ...to, host: '127.0.0.1' })
  socket.on('error', () => {})
  keep(socket)
  return socket
}

export function keep<S extends Socket>(socket: S): S {
  cleanups.push(async () => void socket.destroy())
  return socket
}

/** Resolves with what comes back first, or with '' when the other side ends or breaks off. */
export async function answer(socket: Socket, sent: string): Promise<string> {
  socket.on('error', () => {})
  const first = Promise.race([
    once(socket, 'data').then(([bytes]) => String(bytes)),
    new Promise<string>((resolve) => socket.once('close', () => resolve('')).once('end', () => resolve(''))),
  ]).catch(() => '')
  socket.write(sent)
  return first
}

/** A folder that is removed when the test is over. */
export async function scratch(): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'logboom-listen-'))
  cleanups.push(() => rm(directory, { recursive: true }))
  return directory
}
