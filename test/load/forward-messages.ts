/** Whole Forward messages around numbered events, in the four modes, and the acks they must get. No sockets. */
import { gzipSync } from 'node:zlib'
import { createTemplate, type EntryTemplate, fillEntries, text } from './container-events.ts'

export const MODES = ['message', 'forward', 'packed', 'gzip'] as const
export type Mode = (typeof MODES)[number]

export interface MessageOptions {
  readonly mode: Mode
  readonly connection: number
  readonly tag: string
  /** Events of one message; 1 in message mode. */
  readonly batch: number
  readonly lineBytes: number
  readonly ack: boolean
  /** Time of event 0, and what makes the chunk ids of this run its own. */
  readonly startSeconds: number
}

export interface MessageSource {
  /** Most bytes of one message. */
  readonly maxBytes: number
  /** Writes the message whose first event is `first` to `to` at `at`. Returns where it ends. */
  write(to: Buffer, at: number, first: number, count: number): number
  /** Whether the ack of that message stands at `at`. */
  isAck(from: Buffer, at: number, first: number): boolean
}

/** `81 a3 ack b8` and 24 characters. */
export const ACK_BYTES = 30
const CHUNK_ID_CHARACTERS = 24
const ACK_HEAD = Buffer.from([0x81, 0xa3, 0x61, 0x63, 0x6b, 0xb8])
const FIRST_DIGITS = 10

export function createMessageSource(options: MessageOptions): MessageSource {
  const { mode, connection, ack, startSeconds, batch } = options
  const template = createTemplate({ connection, count: batch, lineBytes: options.lineBytes })
  const tag = text(options.tag)
  const idHead = `${String(connection).padStart(2, '0')}${startSeconds.toString(16).padStart(12, '0')}`
  const chunkId = (first: number) => idHead + first.toString(16).padStart(FIRST_DIGITS, '0')
  const ackScratch = Buffer.alloc(CHUNK_ID_CHARACTERS)
  const write = mode === 'gzip' ? writeGzip : mode === 'message' ? writeMessage : writeEntries

  function writeHead(to: Buffer, at: number, bytes: number, count: number): number {
    to[at] = 0x93
    let p = at + 1 + tag.copy(to, at + 1)
    to[p] = mode === 'forward' ? 0xdd : 0xc6
    p = to.writeUInt32BE(mode === 'forward' ? count : bytes, p + 1)
    return p
  }
  function writeOptions(to: Buffer, at: number, first: number, count: number): number {
    to[at] = 0x81 + (ack ? 1 : 0) + (mode === 'gzip' ? 1 : 0)
    let p = at + 1 + to.write('\xa4size\xce', at + 1, 'latin1')
    p = to.writeUInt32BE(count, p)
    if (mode === 'gzip') p += to.write('\xaacompressed\xa4gzip', p, 'latin1')
    return ack ? writeChunk(to, p, first) : p
  }
  function writeChunk(to: Buffer, at: number, first: number): number {
    const p = at + to.write('\xa5chunk\xb8', at, 'latin1')
    return p + to.write(chunkId(first), p, 'latin1')
  }
  function writeEntries(to: Buffer, at: number, first: number, count: number): number {
    const bytes = byteLengthOf(template, count)
    const p = writeHead(to, at, bytes, count)
    template.bytes.copy(to, p, 0, bytes)
    fillEntries(to, p, template, first, count, startSeconds)
    return writeOptions(to, p + bytes, first, count)
  }
  const plain = Buffer.from(template.bytes)
  function writeGzip(to: Buffer, at: number, first: number, count: number): number {
    fillEntries(plain, 0, template, first, count, startSeconds)
    const zipped = gzipSync(plain.subarray(0, byteLengthOf(template, count)), { level: 1 })
    const p = writeHead(to, at, zipped.length, count)
    return writeOptions(to, p + zipped.copy(to, p), first, count)
  }
  /** The entry's own array header is left out: time and record are elements of the message. */
  function writeMessage(to: Buffer, at: number, first: number): number {
    to[at] = ack ? 0x94 : 0x93
    const p = at + tag.copy(to, at + 1)
    template.bytes.copy(to, p + 1, 1)
    fillEntries(to, p, template, first, 1, startSeconds)
    const end = p + template.bytes.length
    if (!ack) return end
    to[end] = 0x81
    return writeChunk(to, end + 1, first)
  }
  return {
    maxBytes: template.bytes.length + tag.length + 1_024,
    write,
    isAck(from, at, first) {
      ackScratch.write(chunkId(first), 'latin1')
      const idAt = at + ACK_HEAD.length
      return ACK_HEAD.compare(from, at, idAt) === 0 && ackScratch.compare(from, idAt, idAt + CHUNK_ID_CHARACTERS) === 0
    },
  }
}

function byteLengthOf(template: EntryTemplate, count: number): number {
  return count < template.count ? template.starts[count]! : template.bytes.length
}
