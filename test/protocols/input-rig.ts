/**
 * An input of any type on a free port, before an `emit` that the test holds in its hand, and what it took as events.
 * For tests only.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach } from 'node:test'
import { addExtension, Unpackr } from 'msgpackr'
import type { InputContext, Protocol } from '../../protocols/protocol.ts'
import type { EventStream, Spool, SpooledEntries, SpoolSection } from '../../server/core/event.ts'
import type { Logger } from '../../server/core/log.ts'
import { createInputStats } from '../../server/core/metrics.ts'
import { marksInMemory } from './marks-in-memory.ts'

/** EventTime as `seconds.nanoseconds`, nine digits. */
addExtension({
  type: 0,
  unpack(bytes) {
    const time = Buffer.from(bytes)
    return `${time.readUInt32BE(0)}.${String(time.readUInt32BE(4)).padStart(9, '0')}`
  },
} as Parameters<typeof addExtension>[0])
// `auto`, a bigint only where a number is not exact, is missing in its types.
const unpackr = new Unpackr({ mapsAsObjects: true, int64AsType: 'auto' as 'bigint' })

export interface TakenEvent {
  readonly tag: string
  /** `seconds.nanoseconds` */
  readonly time: string
  readonly record: Record<string, unknown>
}

export function eventsOf(tag: string, packed: Uint8Array): TakenEvent[] {
  const entries = packed.length === 0 ? [] : (unpackr.unpackMultiple(packed) as [string, TakenEvent['record']][])
  return entries.map(([time, record]) => ({ tag, time, record }))
}

class MemorySpool implements Spool {
  readonly #pieces: Buffer[] = []
  readonly #sections: SpoolSection[] = []
  discarded = false
  async write(entries: Uint8Array, count: number): Promise<void> {
    const offset = this.#sections.reduce((sum, section) => sum + section.byteLength, 0)
    this.#pieces.push(Buffer.from(entries))
    this.#sections.push({ offset, byteLength: entries.length, count })
  }
  async finish(): Promise<SpooledEntries> {
    const byteLength = this.#pieces.reduce((sum, piece) => sum + piece.length, 0)
    const read = async (section: SpoolSection) => this.#pieces[this.#sections.indexOf(section)]!
    return { byteLength, sections: this.#sections, crc32: 0, read, discard: () => this.discard() }
  }
  async discard(): Promise<void> {
    this.discarded = true
  }
}

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

export interface RigOptions {
  /** Instead of resolving at once. */
  readonly emit?: (stream: EventStream) => Promise<void>
  readonly name?: string
  /** Wall clock, ms since 1970. */
  readonly now?: () => number
}

/** 2026-11-25T12:00:00Z. */
export const NOON_MS = Date.UTC(2026, 10, 25, 12)

/** Starts an input; it and its clients are closed when the test is over, whatever became of it. */
export async function startRig<F extends object>(protocol: Protocol<never>, config: F, options: RigOptions = {}) {
  const events: TakenEvent[] = []
  const streams: EventStream[] = []
  const warnings: string[] = []
  const spools: MemorySpool[] = []
  let seen = () => {}
  const log: Logger = { debug() {}, info() {}, error: (_, m) => warnings.push(m), child: () => log, warn }
  function warn(_: object, message: string) {
    warnings.push(message)
  }
  const now = options.now ?? (() => NOON_MS)
  const clock = { now, monotonic: () => performance.now(), sleep: async () => {} }
  const stats = createInputStats()
  const emit = async (stream: EventStream) => {
    const { packed } = stream
    const sections = packed instanceof Uint8Array ? [packed] : await Promise.all(packed.sections.map(packed.read))
    await options.emit?.(stream)
    streams.push(stream)
    for (const section of sections) events.push(...eventsOf(Buffer.from(stream.tag).toString(), section))
    seen()
  }
  const spool = async () => {
    const spool = new MemorySpool()
    spools.push(spool)
    return spool
  }
  const marks = marksInMemory()
  const context: InputContext = { name: options.name ?? 'input', emit, spool, marks, stats, log, clock }
  const listener = await protocol.listen(config as never, context)
  const port = Number(/:(\d+) /.exec(listener.addresses[0]!)?.[1])
  const sockets: Socket[] = []
  opened.push(async () => {
    for (const socket of sockets) socket.destroy()
    await listener.close()
  })
  return {
    ...{ listener, port, stats, events, streams, warnings, spools },
    /** Resolves when so many events were taken. */
    async taken(count: number): Promise<readonly TakenEvent[]> {
      while (events.length < count) {
        await new Promise<void>((resolve) => {
          seen = resolve
        })
      }
      return events
    },
    async connect(): Promise<Socket> {
      const socket = connect({ host: '127.0.0.1', port })
      socket.on('error', () => {}).resume()
      sockets.push(socket)
      await once(socket, 'connect')
      return socket
    },
  }
}

/** Looks again on each turn of the event loop, for what no event tells. */
export async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2))
}
