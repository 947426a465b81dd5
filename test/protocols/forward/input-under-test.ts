/**
 * A forward input on a free port, before an `emit` that the test holds in its hand; and a small client. For tests
 * only.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach } from 'node:test'
import { protocol } from '../../../protocols/forward/forward.ts'
import { systemClock } from '../../../server/core/clock.ts'
import type { EventStream, Spool, SpooledEntries, SpoolSection } from '../../../server/core/event.ts'
import type { Logger } from '../../../server/core/log.ts'
import { createInputStats } from '../../../server/core/metrics.ts'
import { marksInMemory } from '../marks-in-memory.ts'

export interface Emitted {
  readonly tag: string
  readonly packed: Buffer
  readonly count: number
  readonly chunkId: string | undefined
  readonly peer: string | undefined
  readonly spooled: boolean
}

/** A spool in memory that remembers whether it was given back. */
export class FakeSpool implements Spool {
  readonly pieces: Buffer[] = []
  readonly sections: SpoolSection[] = []
  discarded = false
  async write(entries: Uint8Array, count: number): Promise<void> {
    assert.ok(!this.discarded)
    const offset = this.sections.reduce((sum, section) => sum + section.byteLength, 0)
    this.pieces.push(Buffer.from(entries))
    this.sections.push({ offset, byteLength: entries.length, count })
  }
  async finish(): Promise<SpooledEntries> {
    const byteLength = this.sections.reduce((sum, section) => sum + section.byteLength, 0)
    const read = async (section: SpoolSection) => this.pieces[this.sections.indexOf(section)]!
    return { byteLength, sections: this.sections, crc32: 0, read, discard: () => this.discard() }
  }
  async discard(): Promise<void> {
    this.discarded = true
  }
}

export type ForwardConfig = Parameters<typeof protocol.listen>[0]

export interface Options {
  /** Instead of resolving at once. */
  readonly emit?: (stream: Emitted) => Promise<void>
  readonly chunkSizeLimit?: number
  readonly decompressionLimit?: number
  readonly connectionLimit?: number
  readonly config?: Partial<ForwardConfig>
}

/** What the configuration gives where nothing is written. */
export const FORWARD_DEFAULTS: ForwardConfig = {
  listen: { host: '127.0.0.1', port: 0 },
  chunk_size_limit: 256 * 1024 * 1024,
  decompression_size_limit: 256 * 1024 * 1024,
  connection_limit: 10_000,
  connection_limit_per_address: undefined,
  unix_perm: '660',
  allow: undefined,
  tls: undefined,
  shared_key: undefined,
  self_hostname: undefined,
  users: undefined,
  clients: undefined,
  allow_anonymous_source: true,
  tag: undefined,
  add_tag_prefix: undefined,
  tag_prefix: undefined,
  source_address_key: undefined,
  source_hostname_key: undefined,
  time_unit: 's',
  deny_keepalive: false,
}

function limitsOf({ chunkSizeLimit, decompressionLimit, connectionLimit }: Options): Partial<ForwardConfig> {
  return {
    ...(chunkSizeLimit && { chunk_size_limit: chunkSizeLimit }),
    ...(decompressionLimit && { decompression_size_limit: decompressionLimit }),
    ...(connectionLimit && { connection_limit: connectionLimit }),
  }
}

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

/** Starts an input; it and its clients are closed when the test is over, whatever became of it. */
export async function startInput(options: Options = {}) {
  const emitted: Emitted[] = []
  const spools: FakeSpool[] = []
  const warnings: object[] = []
  const log: Logger = {
    debug: () => {},
    info: () => {},
    warn: (fields) => warnings.push(fields),
    error: (fields) => warnings.push(fields),
    child: () => log,
  }
  const stats = createInputStats()
  const emit = async (stream: EventStream) => {
    const one = describe(stream, spools)
    emitted.push(one)
    await options.emit?.(one)
  }
  const spool = async () => {
    const opened = new FakeSpool()
    spools.push(opened)
    return opened
  }
  const listener = await protocol.listen(
    { ...FORWARD_DEFAULTS, ...limitsOf(options), ...options.config },
    { name: 'forward', emit, spool, marks: marksInMemory(), stats, log, clock: systemClock },
  )
  const port = Number(/:(\d+) tcp$/.exec(listener.addresses[0]!)![1])
  const clients: Client[] = []
  const connect = async () => {
    const client = await Client.connect(port)
    clients.push(client)
    return client
  }
  opened.push(async () => {
    for (const client of clients) client.socket.destroy()
    await listener.close()
  })
  return { listener, port, stats, emitted, spools, warnings, connect }
}
export type InputUnderTest = Awaited<ReturnType<typeof startInput>>

function describe({ tag, packed, count, chunkId, peer }: EventStream, spools: FakeSpool[]): Emitted {
  const spooled = !(packed instanceof Uint8Array)
  const bytes = spooled ? Buffer.concat(spools.at(-1)!.pieces) : Buffer.from(packed)
  const id = chunkId === undefined ? undefined : Buffer.from(chunkId).toString()
  return { tag: Buffer.from(tag).toString(), packed: bytes, count, chunkId: id, peer, spooled }
}

/** A client that keeps what it is sent, read by read. */
export class Client {
  readonly socket: Socket
  readonly reads: Buffer[] = []
  length = 0
  ended = false
  #seen: () => void = () => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (read) => {
      this.reads.push(read)
      this.length += read.length
      this.#seen()
    })
    socket.on('end', () => {
      this.ended = true
      this.#seen()
    })
    socket.on('error', (error) => {
      this.error = error
      this.#seen()
    })
  }
  error: Error | undefined

  static async connect(port: number): Promise<Client> {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
    await once(socket, 'connect')
    return new Client(socket)
  }

  get received(): Buffer {
    return Buffer.concat(this.reads)
  }

  /** Resolves when the other side has sent as many bytes as this, or ended. */
  async receive(bytes: number): Promise<Buffer> {
    await until(
      () => this.length >= bytes || this.ended || this.error !== undefined,
      (wake) => {
        this.#seen = wake
      },
    )
    return this.received
  }

  /** Resolves when the other side has ended; with all that it sent. */
  receiveAll(): Promise<Buffer> {
    return this.receive(Number.POSITIVE_INFINITY)
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()))
  }

  end(): void {
    this.socket.end()
  }
}

async function until(isSo: () => boolean, onChange: (wake: () => void) => void): Promise<void> {
  while (!isSo()) await new Promise<void>((resolve) => onChange(resolve))
}

/** Looks again on each turn of the event loop, for what no event tells. */
export async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2))
}

/** Resolves when the value has stopped growing for a while. */
export async function standstill(value: () => number): Promise<void> {
  for (let before = -1; value() !== before; ) {
    before = value()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** A promise that the test settles. */
export function hold(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  return Promise.withResolvers<void>()
}
