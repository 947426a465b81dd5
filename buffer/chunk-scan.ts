/**
 * Goes through one chunk file at the start: how far it is committed, what in it is damaged, which messages and marks it
 * holds.
 */
import type { Mark } from '../server/core/event.ts'
import {
  CHUNK_HEADER_BYTES,
  COMMIT,
  emptyFrameHeader,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  findFrame,
  frameBytes,
  groupCrc,
  ID_OF_MESSAGE,
  LABEL_BYTES,
  MESSAGES,
  payloadCrc,
  placeFrame,
  putFrameHeader,
  readFrameHeader,
  readLabel,
  SEAL,
  STREAM,
  viewOf,
} from './chunk-format.ts'
import { ID_BASE_BYTES, idBaseText } from './event-id.ts'
import { type OpenFile, readDespiteErrors } from './file-system.ts'
import { decodeMark } from './marks.ts'

const BLOCK_BYTES = 1024 * 1024
/** Where payloads are not looked at and a frame is at least so large, only what lies around its end is read. */
const LARGE_FRAME_BYTES = 64 * 1024
const SPARSE_BLOCK_BYTES = 4 * 1024
/** A COMMIT of which so many bits are wrong is still told from what never was one. */
const COMMIT_WRONG_BITS_MAX = 8

export interface ScanOptions {
  readonly seed: number
  /** First position of the chunk. */
  readonly first: number
  /** First position of the chunk that follows; frames from there on were given up here. Undefined for the newest. */
  readonly end: number | undefined
  /** Check the payloads too; else only headers, and the payloads when they are read. */
  readonly verifyPayloads: boolean
  readonly wantMessages: boolean
  readonly memory: ScanMemory
}

/** What chunks are read into, one after the other. */
export interface ScanMemory {
  bytes: Buffer
}

export function createScanMemory(): ScanMemory {
  return { bytes: Buffer.alloc(0) }
}

export interface DamagedBytes {
  readonly offset: number
  readonly bytes: number
}

export interface ChunkScan {
  /** The position behind the last event that is committed. */
  readonly next: number
  readonly fileBytes: number
  /** Up to the end of the last COMMIT or SEAL. */
  readonly committedBytes: number
  readonly frames: number
  readonly damages: readonly DamagedBytes[]
  readonly damagedEvents: number
  /** Id bases of the messages in groups that are whole, oldest first. */
  readonly messages: readonly string[]
  /** Where the last group begins in the file, and how many of the messages and marks were in those before it. */
  readonly lastGroup: { readonly offset: number; readonly messagesBefore: number; readonly marksBefore: number }
  /** Marks of the streams in groups that are whole, oldest first. */
  readonly marks: readonly ScannedMark[]
}

export interface ScannedMark extends Mark {
  /** Of the stream it came with. */
  readonly position: number
}

export async function scanChunk(file: OpenFile, options: ScanOptions): Promise<ChunkScan> {
  const scanner = new Scanner(file, options, await file.size())
  await scanner.run()
  return scanner.result()
}

function bitsSet(byte: number): number {
  let bits = 0
  for (let rest = byte; rest !== 0; rest &= rest - 1) bits += 1
  return bits
}

/** What was found since the last COMMIT. */
interface OpenGroup {
  events: number
  crc: number
  frames: number
  damages: DamagedBytes[]
  damagedEvents: number
  messages: string[]
  marks: ScannedMark[]
}

function emptyGroup(): OpenGroup {
  return { events: 0, crc: 0, frames: 0, damages: [], damagedEvents: 0, messages: [], marks: [] }
}

class Scanner {
  readonly #file: OpenFile
  readonly #options: ScanOptions
  readonly #fileBytes: number
  readonly #header: FrameHeader = emptyFrameHeader()
  #bytes: Buffer
  #view: DataView
  /** The part of the file that `#bytes` holds. */
  #base = 0
  #filled = 0
  #at = CHUNK_HEADER_BYTES
  /** Where the last damage ends. */
  #skippedTo = -1
  /** Size of the frame that was seen last. */
  #frameBytes = 0
  /** Every event before it was found or is counted as lost. */
  #accounted: number
  #group = emptyGroup()
  #next: number
  #committedBytes = CHUNK_HEADER_BYTES
  #lastGroup = { offset: CHUNK_HEADER_BYTES, messagesBefore: 0, marksBefore: 0 }
  #frames = 0
  #damagedEvents = 0
  readonly #damages: DamagedBytes[] = []
  readonly #messages: string[] = []
  readonly #marks: ScannedMark[] = []

  constructor(file: OpenFile, options: ScanOptions, fileBytes: number) {
    this.#file = file
    this.#options = options
    this.#fileBytes = fileBytes
    this.#bytes = options.memory.bytes
    this.#view = viewOf(this.#bytes)
    this.#accounted = options.first
    this.#next = options.first
  }

