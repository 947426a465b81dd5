/**
 * The format of a chunk file, version 2: what each byte means, and how a header is written and read.
 * No file is touched here.
 *
 *   chunks/<first position, 16 hex digits>.chunk          all numbers little-endian, all frames 8-byte aligned
 *
 *   chunk header, 64 bytes                                 frame, 32 bytes and its payload
 *    0  8  magic "LOGBOOM\n"                                0  2  magic 0xB10C
 *    8  2  format version: 2                                2  1  type: 1 STREAM, 2 COMMIT, 3 SEAL, 4 MESSAGES
 *   10  2  checksum: 1 = CRC-32 of IEEE 802.3 (zlib)        3  1  flags: 0
 *   12  4  0                                                4  4  payload length
 *   16 12  the buffer's id, random                          8  8  position of the first event
 *   28  4  0                                               16  4  count of events
 *   32  8  chunk number                                    20  4  length of the packed events in the payload
 *   40  8  first position                                  24  4  header CRC, of bytes 0..23
 *   48  8  created, ms since 1970                          28  4  payload CRC
 *   56  4  0                                               32  …  payload, then 0 to 7 bytes of 0
 *   60  4  CRC of bytes 0..59
 *
 *   payload of a STREAM: the packed events as the client sent them, then their label
 *    0 12  id base        16  8  received, ms since 1970   28  1  length of the peer's address
 *   12  4  id index       24  2  tag length                29  1  id kind: 0 the buffer's, 1 the message's
 *                         26  2  chunk id length           30  2  mark length, then tag, chunk id, peer, mark
 *
 *   mark: how far its input had come with this stream (`marks.ts`); most streams have none
 *    0  4  CRC of the rest    4  …  name of the source, 0x00, the place in it
 *
 *   A COMMIT ends a group: what was synced and acknowledged together. It has no payload; its position is the next
 *   event's, its count is that of the group's events, its packed length that of the group's frames, and its payload CRC
 *   covers the two CRCs of each of these frames (bytes 24..31), in order: so every byte without a second pass.
 *   A SEAL ends a chunk that was closed in good order. It has no payload; its position is the next event's, its count
 *   that of the marks in the chunk, its packed length that of the MESSAGES frame before it, 0 when there is none.
 *   MESSAGES holds the id bases of the messages in the chunk that have one, 16 characters of base64url each, the newest
 *   50,000 at most, oldest first; its count is how many. So a sealed chunk need not be gone through when the buffer is
 *   opened, unless it has marks that the file MARKS does not have.
 *
 *   Version 1 has no MESSAGES, and 0 as the packed length of each SEAL.
 *
 * The position and the count stand in the header, so that what damage has cost can be told exactly. The label stands
 * behind the events, so that one pass over a payload gives the CRC of the events (for the event id) and that of the
 * payload. Header CRCs start from the CRC of the buffer's id: bytes that a client sends cannot pass for a frame.
 */
import { crc32 } from 'node:zlib'

export const FORMAT_VERSION = 2
/** Chunks of this version are read, too. */
const FORMAT_VERSION_MIN = 1
export const CHECKSUM_CRC32 = 1
export const CHUNK_HEADER_BYTES = 64
export const FRAME_HEADER_BYTES = 32
export const LABEL_BYTES = 32
export const BUFFER_ID_BYTES = 12
/** No payload is larger; a header that says so is damaged. */
export const PAYLOAD_BYTES_MAX = 64 * 1024 * 1024
export const TAG_BYTES_MAX = 1_024
/** A chunk id is kept for `buffer show` only; a longer one is not kept (the event id is made of all its bytes). */
export const CHUNK_ID_BYTES_MAX = 1_024
export const PEER_BYTES_MAX = 255
export const MARK_BYTES_MAX = 8 * 1_024 + 260

export const STREAM = 1
export const COMMIT = 2
export const SEAL = 3
export const MESSAGES = 4
/** Characters of an id base. */
export const MESSAGE_ID_BYTES = 16

export const ID_OF_BUFFER = 0
export const ID_OF_MESSAGE = 1

const FRAME_MAGIC = 0xb10c
const MAGIC_LOW_BYTE = FRAME_MAGIC & 0xff
const CHUNK_MAGIC = Buffer.from('LOGBOOM\n')
const TWO_32 = 2 ** 32

export interface ChunkHeader {
  readonly version: number
  readonly bufferId: Uint8Array
  readonly number: number
  readonly first: number
  readonly createdMs: number
}

export interface FrameHeader {
  type: number
  payloadBytes: number
  position: number
  count: number
  packedBytes: number
  payloadCrc: number
}

