/** Gathers frames into one batch of streams: views into blocks, one object per stream and nothing per event. */
import type { Batch, Position, StoredStream } from '../server/core/event.ts'
import { nextEntry } from '../server/core/packed-entries.ts'
import type { Block } from './block-pool.ts'
import { FRAME_HEADER_BYTES, getU64, ID_OF_BUFFER, LABEL_BYTES } from './chunk-format.ts'
import { idBaseText } from './event-id.ts'
import type { FrameSource } from './frame-source.ts'

/** Tags that are remembered with whether they match. */
const TAGS_MAX = 10_000

export interface KnownTag {
  readonly tag: string
  readonly matches: boolean
}

/** The same string object for the same tag, and the question whether it matches asked once. */
export class TagTable {
  readonly #tags = new Map<string, KnownTag>()
  readonly #matches: (tag: string) => boolean
  constructor(matches: (tag: string) => boolean) {
    this.#matches = matches
  }

  of(text: string): KnownTag {
    const known = this.#tags.get(text)
    if (known !== undefined) return known
    if (this.#tags.size >= TAGS_MAX) this.#tags.clear()
    const tag = { tag: text, matches: this.#matches(text) }
    this.#tags.set(text, tag)
    return tag
  }
}

/** Texts of id bases: most frames carry the buffer's own. */
export class IdBases {
  readonly #last = Buffer.alloc(12)
  #text = ''
  at(bytes: Buffer, at: number): string {
    if (this.#text === '' || this.#last.compare(bytes, at, at + 12) !== 0) {
      bytes.copy(this.#last, 0, at, at + 12)
      this.#text = idBaseText(this.#last)
    }
    return this.#text
  }
}

export class BatchBuilder {
  readonly from: Position
  count = 0
  bytes = 0
  unmatched = 0
  readonly blocks: Block[] = []
  readonly #streams: StoredStream[] = []
  readonly #tags: TagTable
  readonly #ids: IdBases

  constructor(from: Position, tags: TagTable, ids: IdBases) {
    this.from = from
    this.#tags = tags
    this.#ids = ids
  }

  get firstReceivedMs(): number | undefined {
    return this.#streams[0]?.receivedMs
  }

  /** Takes the events [from, to) of the frame that the source stands at, if its tag matches. */
  take({ block, header, frameAt }: FrameSource, from: Position, to: Position): void {
    const { bytes, view } = block
    const payload = frameAt + FRAME_HEADER_BYTES
    const label = payload + header.packedBytes
    const tagAt = label + LABEL_BYTES
    const { tag, matches } = this.#tags.of(bytes.toString('utf8', tagAt, tagAt + view.getUint16(label + 24, true)))
    const count = to - from
    const skip = from - header.position
    if (!matches) {
      this.unmatched += count
      return
    }
    const ofBuffer = view.getUint8(label + 29) === ID_OF_BUFFER
    const stream = {
      tag,
      packed:
        count === header.count ? bytes.subarray(payload, label) : sliceEntries(bytes, payload, label, skip, count),
      count,
      position: from,
      idBase: this.#ids.at(bytes, label),
      idIndex: (ofBuffer ? header.position : view.getUint32(label + 12, true)) + skip,
      receivedMs: getU64(view, label + 16),
    }
    this.#streams.push(stream)
    this.count += count
    this.bytes += stream.packed.length
    this.#use(block)
  }

  batch(to: Position): Batch {
    return { streams: this.#streams, count: this.count, bytes: this.bytes, from: this.from, to }
  }

  #use(block: Block): void {
    if (this.blocks.at(-1) === block) return
    block.users += 1
    this.blocks.push(block)
  }
}

/** `count` entries behind the first `skip` of those between `start` and `end`. */
function sliceEntries(bytes: Uint8Array, start: number, end: number, skip: number, count: number): Uint8Array {
  const from = skipEntries(bytes, start, end, skip)
  return bytes.subarray(from, skipEntries(bytes, from, end, count))
}

function skipEntries(bytes: Uint8Array, from: number, to: number, entries: number): number {
  let at = from
  for (let i = 0; i < entries && at < to; i++) at = nextEntry(bytes, at, to)
  return at
}
