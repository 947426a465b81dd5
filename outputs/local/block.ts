/**
 * A block: the documents of some events that were stored together, compressed as one.
 *
 *   zstd( document \n document \n … run, run, … \n )
 *   run    [events, tag, idBase, idIndex]: what these many documents in a row have in common, as JSON
 *
 * A document is JSON and holds no line feed. Where an event stands is its place: block id × BLOCK_EVENTS_MAX + line.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { type ByteSink, createByteSink, emptySink, reserve } from '../encoding/byte-sink.ts'
import { BadSliceError } from './slice-files.ts'

export const BLOCK_EVENTS_MAX = 256
/** A block that has grown to this is closed, bytes before compression. */
export const BLOCK_BYTES = 64 * 1024
/** What is unpacked at a time: most blocks as a whole. */
const CHUNK_BYTES = 80 * 1024
/** No block is larger, whatever a damaged file says, bytes. */
const UNPACKED_MAX = 512 * 1024 * 1024

const NEW_LINE = 0x0a
/** The fastest level makes a tenth of what container logs are; the checksum tells a damaged block. */
const PARAMETERS = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 }

type Run = [count: number, tag: string, idBase: string, idIndex: number]

/** A block that is being filled: documents are written into `sink` and ended by `endDocument`. */
export interface BlockDraft {
  readonly sink: ByteSink
  count: number
  runs: Run[]
}

export function createBlockDraft(): BlockDraft {
  return { sink: createByteSink(BLOCK_BYTES * 2), count: 0, runs: [] }
}

/** The documents from here on belong to this tag and these ids. */
export function beginRun(draft: BlockDraft, tag: string, idBase: string, idIndex: number): void {
  draft.runs.push([0, tag, idBase, idIndex])
}

export function endDocument(draft: BlockDraft): void {
  const { sink } = draft
  reserve(sink, 1)
  sink.view.setUint8(sink.at++, NEW_LINE)
  draft.runs[draft.runs.length - 1]![0]++
  draft.count++
}

export function isFull(draft: BlockDraft): boolean {
  return draft.count === BLOCK_EVENTS_MAX || draft.sink.at >= BLOCK_BYTES
}

/** Empties the draft. @returns what is to be stored. */
export function packBlock(draft: BlockDraft): Uint8Array {
  const { sink } = draft
  const runs = Buffer.from(JSON.stringify(draft.runs))
  reserve(sink, runs.length)
  sink.bytes.set(runs, sink.at)
  const length = sink.at + runs.length
  const packed = zstdCompressSync(sink.bytes.subarray(0, length), { params: PARAMETERS, pledgedSrcSize: length })
  clearDraft(draft)
  return packed
}

export function clearDraft(draft: BlockDraft): void {
  emptySink(draft.sink)
  draft.count = 0
  draft.runs = []
}

export interface Block {
  readonly bytes: Buffer
  /** Where each document begins; one more for the end of the last. */
  readonly starts: readonly number[]
  readonly runs: readonly Run[]
}

/** Throws BadSliceError when the bytes are damaged. */
export function unpackBlock(packed: Uint8Array): Block {
  try {
    const bytes = zstdDecompressSync(packed, { maxOutputLength: UNPACKED_MAX, chunkSize: CHUNK_BYTES })
    const starts = [0]
    for (let end = bytes.indexOf(NEW_LINE); end !== -1; end = bytes.indexOf(NEW_LINE, end + 1)) starts.push(end + 1)
    const runs: Run[] = JSON.parse(bytes.toString('utf8', starts.at(-1)))
    return { bytes, starts, runs }
  } catch (error) {
    throw new BadSliceError(`a block cannot be unpacked: ${(error as Error).message}`, { cause: error })
  }
}

export interface StoredEvent {
  readonly tag: string
  readonly id: string
  readonly json: string
}

/** The event at a line of the block; undefined when there is none. */
export function eventAt(block: Block, line: number): StoredEvent | undefined {
  const end = block.starts[line + 1]
  if (end === undefined) return undefined
  const json = block.bytes.toString('utf8', block.starts[line], end - 1)
  let before = 0
  for (const [count, tag, idBase, idIndex] of block.runs) {
    if (line < before + count) return { tag, id: `${idBase}.${idIndex + line - before}`, json }
    before += count
  }
  return undefined
}