export function emptyFrameHeader(): FrameHeader {
  return { type: 0, payloadBytes: 0, position: 0, count: 0, packedBytes: 0, payloadCrc: 0 }
}

export function chunkFileName(first: number): string {
  return `${first.toString(16).padStart(16, '0')}.chunk`
}

/** The first position in a chunk file's name, or undefined when it is none. */
export function firstOfChunkFile(name: string): number | undefined {
  const first = /^[0-9a-f]{16}\.chunk$/.test(name) ? Number.parseInt(name.slice(0, 16), 16) : Number.NaN
  return Number.isSafeInteger(first) ? first : undefined
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function putU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % TWO_32, true)
  view.setUint32(at + 4, Math.floor(value / TWO_32), true)
}

export function getU64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32
}

export function padded(bytes: number): number {
  return (bytes + 7) & ~7
}

/** Where the CRC of every frame header of this buffer starts. */
export function headerSeed(bufferId: Uint8Array): number {
  return crc32(bufferId)
}

export function encodeChunkHeader(header: Omit<ChunkHeader, 'version'>): Buffer {
  const bytes = Buffer.alloc(CHUNK_HEADER_BYTES)
  const view = viewOf(bytes)
  bytes.set(CHUNK_MAGIC)
  view.setUint16(8, FORMAT_VERSION, true)
  view.setUint16(10, CHECKSUM_CRC32, true)
  bytes.set(header.bufferId, 16)
  putU64(view, 32, header.number)
  putU64(view, 40, header.first)
  putU64(view, 48, header.createdMs)
  view.setUint32(60, crc32(bytes.subarray(0, 60)), true)
  return bytes
}

/** Undefined when it is not the whole header of a chunk of a known version. */
export function decodeChunkHeader(bytes: Uint8Array): ChunkHeader | undefined {
  if (bytes.length < CHUNK_HEADER_BYTES || CHUNK_MAGIC.compare(bytes, 0, 8) !== 0) return undefined
  const view = viewOf(bytes)
  if (view.getUint32(60, true) !== crc32(bytes.subarray(0, 60))) return undefined
  const version = view.getUint16(8, true)
  if (version < FORMAT_VERSION_MIN || version > FORMAT_VERSION) return undefined
  if (view.getUint16(10, true) !== CHECKSUM_CRC32) return undefined
  const bufferId = bytes.slice(16, 16 + BUFFER_ID_BYTES)
  return { version, bufferId, number: getU64(view, 32), first: getU64(view, 40), createdMs: getU64(view, 48) }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let crc = index
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

/** The CRC of a few bytes, going on from `crc`: a call into zlib takes longer than this. */
function fewBytesCrc(bytes: Uint8Array, from: number, to: number, crc: number): number {
  let rest = ~crc
  for (let i = from; i < to; i++) rest = CRC_TABLE[(rest ^ bytes[i]!) & 0xff]! ^ (rest >>> 8)
  return ~rest >>> 0
}

function headerCrc(bytes: Uint8Array, at: number, seed: number): number {
  return fewBytesCrc(bytes, at, at + 24, seed)
}

/** The CRC of a COMMIT, gone on by the frame at `at`. */
export function groupCrc(bytes: Uint8Array, at: number, crc: number): number {
  return fewBytesCrc(bytes, at + 24, at + FRAME_HEADER_BYTES, crc)
}

/** Writes the header's fields but not its CRC, since the position is not known before the group is written. */
export function putFrameHeader(view: DataView, at: number, header: Omit<FrameHeader, 'position'>): void {
  view.setUint32(at, FRAME_MAGIC | (header.type << 16), true)
  view.setUint32(at + 4, header.payloadBytes, true)
  view.setUint32(at + 16, header.count, true)
  view.setUint32(at + 20, header.packedBytes, true)
  view.setUint32(at + 28, header.payloadCrc, true)
}

/** Gives the frame its position and its header CRC. */
export function placeFrame(bytes: Uint8Array, view: DataView, at: number, place: FramePlace): void {
  putU64(view, at + 8, place.position)
  view.setUint32(at + 24, headerCrc(bytes, at, place.seed), true)
}
export interface FramePlace {
  readonly position: number
  readonly seed: number
}

/** Reads the header at `at` into `out`; false when there is none, or when it is damaged. 32 bytes must be there. */
export function readFrameHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  seed: number,
  out: FrameHeader,
): boolean {
  const start = view.getUint32(at, true)
  if ((start & 0xffff) !== FRAME_MAGIC) return false
  if (view.getUint32(at + 24, true) !== headerCrc(bytes, at, seed)) return false
  out.type = (start >>> 16) & 0xff
  out.payloadBytes = view.getUint32(at + 4, true)
  out.position = getU64(view, at + 8)
  out.count = view.getUint32(at + 16, true)
  out.packedBytes = view.getUint32(at + 20, true)
  out.payloadCrc = view.getUint32(at + 28, true)
  return plausible(out)
}

