/**
 * The lines of a container's log file, with the pieces of a long line joined. The pieces of stdout and stderr may stand
 * between each other; see `place.ts` for what is remembered of an event that is not whole.
 */
import { EntryWriter } from '../encoding/entry-writer.ts'
import { type ContainerLine, emptyContainerLine, type ReadContainerLine } from './container-line.ts'
import { type Block, type BlockEnd, type Decoder, lineEnd, textEnd } from './decoder.ts'
import { writePath, writeTime } from './event-writer.ts'
import type { DecoderOptions } from './line-decoder.ts'
import { isHolding, type Place } from './place.ts'

const LOG = Buffer.from('log')
const STREAM = Buffer.from('stream')
const NAMES = [Buffer.from('stdout'), Buffer.from('stderr')] as const
const STREAMS = [0, 1] as const
const PIECES_BYTES = 64 * 1024

/** The event of one stream that is not whole. */
interface Joined {
  readonly line: ContainerLine
  readonly text: EntryWriter
  readonly extra: EntryWriter
  /** Where its first piece stands in the file; -1: there is none. */
  at: number
}

function emptyJoined(): Joined {
  return { line: emptyContainerLine(), text: new EntryWriter(PIECES_BYTES), extra: new EntryWriter(64), at: -1 }
}

export class ContainerDecoder implements Decoder {
  readonly #options: DecoderOptions
  readonly #read: ReadContainerLine
  readonly #line = emptyContainerLine()
  readonly #joined = [emptyJoined(), emptyJoined()] as const

  constructor(options: DecoderOptions, read: ReadContainerLine) {
    this.#options = options
    this.#read = read
  }

  decode(
    { bytes, start, end, offset }: Block,
    place: Place,
    blockEnd: BlockEnd,
    nowMs: number,
    to: EntryWriter,
  ): number {
    let at = start
    let count = 0
    for (const stream of STREAMS) this.#joined[stream].at = -1
    while (at < end) {
      let next = lineEnd(bytes, at, end, this.#options.lineBytes)
      if (next === -1 && blockEnd === 'final') next = end
      if (next === -1) break
      const here = offset + at - start
      if (this.#read(bytes, at, textEnd(bytes, at, next), this.#line)) {
        const held = place.held[this.#line.stream]
        if (here >= place.offset || (held >= 0 && here >= held)) count += this.#take(here, to)
      } else if (here >= place.offset) {
        this.#writeRaw(to, bytes, at, textEnd(bytes, at, next), nowMs)
        count += 1
      }
      at = next
    }
    place.offset = Math.max(place.offset, offset + at - start)
    for (const stream of STREAMS) place.held[stream] = this.#joined[stream].at
    return blockEnd === 'open' || !isHolding(place) ? count : count + this.#endAll(place, to)
  }

  /** @returns how many events the line has made whole. */
  #take(here: number, to: EntryWriter): number {
    const line = this.#line
    const joined = this.#joined[line.stream]
    if (!line.isPiece && joined.at === -1) {
      this.#write(to, line, line.from, line.start, line.end)
      return 1
    }
    if (joined.at === -1) begin(joined, line, here)
    append(joined.text, line.from, line.start, line.end)
    if (line.isPiece) return 0
    this.#writeJoined(to, joined)
    return 1
  }

  /** Ends what is not whole, the older first. */
  #endAll(place: Place, to: EntryWriter): number {
    const open = this.#joined.filter(({ at }) => at !== -1).sort((a, b) => a.at - b.at)
    for (const joined of open) this.#writeJoined(to, joined)
    for (const stream of STREAMS) place.held[stream] = -1
    return open.length
  }

  #writeJoined(to: EntryWriter, joined: Joined): void {
    this.#write(to, joined.line, joined.text.bytes, 0, joined.text.length)
    joined.at = -1
  }

  #write(to: EntryWriter, line: ContainerLine, text: Buffer, start: number, end: number): void {
    const { path } = this.#options
    const name = NAMES[line.stream]
    to.entry()
    to.eventTime(line.seconds, line.nanoseconds)
    to.mapHead(2 + line.extraPairs + (path === undefined ? 0 : 1))
    to.string(LOG, 0, LOG.length)
    to.string(text, start, end)
    to.string(STREAM, 0, STREAM.length)
    to.string(name, 0, name.length)
    append(to, line.extra, 0, line.extraBytes)
    if (path !== undefined) writePath(to, path)
  }

  /** A line that is not the runtime's: kept as it is. */
  #writeRaw(to: EntryWriter, bytes: Buffer, start: number, end: number, nowMs: number): void {
    const { path } = this.#options
    writeTime(to, nowMs)
    to.mapHead(path === undefined ? 1 : 2)
    to.string(LOG, 0, LOG.length)
    to.string(bytes, start, end)
    if (path !== undefined) writePath(to, path)
  }
}

/** The time and the other keys are those of the first piece. */
function begin(joined: Joined, line: ContainerLine, here: number): void {
  joined.at = here
  joined.text.length = 0
  joined.extra.length = 0
  append(joined.extra, line.extra, 0, line.extraBytes)
  const { stream, seconds, nanoseconds, extraBytes, extraPairs } = line
  Object.assign(joined.line, { stream, seconds, nanoseconds, extraBytes, extraPairs, extra: joined.extra.bytes })
}

function append(to: EntryWriter, from: Buffer, start: number, end: number): void {
  to.room(end - start)
  to.length += from.copy(to.bytes, to.length, start, end)
}