  async run(): Promise<void> {
    while (this.#at + FRAME_HEADER_BYTES <= this.#fileBytes) {
      if (!this.#has(this.#at, FRAME_HEADER_BYTES)) await this.#load(this.#at, FRAME_HEADER_BYTES)
      const found = this.#look()
      if (found === 'end') return this.#dropDamageBeyondEnd()
      if (found === 'seal') return this.#mark()
      if (found === 'commit') this.#mark()
      else if (found === 'stream') await this.#stream()
      else if (found === 'messages') this.#at += frameBytes(this.#header)
      else if (this.#isDamagedCommit()) this.#markDamaged()
      else if (!(await this.#skipDamage())) return
    }
  }

  /** What was skipped last lies behind the last event that counts here: it was given up, and costs nothing. */
  #dropDamageBeyondEnd(): void {
    if (this.#skippedTo === this.#at && this.#accounted === this.#options.end) this.#group.damages.pop()
  }

  #look(): 'stream' | 'messages' | 'commit' | 'seal' | 'damage' | 'end' {
    const { seed, end } = this.#options
    const header = this.#header
    const valid = readFrameHeader(this.#bytes, this.#view, this.#at - this.#base, seed, header)
    if (!valid || header.position < this.#accounted) return 'damage'
    if (end !== undefined && (header.type === STREAM ? header.position >= end : header.position > end)) return 'end'
    if (this.#at + frameBytes(header) > this.#fileBytes) return 'end'
    this.#group.damagedEvents += header.position - this.#accounted
    this.#accounted = header.position
    if (header.type === STREAM) return 'stream'
    if (header.type === MESSAGES) return 'messages'
    return header.type === SEAL ? 'seal' : 'commit'
  }

  result(): ChunkScan {
    const { end } = this.#options
    if (end !== undefined) {
      // The chunk that follows begins at `end`: so every event before it was committed, whatever has become of the
      // COMMIT.
      this.#group.damagedEvents += Math.max(0, end - this.#accounted)
      if (this.#group.damagedEvents > 0) this.#forgetOpen()
      this.#take(this.#at, Math.max(end, this.#accounted))
    }
    return {
      next: this.#next,
      fileBytes: this.#fileBytes,
      committedBytes: this.#committedBytes,
      frames: this.#frames,
      damages: this.#damages,
      damagedEvents: this.#damagedEvents,
      messages: this.#messages,
      lastGroup: this.#lastGroup,
      marks: this.#marks,
    }
  }

  async #stream(): Promise<void> {
    const header = this.#header
    const start = this.#at
    const frame = frameBytes(header)
    this.#group.crc = groupCrc(this.#bytes, start - this.#base, this.#group.crc)
    this.#group.frames += 1
    this.#group.events += header.count
    this.#frames += 1
    this.#accounted += header.count
    this.#at += frame
    this.#frameBytes = frame
    const { verifyPayloads } = this.#options
    if (!verifyPayloads && !this.#options.wantMessages) return
    const from = verifyPayloads ? start : start + FRAME_HEADER_BYTES + header.packedBytes
    const bytes = verifyPayloads ? frame : LABEL_BYTES
    if (!this.#has(from, bytes)) await this.#load(from, bytes)
    if (verifyPayloads) this.#verify(start, frame)
    else await this.#noteLabel(from)
  }

  #verify(start: number, frame: number): void {
    const at = start - this.#base
    const label = readLabel(this.#bytes, this.#view, at, this.#header)
    if (label === undefined || payloadCrc(this.#bytes, at, this.#header) !== this.#header.payloadCrc) {
      this.#group.damages.push({ offset: start, bytes: frame })
      this.#group.damagedEvents += this.#header.count
    } else {
      if (label.idKind === ID_OF_MESSAGE) this.#noteMessage(label.idBase)
      this.#noteMark(label.mark)
    }
  }

  /** `offset`: of the label of the frame that was seen last, whose head is loaded. */
  async #noteLabel(offset: number): Promise<void> {
    const label = offset - this.#base
    if (this.#bytes[label + 29] === ID_OF_MESSAGE) this.#noteMessage(this.#bytes.subarray(label, label + ID_BASE_BYTES))
    const markBytes = this.#view.getUint16(label + 30, true)
    if (markBytes === 0) return
    const end = this.#at - (frameBytes(this.#header) - FRAME_HEADER_BYTES - this.#header.payloadBytes)
    const from = Math.max(offset, end - markBytes)
    if (!this.#has(from, markBytes)) await this.#load(from, markBytes)
    this.#noteMark(this.#bytes.subarray(from - this.#base, end - this.#base))
  }

  #noteMessage(idBase: Uint8Array): void {
    if (this.#options.wantMessages) this.#group.messages.push(idBaseText(idBase))
  }

  #noteMark(bytes: Uint8Array): void {
    const mark = decodeMark(bytes)
    if (mark !== undefined) this.#group.marks.push({ ...mark, position: this.#header.position })
  }

  /** A message of which a frame is missing must be stored again when it is sent again. */
  #forgetOpen(): void {
    this.#group.messages.length = 0
    this.#group.marks.length = 0
  }

  /** At a COMMIT or a SEAL. */
  #mark(): void {
    const { type, payloadCrc: crc, packedBytes: frames, position } = this.#header
    const group = this.#group
    const whole = type === COMMIT && group.crc === crc && group.frames === frames && group.damages.length === 0
    if (!whole) this.#forgetOpen()
    this.#at += FRAME_HEADER_BYTES
    this.#take(this.#at, position)
  }

  /**
   * Whether all frames of the group are whole and behind them stands what was their COMMIT before a few bits of it
   * rotted. In the newest chunk nothing else says that they were acknowledged; if they were not, no harm is done.
   */
  #isDamagedCommit(): boolean {
    const { frames, events, damagedEvents, damages, crc } = this.#group
    if (frames === 0 || damages.length > 0 || damagedEvents > 0) return false
    const expected = Buffer.alloc(FRAME_HEADER_BYTES)
    const view = viewOf(expected)
    const at = this.#at - this.#base
    putFrameHeader(view, 0, { type: COMMIT, payloadBytes: 0, count: events, packedBytes: frames, payloadCrc: crc })
    placeFrame(expected, view, 0, { position: this.#accounted, seed: this.#options.seed })
    let wrong = 0
    for (let i = 0; i < FRAME_HEADER_BYTES; i++) wrong += bitsSet(expected[i]! ^ this.#bytes[at + i]!)
    return wrong <= COMMIT_WRONG_BITS_MAX
  }

  #markDamaged(): void {
    this.#group.damages.push({ offset: this.#at, bytes: FRAME_HEADER_BYTES })
    this.#at += FRAME_HEADER_BYTES
    this.#take(this.#at, this.#accounted)
  }

  /** Of the group that is open. */
  #groupStart() {
    const { length: messagesBefore } = this.#messages
    return { offset: this.#committedBytes, messagesBefore, marksBefore: this.#marks.length }
  }

  #take(committedBytes: number, next: number): void {
    const group = this.#group
    if (group.frames > 0) this.#lastGroup = this.#groupStart()
    for (const damage of group.damages) this.#damages.push(damage)
    this.#damagedEvents += group.damagedEvents
    for (const message of group.messages) this.#messages.push(message)
    for (const mark of group.marks) this.#marks.push(mark)
    this.#committedBytes = committedBytes
    this.#next = next
    this.#group = emptyGroup()
  }

  /** Goes to the next header that is whole; false when there is none. */
  async #skipDamage(): Promise<boolean> {
    const start = this.#at
    for (let from = start + 8; from + FRAME_HEADER_BYTES <= this.#fileBytes; ) {
      const bytes = Math.min(BLOCK_BYTES / 2, this.#fileBytes - from)
      if (!this.#has(from, bytes)) await this.#load(from, bytes)
      const range = { from: from - this.#base, to: this.#filled, seed: this.#options.seed, position: this.#accounted }
      const found = findFrame(this.#bytes, this.#view, range, this.#header)
      if (found !== -1) {
        this.#at = this.#base + found
        this.#group.damages.push({ offset: start, bytes: this.#at - start })
        this.#skippedTo = this.#at
        return true
      }
      const searched = this.#base + this.#filled - FRAME_HEADER_BYTES
      from = Math.max(from + 8, searched - (searched % 8) + 8)
    }
    return false
  }

  #has(offset: number, bytes: number): boolean {
    return offset >= this.#base && offset + bytes <= this.#base + this.#filled
  }

  async #load(offset: number, bytes: number): Promise<void> {
    const base = offset - (offset % 8)
    const sparse = !this.#options.verifyPayloads && this.#frameBytes >= LARGE_FRAME_BYTES
    const block = Math.min(sparse ? SPARSE_BLOCK_BYTES : BLOCK_BYTES, this.#fileBytes - base)
    const length = Math.max(offset - base + bytes, block)
    if (this.#bytes.length < length) {
      this.#bytes = Buffer.allocUnsafeSlow(length)
      this.#options.memory.bytes = this.#bytes
      this.#view = viewOf(this.#bytes)
    }
    this.#base = base
    this.#filled = await readDespiteErrors(this.#file, this.#bytes.subarray(0, length), base)
  }
}