function plausible(header: FrameHeader): boolean {
  if (header.type === COMMIT || header.type === SEAL) return header.payloadBytes === 0
  if (header.type === MESSAGES) return header.payloadBytes === header.count * MESSAGE_ID_BYTES
  return (
    header.type === STREAM &&
    header.count > 0 &&
    header.payloadBytes <= PAYLOAD_BYTES_MAX &&
    header.packedBytes + LABEL_BYTES <= header.payloadBytes
  )
}

/** Bytes from one frame to the next. */
export function frameBytes(header: FrameHeader): number {
  return FRAME_HEADER_BYTES + padded(header.payloadBytes)
}

/**
 * Where the next undamaged header of a frame at `position` or later stands between `from` and `to`, or -1.
 * `bytes` must begin at a multiple of 8 in the file.
 */
export function findFrame(
  bytes: Uint8Array,
  view: DataView,
  range: { from: number; to: number; seed: number; position: number },
  out: FrameHeader,
): number {
  let at = range.from
  for (;;) {
    at = bytes.indexOf(MAGIC_LOW_BYTE, at)
    if (at === -1 || at + FRAME_HEADER_BYTES > range.to) return -1
    if ((at & 7) === 0 && readFrameHeader(bytes, view, at, range.seed, out) && out.position >= range.position) return at
    at += 1
  }
}

/** The CRC of a STREAM's payload: label and events in one, as they lie. */
export function payloadCrc(bytes: Uint8Array, at: number, header: FrameHeader): number {
  const start = at + FRAME_HEADER_BYTES
  return crc32(bytes.subarray(start, start + header.payloadBytes))
}

export interface Label {
  readonly idBase: Uint8Array
  readonly idIndex: number
  readonly idKind: number
  readonly receivedMs: number
  readonly tag: Uint8Array
  readonly chunkId: Uint8Array
  readonly peer: Uint8Array
  /** Empty where there is none. */
  readonly mark: Uint8Array
}

/** What in a label has no fixed length. */
export type LabelTexts = Pick<Label, 'tag' | 'chunkId' | 'peer' | 'mark'>

export function labelBytes({ tag, chunkId, peer, mark }: LabelTexts): number {
  return LABEL_BYTES + tag.length + chunkId.length + peer.length + mark.length
}

/** Writes the label at `at`; the bytes between it and the next frame are set to 0. */
export function putLabel(bytes: Uint8Array, view: DataView, at: number, label: Label): void {
  const { tag, chunkId, peer, mark } = label
  bytes.set(label.idBase, at)
  view.setUint32(at + 12, label.idIndex, true)
  putU64(view, at + 16, label.receivedMs)
  view.setUint16(at + 24, tag.length, true)
  view.setUint16(at + 26, chunkId.length, true)
  view.setUint8(at + 28, peer.length)
  view.setUint8(at + 29, label.idKind)
  view.setUint16(at + 30, mark.length, true)
  const text = at + LABEL_BYTES
  bytes.set(tag, text)
  bytes.set(chunkId, text + tag.length)
  bytes.set(peer, text + tag.length + chunkId.length)
  bytes.set(mark, text + tag.length + chunkId.length + peer.length)
}

/** Undefined when its lengths do not fit the payload. The views share the memory of `bytes`. */
export function readLabel(bytes: Uint8Array, view: DataView, at: number, header: FrameHeader): Label | undefined {
  const label = at + FRAME_HEADER_BYTES + header.packedBytes
  const tagEnd = label + LABEL_BYTES + view.getUint16(label + 24, true)
  const chunkIdEnd = tagEnd + view.getUint16(label + 26, true)
  const peerEnd = chunkIdEnd + view.getUint8(label + 28)
  const end = peerEnd + view.getUint16(label + 30, true)
  if (end !== at + FRAME_HEADER_BYTES + header.payloadBytes) return undefined
  return {
    idBase: bytes.subarray(label, label + 12),
    idIndex: view.getUint32(label + 12, true),
    idKind: view.getUint8(label + 29),
    receivedMs: getU64(view, label + 16),
    tag: bytes.subarray(label + LABEL_BYTES, tagEnd),
    chunkId: bytes.subarray(tagEnd, chunkIdEnd),
    peer: bytes.subarray(chunkIdEnd, peerEnd),
    mark: bytes.subarray(peerEnd, end),
  }
}
