/** A Forward client in the hands of a test: sends any bytes, reads acks one by one. */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { Packr, unpackMultiple } from 'msgpackr'

/** Plain msgpack: without msgpackr's records, and with maps that JavaScript objects become. */
const packr = new Packr({ useRecords: false, variableMapSize: true })
export const pack = (value: unknown): Buffer => packr.pack(value)

const ANSWER_LIMIT_MS = 30_000

export interface ForwardClient {
  /** Resolves when the kernel has taken the bytes. */
  write(bytes: Uint8Array): Promise<void>
  /** Sends one event in message mode and waits for its ack. */
  sendEvent(tag: string, record: object): Promise<void>
  /** Sends a message built by `frame` and waits for its ack. */
  send(message: readonly unknown[]): Promise<void>
  /** The next ack. Rejects when the connection closes or none comes. */
  nextAck(): Promise<string>
  /** FIN: nothing more will be written. */
  endWriting(): void
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>
  readonly isOpen: boolean
  destroy(): void
}

export async function connectForward(port: number): Promise<ForwardClient> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  socket.on('error', () => {})
  const acks = ackQueue(socket)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const write = (bytes: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      socket.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
  const send = async (message: readonly unknown[]) => {
    const chunk = randomBytes(12).toString('base64')
    const options = message.at(-1) as object
    await write(pack([...message.slice(0, -1), { ...options, chunk }]))
    const ack = await acks()
    if (ack !== chunk) throw new Error(`an ack for ${ack} where ${chunk} was sent`)
  }
  return {
    write,
    send,
    sendEvent: (tag, record) => send([tag, Math.floor(Date.now() / 1000), record, {}]),
    nextAck: acks,
    endWriting: () => socket.end(),
    closed,
    get isOpen() {
      return !socket.closed && !socket.destroyed
    },
    destroy: () => socket.destroy(),
  }
}

function ackQueue(socket: Socket): () => Promise<string> {
  const got: string[] = []
  const waiting: ((ack: string | undefined) => void)[] = []
  socket.on('data', (bytes) => {
    for (const answer of unpackMultiple(bytes) as { ack: string }[]) {
      const next = waiting.shift()
      if (next === undefined) got.push(answer.ack)
      else next(answer.ack)
    }
  })
  const end = () => {
    for (const resolve of waiting.splice(0)) resolve(undefined)
  }
  socket.on('end', () => socket.destroy())
  socket.once('close', end)
  return async () => {
    const known = got.shift()
    if (known !== undefined) return known
    const timer = setTimeout(end, ANSWER_LIMIT_MS)
    const ack = await new Promise<string | undefined>((resolve) => {
      if (socket.closed) resolve(undefined)
      else waiting.push(resolve)
    })
    clearTimeout(timer)
    if (ack === undefined) throw new Error('no ack: the connection was closed, or the time is over')
    return ack
  }
}
