/** One event a line: the line as `message`, or the JSON object that it is. */
import type { EntryWriter } from '../encoding/entry-writer.ts'
import { JsonTranscoder } from '../encoding/json-to-msgpack.ts'
import { type Block, type BlockEnd, type Decoder, lineEnd, textEnd } from './decoder.ts'
import { countOneMore, type PathPair, writePath, writeTime } from './event-writer.ts'
import { LIMITS } from './limits.ts'
import type { Place } from './place.ts'

const MESSAGE = Buffer.from('message')
const BRACE = 0x7b

export interface DecoderOptions {
  /** Longest line, in bytes. */
  readonly lineBytes: number
  readonly path: PathPair | undefined
}

/** Writes the line `[start, end)`, its end without newline. */
export type WriteLine = (to: EntryWriter, bytes: Buffer, start: number, end: number, nowMs: number) => void

/** `{"message": line}`, whatever the bytes are. */
export function messageWriter(path: PathPair | undefined): WriteLine {
  return (to, bytes, start, end, nowMs) => {
    writeTime(to, nowMs)
    to.mapHead(path === undefined ? 1 : 2)
    to.string(MESSAGE, 0, MESSAGE.length)
    to.string(bytes, start, end)
    if (path !== undefined) writePath(to, path)
  }
}

/** The object itself; a line that is none becomes a `message`, so that nothing is lost. */
export function jsonWriter(path: PathPair | undefined): WriteLine {
  const { depth, keyBytes } = LIMITS.scan
  const json = new JsonTranscoder({ depth, keyBytes, isLenient: false, isExact: false })
  const asMessage = messageWriter(path)
  return (to, bytes, start, end, nowMs) => {
    const entry = to.length
    writeTime(to, nowMs)
    const map = to.length
    json.begin(bytes, start, end, to)
    if (isObject(json, depth)) {
      if (path === undefined) return
      countOneMore(to, map)
      writePath(to, path)
      return
    }
    to.length = entry
    asMessage(to, bytes, start, end, nowMs)
  }
}

function isObject(json: JsonTranscoder, depth: number): boolean {
  if (json.space() !== BRACE) return false
  try {
    json.value(depth)
    return json.space() === -1
  } catch {
    return false
  }
}

export class LineDecoder implements Decoder {
  readonly #lineBytes: number
  readonly #write: WriteLine

  constructor(options: DecoderOptions, write: WriteLine) {
    this.#lineBytes = options.lineBytes
    this.#write = write
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
    while (at < end) {
      let next = lineEnd(bytes, at, end, this.#lineBytes)
      if (next === -1 && blockEnd === 'final') next = end
      if (next === -1) break
      this.#write(to, bytes, at, textEnd(bytes, at, next), nowMs)
      count += 1
      at = next
    }
    place.offset = offset + at - start
    return count
  }
}
