/** A small Forward client for `logboom send`: PackedForward with a chunk id, one message in flight. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Packr, Unpackr } from 'msgpackr'
import { LogboomError } from '../core/errors.ts'

/** An ack is some forty bytes. */
const ANSWER_BYTES_MAX = 65_536

export interface ForwardClientOptions {
  readonly host: string
  readonly port: number
  /** Longest wait for the connection and for each ack. */
  readonly timeoutMs: number
  readonly ack: boolean
}

export interface ForwardClient {
  /** Resolves when the events are acknowledged (written, where no ack is asked for). Rejects with a reason in words. */
  send(tag: string, records: readonly object[], timeMs: number): Promise<void>
  close(): Promise<void>
}

const packr = new Packr({ useRecords: false, largeBigIntToFloat: true })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })

/** `[EventTime, record]`: fixarray 2, fixext 8 of type 0, seconds and nanoseconds big-endian. */
export function packEntry(timeMs: number, record: object): Buffer {
  const head = Buffer.from([0x92, 0xd7, 0x00, 0, 0, 0, 0, 0, 0, 0, 0])
  head.writeUInt32BE(Math.floor(timeMs / 1000), 3)
  head.writeUInt32BE(Math.floor((timeMs % 1000) * 1_000_000), 7)
  return Buffer.concat([head, packr.pack(record)])
}

function describe(answer: unknown): string {
  if (Array.isArray(answer) && answer[0] === 'HELO') return 'it asks for a shared_key, which `send` cannot give'
  return 'it answered something that is not an ack'
}

/** Reads one msgpack value from the socket. */
async function readAnswer(socket: Socket, signal: AbortSignal): Promise<unknown> {
  let received = Buffer.alloc(0)
  for (;;) {
    const [bytes] = (await Promise.race([
      once(socket, 'data', { signal }),
      once(socket, 'close', { signal }).then(() => Promise.reject(new Error('it closed the connection'))),
    ])) as [Buffer]
    received = Buffer.concat([received, bytes])
    try {
      return unpackr.unpack(received)
    } catch (error) {
      if (!(error as { incomplete?: boolean }).incomplete || received.length > ANSWER_BYTES_MAX)
        throw new Error(describe(0))
    }
  }
}

async function awaitAck(socket: Socket, chunk: string, timeoutMs: number): Promise<void> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), timeoutMs)
  try {
    const answer = await readAnswer(socket, abort.signal)
    if ((answer as { ack?: unknown } | null)?.ack !== chunk) throw new Error(describe(answer))
  } catch (error) {
    if (abort.signal.aborted) throw new Error(`no ack within ${timeoutMs / 1000} s`)
    throw error
  } finally {
    clearTimeout(timer)
    abort.abort()
  }
}

async function open({ host, port, timeoutMs }: ForwardClientOptions): Promise<Socket> {
  const url = `${host}:${port}`
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(timeoutMs) })
  } catch (error) {
    socket.destroy()
    const reason =
      (error as Error).name === 'AbortError' ? `no connection within ${timeoutMs / 1000} s` : (error as Error).message
    throw new LogboomError('LB-S005', { url, reason }, { cause: error })
  }
  return socket
}

/** Throws LB-S005 when nobody listens there. */
export async function connectForward(options: ForwardClientOptions): Promise<ForwardClient> {
  const socket = await open(options)
  let failure: Error | undefined
  socket.on('error', (error) => {
    failure = error
  })
  return {
    async send(tag, records, timeMs) {
      if (failure !== undefined || socket.destroyed) throw failure ?? new Error('it closed the connection')
      const packed = Buffer.concat(records.map((record) => packEntry(timeMs, record)))
      const chunk = randomBytes(16).toString('base64')
      const option = options.ack ? { size: records.length, chunk } : { size: records.length }
      const acked = options.ack ? awaitAck(socket, chunk, options.timeoutMs) : undefined
      // The answer may fail while the message is still being written.
      acked?.catch(() => {})
      const written = new Promise<void>((resolve) => socket.write(packr.pack([tag, packed, option]), () => resolve()))
      await (acked ?? written)
    },
    async close() {
      if (socket.destroyed) return
      const closed = once(socket, 'close').catch(() => {})
      socket.end()
      socket.resume()
      const timer = setTimeout(() => socket.destroy(), options.timeoutMs)
      await closed
      clearTimeout(timer)
    },
  }
}
