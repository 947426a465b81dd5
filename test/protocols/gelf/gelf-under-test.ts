/** A GELF input on a free port, before an `emit` that decodes what it is given; and small senders. For tests only. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterEach } from 'node:test'
import { Unpackr } from 'msgpackr'
import { type GelfConfig, protocol } from '../../../protocols/gelf/gelf.ts'
import { systemClock } from '../../../server/core/clock.ts'
import type { EventStream } from '../../../server/core/event.ts'
import type { Logger } from '../../../server/core/log.ts'
import { createInputStats, type RejectReason } from '../../../server/core/metrics.ts'
import {
  entryRecordAt,
  entryTimeAt,
  nextEntry,
  readTimeNanoseconds,
  readTimeSeconds,
} from '../../../server/core/packed-entries.ts'
import { marksInMemory } from '../marks-in-memory.ts'

const MIB = 1024 * 1024
export const DEFAULTS: GelfConfig = {
  listen: { host: '127.0.0.1', port: 0 },
  transport: 'udp+tcp',
  tag: 'gelf',
  message_size_limit: 8 * MIB,
  decompression_size_limit: 8 * MIB,
  chunk_timeout: 5_000,
  pending_size_limit: 64 * MIB,
  receive_buffer: 4 * MIB,
  connection_limit: 10_000,
  allow: undefined,
  tls: undefined,
  peers: undefined,
}

export interface Event {
  readonly tag: string
  readonly seconds: number
  readonly nanoseconds: number
  readonly record: Readonly<Record<string, unknown>>
}

const unpackr = new Unpackr({ mapsAsObjects: true, int64AsType: 'auto' as 'bigint' })

export function decodeEntries(packed: Buffer, tag = 'gelf'): Event[] {
  const events: Event[] = []
  for (let at = 0; at < packed.length; ) {
    const end = nextEntry(packed, at, packed.length)
    const time = entryTimeAt(packed, at)
    const [seconds, nanoseconds] = [readTimeSeconds(packed, time), readTimeNanoseconds(packed, time)]
    const record = unpackr.unpack(packed.subarray(entryRecordAt(packed, at, end), end))
    events.push({ tag, seconds, nanoseconds, record })
    at = end
  }
  return events
}

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

export interface RunningGelf {
  readonly port: number
  readonly events: Event[]
  readonly warnings: string[]
  readonly infos: string[]
  readonly stats: ReturnType<typeof createInputStats>
  readonly addresses: readonly string[]
  /** Resolves when so many events came, or were there. */
  received(count: number): Promise<readonly Event[]>
  /** Resolves when so many were refused for this reason. */
  refused(reason: RejectReason, count?: number): Promise<void>
  close(): Promise<void>
}

export interface RunOptions extends Partial<GelfConfig> {
  /** Instead of resolving at once. */
  readonly emit?: (stream: EventStream) => Promise<void>
}

export async function startGelf({ emit, ...config }: RunOptions = {}): Promise<RunningGelf> {
  const events: Event[] = []
  const warnings: string[] = []
  const infos: string[] = []
  const warn = (_: object, message: string) => warnings.push(message)
  const info = (_: object, message: string) => infos.push(message)
  const log: Logger = { debug() {}, info, warn, error: warn, child: () => log }
  const stats = createInputStats()
  const listener = await protocol.listen(
    { ...DEFAULTS, ...config },
    {
      name: 'gelf',
      async emit(stream) {
        await emit?.(stream)
        events.push(...decodeEntries(Buffer.from(stream.packed as Uint8Array), Buffer.from(stream.tag).toString()))
      },
      spool: () => Promise.reject(new Error('GELF needs no spool')),
      marks: marksInMemory(),
      ...{ stats, log, clock: systemClock },
    },
  )
  opened.push(() => listener.close())
  return {
    port: Number(/:(\d+) /.exec(listener.addresses[0]!)![1]),
    ...{ events, warnings, infos, stats, addresses: listener.addresses },
    async received(count) {
      await eventually(() => events.length >= count)
      return events
    },
    refused: (reason, count = 1) => eventually(() => stats.rejected[reason] >= count),
    close: () => listener.close(),
  }
}

/** Looks again on each turn of the event loop, for what no event tells. */
export async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2))
}

/** A UDP socket of its own; what it gives sends datagrams, one after the other. */
export async function udpSender(port: number, from = '127.0.0.1') {
  const socket = createSocket('udp4').bind(0, from)
  await once(socket, 'listening')
  opened.push(() => socket.close())
  return (...datagrams: (Buffer | string)[]) =>
    datagrams.reduce<Promise<void>>(
      (before, datagram) =>
        before.then(
          () =>
            new Promise((resolve, reject) =>
              socket.send(datagram, port, '127.0.0.1', (error) => (error === null ? resolve() : reject(error))),
            ),
        ),
      Promise.resolve(),
    )
}

export async function tcpSender(port: number) {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  await once(socket, 'connect')
  socket.on('error', () => {})
  opened.push(() => socket.destroy())
  return {
    socket,
    write: (bytes: Uint8Array | string) => new Promise<void>((resolve) => socket.write(bytes, () => resolve())),
  }
}

export const gelf = (fields: Readonly<Record<string, unknown>> = {}): Buffer =>
  Buffer.from(JSON.stringify({ version: '1.1', host: 'web', short_message: 'hello', ...fields }))

export const ID = Buffer.from('0123456789abcdef', 'hex')

export function chunk(id: Buffer, sequence: number, count: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0x1e, 0x0f), id, Buffer.of(sequence, count), payload])
}

/** The message in chunks of `size` bytes; an exact multiple gets an empty last chunk, as of Docker and gelf-pro. */
export function chunksOf(message: Buffer, size: number, id = ID): Buffer[] {
  const count = Math.floor(message.length / size) + 1
  return Array.from({ length: count }, (_, i) => chunk(id, i, count, message.subarray(i * size, (i + 1) * size)))
}

/** What Docker's driver sent: datagrams, each behind a big-endian u32 length. */
export function capturedDatagrams(name: string): Buffer[] {
  const bytes = readFileSync(new URL(`../../golden/gelf/${name}.udp.bin`, import.meta.url))
  const datagrams: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt32BE(at)) {
    datagrams.push(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at)))
  }
  return datagrams
}
