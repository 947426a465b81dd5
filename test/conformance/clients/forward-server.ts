/**
 * The forward input before a buffer on disk, and what any destination is given of the events in it. For tests only.
 * A statement about bytes is judged here from the socket to the document.
 */
import { rmSync } from 'node:fs'
import { afterEach } from 'node:test'
import type { EventBuffer } from '../../../buffer/buffer.ts'
import { createByteSink, emptySink } from '../../../outputs/encoding/byte-sink.ts'
import { createDocumentCursor, enterStream, readEventTime, writeDocument } from '../../../outputs/encoding/document.ts'
import { protocol } from '../../../protocols/forward/forward.ts'
import type { Listener } from '../../../protocols/protocol.ts'
import { systemClock } from '../../../server/core/clock.ts'
import type { Logger } from '../../../server/core/log.ts'
import { createInputStats } from '../../../server/core/metrics.ts'
import { LIMITS, NO_SIGNAL, openBuffer, quickFileSystem, readerOf, temporaryFolder } from '../../buffer/harness.ts'
import { Client, FORWARD_DEFAULTS, type ForwardConfig } from '../../protocols/forward/input-under-test.ts'

export interface StoredEvent {
  readonly tag: string
  readonly id: string
  /** Seconds and nanoseconds, as any output reads them. */
  readonly time: readonly [number, number]
  /** The document, parsed; the three keys beside the record's own are left out. */
  readonly record: Readonly<Record<string, unknown>>
  /** The document's text. */
  readonly json: string
}

export interface ServerOptions {
  readonly config?: Partial<ForwardConfig>
  /** A buffer that was there before; else an empty one. */
  readonly folder?: string
}

const BUFFER_SIZES = { chunkSizeBytes: 16 * 1024 * 1024, maxSizeBytes: 1024 * 1024 * 1024 }

const cleanups: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

export function keepUntilEnd(clean: () => void | Promise<void>): void {
  cleanups.push(clean)
}

/** A folder that is removed when the test is over. */
export function scratch(): string {
  const { path } = temporaryFolder()
  cleanups.push(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Starts a server; it, its clients and its buffer are closed when the test is over. */
export async function startServer({ config = {}, folder = scratch() }: ServerOptions = {}) {
  const buffer = await openBuffer(folder, { ...BUFFER_SIZES, files: quickFileSystem, outputs: ['out'] })
  const said: { level: string; message: string; fields: object }[] = []
  const say = (level: string) => (fields: object, message: string) => void said.push({ level, message, fields })
  const log: Logger = {
    ...{ debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
    child: () => log,
  }
  const stats = createInputStats()
  const own = { emit: buffer.append, spool: () => buffer.spool(), marks: buffer.marks }
  const context = { name: 'forward', ...own, stats, log, clock: systemClock }
  const listener = await protocol.listen({ ...FORWARD_DEFAULTS, ...config }, context)
  const clients: Client[] = []
  let closing: Promise<void> | undefined
  const close = async () => {
    for (const { socket } of clients) socket.destroy()
    await listener.close()
    await buffer.close()
  }
  const stop = () => (closing ??= close())
  cleanups.push(stop)
  return {
    ...{ buffer, stats, said, folder, listener, port: portOf(listener), close: stop },
    connect: async () => {
      const client = await Client.connect(portOf(listener))
      clients.push(client)
      return client
    },
    stored: (count: number) => storedEvents(buffer, count),
  }
}
export type Server = Awaited<ReturnType<typeof startServer>>

const portOf = ({ addresses }: Listener) => Number(/:(\d+) /.exec(addresses[0]!)?.[1])

/** Waits for so many events, and reads all that there are. */
async function storedEvents(buffer: EventBuffer, count: number): Promise<StoredEvent[]> {
  while (buffer.status().next < count) await new Promise((resolve) => setTimeout(resolve, 2))
  const events: StoredEvent[] = []
  if (count === 0) return events
  const reader = await readerOf(buffer, 'out', { files: quickFileSystem })
  const cursor = createDocumentCursor({ seed: 1, step: 1 })
  const sink = createByteSink(1024)
  while (events.length < buffer.status().next) {
    const { streams } = await reader.read(LIMITS, NO_SIGNAL)
    for (const stream of streams) {
      let at = enterStream(cursor, stream)
      for (let i = 0; i < stream.count; i += 1) {
        emptySink(sink)
        const record = readEventTime(cursor, at)
        const time = [cursor.seconds, cursor.nanoseconds] as const
        at = writeDocument(cursor, record, stream.position + i, sink)
        const json = Buffer.from(sink.bytes.subarray(0, sink.at)).toString()
        const { '@timestamp': _, tag: __, sequence: ___, ...own } = JSON.parse(json)
        events.push({ tag: stream.tag, id: `${stream.idBase}.${stream.idIndex + i}`, time, record: own, json })
      }
    }
  }
  await reader.close()
  return events
}

/** `{"ack": chunk}` in msgpack. */
export const ack = (chunk: Uint8Array) => Buffer.concat([Buffer.from('81a361636b', 'hex'), chunk])
