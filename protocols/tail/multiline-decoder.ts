/**
 * Lines that belong together: an event begins where a line matches the first line's pattern, and has all lines up to
 * the next that does. What stands before the first match is an event too.
 */
import type { EntryWriter } from '../encoding/entry-writer.ts'
import { type Block, type BlockEnd, type Decoder, lineEnd, textEnd } from './decoder.ts'
import type { DecoderOptions, WriteLine } from './line-decoder.ts'
import type { Place } from './place.ts'

/** Whether a line is the first of an event. */
export type IsFirstLine = (line: Uint8Array) => boolean

export class MultilineDecoder implements Decoder {
  readonly #lineBytes: number
  readonly #isFirst: IsFirstLine
  readonly #write: WriteLine

  constructor(options: DecoderOptions, isFirst: IsFirstLine, write: WriteLine) {
    this.#lineBytes = options.lineBytes
    this.#isFirst = isFirst
    this.#write = write
  }

  decode(
    { bytes, start, end, offset }: Block,
    place: Place,
    blockEnd: BlockEnd,
    nowMs: number,
    to: EntryWriter,
  ): number {
    let event = start
    let at = start
    let count = 0
    while (at < end) {
      let next = lineEnd(bytes, at, end, this.#lineBytes)
      if (next === -1 && blockEnd === 'final') next = end
      if (next === -1) break
      if (at > event && this.#isFirst(bytes.subarray(at, textEnd(bytes, at, next)))) {
        this.#write(to, bytes, event, textEnd(bytes, event, at), nowMs)
        count += 1
        event = at
      }
      at = next
    }
    if (blockEnd !== 'open' && at > event) {
      this.#write(to, bytes, event, textEnd(bytes, event, at), nowMs)
      count += 1
      event = at
    }
    place.offset = offset + event - start
    return count
  }
}
