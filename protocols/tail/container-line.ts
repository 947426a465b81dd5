/**
 * One line of a container's log file, as its runtime writes it.
 *
 *   docker   {"log":"text\n","stream":"stdout","time":"2026-11-25T18:00:00.123456789Z"}    [Docker's json-file driver]
 *            a `log` without `\n` at its end is a piece of a longer line; other keys, such as `attrs`, are kept
 *   cri      2026-11-25T18:00:00.123456789Z stdout F text                              [Kubernetes' CRI log format]
 *            the tag is P for a piece, F for the last or only one; further tags follow behind a colon
 */

import { readStringHeader, type Span } from '../../server/core/msgpack.ts'
import { EntryWriter } from '../encoding/entry-writer.ts'
import { JsonTranscoder } from '../encoding/json-to-msgpack.ts'
import { LIMITS } from './limits.ts'
import { type EventTime, readRfc3339 } from './rfc3339-time.ts'

/** What a line says; made once and used again. The text is `from[start, end)`. */
export interface ContainerLine extends EventTime {
  /** 0 stdout, 1 stderr. */
  stream: 0 | 1
  isPiece: boolean
  from: Buffer
  start: number
  end: number
  /** Pairs of the record besides, as msgpack: `extra[0, extraBytes)`. */
  extra: Buffer
  extraBytes: number
  extraPairs: number
}

/** Reads the line `[start, end)`, without its newline; false when it is not what the runtime writes. */
export type ReadContainerLine = (bytes: Buffer, start: number, end: number, out: ContainerLine) => boolean

const NO_BYTES = Buffer.alloc(0)

export function emptyContainerLine(): ContainerLine {
  const text = { from: NO_BYTES, start: 0, end: 0, extra: NO_BYTES, extraBytes: 0, extraPairs: 0 }
  return { stream: 0, isPiece: false, seconds: 0, nanoseconds: 0, ...text }
}

const SPACE = 0x20
const NEWLINE = 0x0a
const STREAMS = [Buffer.from('stdout'), Buffer.from('stderr')] as const

function streamOf(bytes: Buffer, start: number, end: number): 0 | 1 | -1 {
  if (end - start !== 6) return -1
  if (STREAMS[0].compare(bytes, start, end) === 0) return 0
  return STREAMS[1].compare(bytes, start, end) === 0 ? 1 : -1
}

export const readCriLine: ReadContainerLine = (bytes, start, end, out) => {
  const timeEnd = bytes.indexOf(SPACE, start)
  const streamEnd = timeEnd === -1 ? -1 : bytes.indexOf(SPACE, timeEnd + 1)
  if (streamEnd === -1 || streamEnd >= end) return false
  const stream = streamOf(bytes, timeEnd + 1, streamEnd)
  const tag = bytes[streamEnd + 1]
  let text = bytes.indexOf(SPACE, streamEnd + 1)
  // An empty line may come without the space behind its tag.
  if (text === -1 || text >= end) text = end - 1
  if (stream === -1 || (tag !== 0x46 && tag !== 0x50) || !readRfc3339(bytes, start, timeEnd, out)) return false
  out.stream = stream
  out.isPiece = tag === 0x50
  out.from = bytes
  out.start = text + 1
  out.end = end
  out.extraPairs = 0
  out.extraBytes = 0
  return true
}

const BRACE = 0x7b
const CLOSING_BRACE = 0x7d
const QUOTE = 0x22
const KEYS = [Buffer.from('\xa3log', 'latin1'), Buffer.from('\xa6stream', 'latin1'), Buffer.from('\xa4time', 'latin1')]

export function dockerLineReader(): ReadContainerLine {
  const reader = new DockerLine()
  return (bytes, start, end, out) => reader.read(bytes, start, end, out)
}

class DockerLine {
  readonly #json: JsonTranscoder
  readonly #values = new EntryWriter(LIMITS.blockBytes)
  readonly #extra = new EntryWriter(4 * 1024)
  readonly #span: Span = { start: 0, end: 0 }
  /** Where the values of KEYS begin, or -1. */
  readonly #found = [-1, -1, -1]

  constructor() {
    const { depth, keyBytes } = LIMITS.scan
    this.#json = new JsonTranscoder({ depth, keyBytes, isLenient: false, isExact: false })
  }

  read(bytes: Buffer, start: number, end: number, out: ContainerLine): boolean {
    this.#values.length = 0
    this.#extra.length = 0
    this.#found.fill(-1)
    this.#json.begin(bytes, start, end, this.#values)
    try {
      out.extraPairs = this.#pairs()
    } catch {
      return false
    }
    const [log, stream, time] = this.#found as [number, number, number]
    if (!this.#isString(stream)) return false
    const number = streamOf(this.#values.bytes, this.#span.start, this.#span.end)
    if (number === -1 || !this.#isString(time)) return false
    if (!readRfc3339(this.#values.bytes, this.#span.start, this.#span.end, out) || !this.#isString(log)) return false
    const text = this.#span
    out.stream = number
    out.from = this.#values.bytes
    out.isPiece = text.end === text.start || out.from[text.end - 1] !== NEWLINE
    out.start = text.start
    out.end = out.isPiece ? text.end : text.end - 1
    out.extra = this.#extra.bytes
    out.extraBytes = this.#extra.length
    return true
  }

  /** @returns how many pairs are none of KEYS. @throws MalformedError */
  #pairs(): number {
    const json = this.#json
    if (json.space() !== BRACE) throw json.wrong()
    json.at += 1
    let others = 0
    for (let more = json.space() !== CLOSING_BRACE; more; more = json.comma(CLOSING_BRACE)) {
      if (json.space() !== QUOTE) throw json.wrong()
      const key = this.#values.length
      json.key()
      const value = this.#values.length
      json.value(LIMITS.scan.depth - 1)
      const known = KEYS.findIndex((each) => each.compare(this.#values.bytes, key, value) === 0)
      if (known !== -1) this.#found[known] = value
      else {
        this.#keep(key)
        others += 1
      }
    }
    json.at += 1
    if (json.space() !== -1) throw json.wrong()
    return others
  }

  #keep(pair: number): void {
    const { bytes, length } = this.#values
    this.#extra.room(length - pair)
    this.#extra.length += bytes.copy(this.#extra.bytes, this.#extra.length, pair, length)
  }

  #isString(value: number): boolean {
    return value !== -1 && readStringHeader(this.#values.bytes, value, this.#values.length, this.#span)
  }
}
