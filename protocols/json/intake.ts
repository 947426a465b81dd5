/**
 * Turns JSON lines into entries. A line may hold several objects; what is no object is kept as the `message` of one.
 * No socket here.
 */
import { MalformedError, SCAN_LIMITS } from '../../server/core/msgpack.ts'
import type { EntryWriter } from '../encoding/entry-writer.ts'
import type { GatherEntries } from '../encoding/gather-entries.ts'
import { JsonTranscoder } from '../encoding/json-to-msgpack.ts'
import { findPair, readTimeValue } from '../encoding/record-time.ts'
import type { Doorbell } from '../listening/doorbell.ts'
import { recognise, type Spoken, StrangerError } from '../listening/first-bytes.ts'
import type { FrameIntake } from '../listening/frame-input.ts'
import type { Lines } from './lines.ts'

export interface JsonIntakeOptions {
  readonly tag: string
  /** Bytes of a line that are kept. */
  readonly lineBytes: number
  readonly gather: GatherEntries
  readonly doorbell: Doorbell
  /** ms since 1970. */
  readonly now: () => number
}

/** What begins so is no text. HTTP is, and is told by its whole first line. */
export const FOREIGN: ReadonlySet<Spoken> = new Set([
  ...(['tls', 'ssh', 'proxy', 'forward', 'gelf-chunk', 'gzip'] as const),
])
const REQUEST_LINE = /^[A-Z]{3,10} \S{1,2000} HTTP\/[12]\.\d$/
/** Bytes of a line that may be a request line. */
const REQUEST_LINE_BYTES = 2_048

const LF = 0x0a
const CURLY = 0x7b
/** `@timestamp` counts before `time`; both stay in the record. */
const TIME_KEYS = [Buffer.from('@timestamp'), Buffer.from('time')] as const
const MESSAGE_KEY = Buffer.from('message')
/** Bytes before the record: the array of two, and an EventTime. */
const ENTRY_HEAD = 11

export class JsonIntake implements FrameIntake<Lines> {
  readonly #options: JsonIntakeOptions
  readonly #tag: Buffer
  readonly #json = new JsonTranscoder({
    depth: SCAN_LIMITS.depth,
    keyBytes: SCAN_LIMITS.keyBytes,
    isLenient: true,
    isExact: true,
  })
  readonly #time = { seconds: 0, nanoseconds: 0 }
  readonly #pair = { start: 0, valueStart: 0, end: 0 }

  constructor(options: JsonIntakeOptions) {
    this.#options = options
    this.#tag = Buffer.from(options.tag)
  }

  /** @throws StrangerError for a line that is an HTTP request. */
  takeFrame({ bytes, start, end, cut }: Lines, peer: string): void {
    if (isRequestLine(bytes, start, end)) throw new StrangerError('http')
    this.#take(bytes, start, end, peer, cut)
  }

  /** A datagram holds one object or several, with line ends between and within. */
  takeDatagram(datagram: Buffer, peer: string): void {
    const { lineBytes, doorbell } = this.#options
    const spoken = recognise(datagram)
    if (spoken !== undefined && FOREIGN.has(spoken)) doorbell.stranger(peer, spoken, 'JSON')
    else this.#take(datagram, 0, Math.min(datagram.length, lineBytes), peer, datagram.length > lineBytes)
  }

  #take(bytes: Buffer, start: number, end: number, peer: string, cut: boolean): void {
    const { gather, doorbell, lineBytes } = this.#options
    const nowMs = this.#options.now()
    if (cut) doorbell.knocked(peer, 'LB-L003', { limit: lineBytes })
    for (let at = skipSpace(bytes, start, end); at < end; at = skipSpace(bytes, at, end)) {
      const to = gather.begin(this.#tag)
      try {
        at = this.#object(bytes, at, end, nowMs, to)
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error
        gather.abandon()
        at = this.#keepLine(bytes, at, end, nowMs, gather.begin(this.#tag))
        doorbell.knocked(peer, 'LB-L002', { reason: error.message })
      }
      gather.commit()
    }
  }

  /** Writes the object at `start` as an entry. @returns the position after it. @throws MalformedError */
  #object(bytes: Buffer, start: number, end: number, nowMs: number, to: EntryWriter): number {
    if (bytes[start] !== CURLY) throw new MalformedError('it does not begin with {')
    const opened = to.length
    writeHead(nowMs, to)
    this.#json.begin(bytes, start, end, to)
    this.#json.value(SCAN_LIMITS.depth)
    this.#setTime(to, opened)
    return this.#json.at
  }

  #setTime(to: EntryWriter, opened: number): void {
    const record = opened + ENTRY_HEAD
    for (const key of TIME_KEYS) {
      if (!findPair(to.bytes, record, to.length, key, this.#pair)) continue
      if (!readTimeValue(to.bytes, this.#pair.valueStart, to.length, this.#time)) continue
      to.bytes.writeUInt32BE(this.#time.seconds, opened + 3)
      to.bytes.writeUInt32BE(this.#time.nanoseconds, opened + 7)
      return
    }
  }

  /** Writes what is left of the line as `{"message": text}`. @returns the position after it. */
  #keepLine(bytes: Buffer, start: number, end: number, nowMs: number, to: EntryWriter): number {
    const lineEnd = bytes.subarray(start, end).indexOf(LF)
    const stop = lineEnd === -1 ? end : start + lineEnd
    writeHead(nowMs, to)
    to.mapHead(1)
    to.string(MESSAGE_KEY, 0, MESSAGE_KEY.length)
    to.string(bytes, start, bytes[stop - 1] === 0x0d ? stop - 1 : stop)
    return stop
  }
}

function writeHead(nowMs: number, to: EntryWriter): void {
  to.entry()
  to.eventTime(Math.floor(nowMs / 1_000), Math.floor(nowMs % 1_000) * 1_000_000)
}

/** White space, and zero bytes, with which some senders end a datagram. */
function skipSpace(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && (bytes[at] === 0x20 || bytes[at] === 0 || (bytes[at]! >= 9 && bytes[at]! <= 13))) at += 1
  return at
}

function isRequestLine(bytes: Buffer, start: number, end: number): boolean {
  const first = bytes[start]!
  if (first < 0x41 || first > 0x5a || end - start > REQUEST_LINE_BYTES) return false
  return REQUEST_LINE.test(bytes.toString('latin1', start, end))
}
