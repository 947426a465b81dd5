/**
 * A group: the streams that are written, synced and acknowledged together, as the pieces of one large write.
 * It is built in memory that is used again; small streams are copied, large ones stay where the input has them.
 */
import { crc32 } from 'node:zlib'
import {
  COMMIT,
  FRAME_HEADER_BYTES,
  groupCrc,
  type Label,
  type LabelTexts,
  labelBytes,
  padded,
  placeFrame,
  putFrameHeader,
  putLabel,
  STREAM,
  viewOf,
} from './chunk-format.ts'

const BLOCK_BYTES = 256 * 1024
/** Blocks that are kept for the next groups. */
const SPARE_BLOCKS_MAX = 16
/** Copying fewer bytes than this costs less than a further piece of the write. */
const COPY_BYTES_MAX = 4 * 1024

interface Block {
  readonly bytes: Buffer
  readonly view: DataView
  used: number
  /** Up to where the block has become pieces of the write. */
  taken: number
  /** Where its frame headers stand. */
  readonly frames: number[]
}

const spareBlocks: Block[] = []

function takeBlock(bytes: number): Block {
  if (bytes <= BLOCK_BYTES) {
    const spare = spareBlocks.pop()
    if (spare !== undefined) return spare
  }
  const memory = Buffer.allocUnsafeSlow(Math.max(bytes, BLOCK_BYTES))
  return { bytes: memory, view: viewOf(memory), used: 0, taken: 0, frames: [] }
}

function giveBack(block: Block): void {
  block.used = 0
  block.taken = 0
  block.frames.length = 0
  if (spareBlocks.length < SPARE_BLOCKS_MAX && block.bytes.length === BLOCK_BYTES) spareBlocks.push(block)
}

export interface GroupStream {
  readonly packed: Uint8Array
  /** CRC-32 of `packed`, where it is known. */
  readonly packedCrc: number | undefined
  readonly count: number
  readonly label: Label
}

/** How far the frames of a group have got their places. */
export interface Placing {
  /** The next event's. */
  position: number
  /** Where header CRCs start. */
  readonly seed: number
  events: number
  frames: number
  /** Of the frames so far, for the COMMIT. */
  crc: number
}

export function startPlacing(position: number, seed: number): Placing {
  return { position, seed, events: 0, frames: 0, crc: 0 }
}

/** Bytes that a stream takes in the file. */
export function streamFrameBytes(packedBytes: number, label: LabelTexts): number {
  return FRAME_HEADER_BYTES + padded(packedBytes + labelBytes(label))
}

export class Group {
  /** Bytes of its frames. */
  bytes = 0
  readonly #pieces: Uint8Array[] = []
  readonly #blocks: Block[] = []
  readonly #copyBytesMax: number

  /** With `copyAll` the streams' memory is the caller's again at once. */
  constructor(options: { copyAll: boolean }) {
    this.#copyBytesMax = options.copyAll ? Number.POSITIVE_INFINITY : COPY_BYTES_MAX
  }

  add(stream: GroupStream): void {
    const { packed, label, count } = stream
    let crc = stream.packedCrc
    const payloadBytes = packed.length + labelBytes(label)
    const copied = packed.length <= this.#copyBytesMax
    const frame = FRAME_HEADER_BYTES + padded(payloadBytes)
    const block = this.#room(copied ? frame : frame - packed.length)
    const start = block.used
    block.used += FRAME_HEADER_BYTES
    let covered = block.used
    if (copied) {
      block.bytes.set(packed, block.used)
      block.used += packed.length
      if (crc !== undefined) covered = block.used
    } else {
      takePiece(block, this.#pieces)
      this.#pieces.push(packed)
      crc ??= crc32(packed)
    }
    putLabel(block.bytes, block.view, block.used, label)
    block.used += labelBytes(label)
    // A small stream and its label are covered in one call: for them the call costs more than the bytes.
    const payloadCrc = crc32(block.bytes.subarray(covered, block.used), crc ?? 0)
    for (let pad = padded(payloadBytes) - payloadBytes; pad > 0; pad--) block.bytes[block.used++] = 0
    const header = { type: STREAM, payloadBytes, count, packedBytes: packed.length, payloadCrc }
    putFrameHeader(block.view, start, header)
    block.frames.push(start)
    this.bytes += frame
  }

  /** Gives the frames their positions and CRCs. */
  place(placing: Placing): void {
    for (const block of this.#blocks) placeFrames(block, placing)
  }

  /** Ends what was placed with a COMMIT. */
  commit(placing: Placing): void {
    const block = this.#room(FRAME_HEADER_BYTES)
    const { events, frames, crc } = placing
    putFrameHeader(block.view, block.used, {
      type: COMMIT,
      payloadBytes: 0,
      count: events,
      packedBytes: frames,
      payloadCrc: crc,
    })
    placeFrame(block.bytes, block.view, block.used, placing)
    block.used += FRAME_HEADER_BYTES
    this.bytes += FRAME_HEADER_BYTES
  }

  /** What is to be written; valid until `clear`. */
  pieces(): readonly Uint8Array[] {
    const last = this.#blocks.at(-1)
    if (last !== undefined) takePiece(last, this.#pieces)
    return this.#pieces
  }

  /** Empties it; its memory goes to other groups. */
  clear(): void {
    for (const block of this.#blocks) giveBack(block)
    this.#blocks.length = 0
    this.#pieces.length = 0
    this.bytes = 0
  }

  #room(bytes: number): Block {
    const last = this.#blocks.at(-1)
    if (last !== undefined) {
      if (last.used + bytes <= last.bytes.length) return last
      takePiece(last, this.#pieces)
    }
    const block = takeBlock(bytes)
    this.#blocks.push(block)
    return block
  }
}

function takePiece(block: Block, pieces: Uint8Array[]): void {
  if (block.used > block.taken) pieces.push(block.bytes.subarray(block.taken, block.used))
  block.taken = block.used
}

function placeFrames(block: Block, placing: Placing): void {
  for (const at of block.frames) {
    placeFrame(block.bytes, block.view, at, placing)
    placing.crc = groupCrc(block.bytes, at, placing.crc)
    const count = block.view.getUint32(at + 16, true)
    placing.position += count
    placing.events += count
    placing.frames += 1
  }
}
