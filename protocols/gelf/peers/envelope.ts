/**
 * What one instance sends another, as bytes: a chunk, or that it is there, or that it leaves. No socket.
 *
 *   +-- 1 --+- 1 --+-- 4 --+--- 4 ---+--- 4 ----+-- 6 --+-- 1 ---+--- … ----+--- … ---+-- 16 --+
 *   |  4c   | kind | from  | session | sequence | sent  | length |  sender  |  chunk  |  MAC   |   big-endian
 *   +-------+------+-------+---------+----------+-------+--------+----------+---------+--------+
 *
 *   kind       1 a chunk, 2 here and hearing the receiver, 3 calling: here, and the receiver was not heard, 4 leaving;
 *              all but the first have neither sender nor chunk
 *   from       first bytes of the SHA-256 of the member's name
 *   session    a random number of each start of that member; sequence counts from 0 in it, for each receiver
 *   sent       ms since 1970
 *   sender     the address that the chunk came from, as text
 *   MAC        first half of HMAC-SHA-256 of all before it [RFC 2104, 5], under a key of this pair and direction: what
 *              is meant for one member is nothing to another
 *
 * It is 52 bytes at most around a chunk of an IPv4 sender, so that one of Docker (1,420 bytes) goes through Ethernet
 * in one piece.
 */
import { createHash, createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'

const MAGIC = 0x4c
const SESSION = 6
const SEQUENCE = 10
const SENT = 14
const LENGTH = 20
const SENDER = 21
const MAC_BYTES = 16
const SENT_BYTES = 6
/** Of an address as text: IPv4 within IPv6. */
const SENDER_BYTES_MAX = 45
export const KINDS = { chunk: 1, here: 2, calling: 3, leaving: 4 } as const
export type Kind = (typeof KINDS)[keyof typeof KINDS]

export interface Envelope {
  readonly kind: Kind
  /** See `nameDigest`. */
  readonly from: number
  readonly session: number
  readonly sequence: number
  readonly sentMs: number
  /** Empty where there is no chunk. */
  readonly sender: string
  readonly chunk: Uint8Array
}

/** By which an envelope names its sender: 32 bits. */
export function nameDigest(name: string): number {
  return createHash('sha256').update(name).digest().readUInt32BE(0)
}

/** The key of what `from` sends to `to`. */
export function pairKey(sharedKey: string, from: string, to: string): KeyObject {
  const hmac = createHmac('sha256', sharedKey).update(`logboom gelf peers 1\0${from}\0${to}`)
  return createSecretKey(hmac.digest())
}

export function sealEnvelope(envelope: Envelope, key: KeyObject): Buffer {
  const { kind, from, session, sequence, sentMs, sender, chunk } = envelope
  const chunkAt = SENDER + sender.length
  const macAt = chunkAt + chunk.length
  const bytes = Buffer.allocUnsafe(macAt + MAC_BYTES)
  bytes[0] = MAGIC
  bytes[1] = kind
  bytes.writeUInt32BE(from, 2)
  bytes.writeUInt32BE(session, SESSION)
  bytes.writeUInt32BE(sequence, SEQUENCE)
  bytes.writeUIntBE(sentMs, SENT, SENT_BYTES)
  bytes[LENGTH] = sender.length
  bytes.write(sender, SENDER, 'latin1')
  bytes.set(chunk, chunkAt)
  bytes.set(macOf(bytes, key), macAt)
  return bytes
}

/** Of bytes that were sealed. */
export const isSealedChunk = (bytes: Uint8Array): boolean => bytes[1] === KINDS.chunk

/** @returns what it says, unproven, the chunk as a view; undefined when it is no envelope. */
export function readEnvelope(bytes: Buffer): Envelope | undefined {
  if (bytes.length < SENDER + MAC_BYTES || bytes[0] !== MAGIC) return undefined
  const kind = bytes[1] as Kind
  const length = bytes[LENGTH]!
  const [chunkAt, macAt] = [SENDER + length, bytes.length - MAC_BYTES]
  if (kind < KINDS.chunk || kind > KINDS.leaving || length > SENDER_BYTES_MAX || chunkAt > macAt) return undefined
  if (kind === KINDS.chunk ? length === 0 || chunkAt === macAt : chunkAt !== macAt || length > 0) return undefined
  return {
    kind,
    from: bytes.readUInt32BE(2),
    session: bytes.readUInt32BE(SESSION),
    sequence: bytes.readUInt32BE(SEQUENCE),
    sentMs: bytes.readUIntBE(SENT, SENT_BYTES),
    sender: bytes.toString('latin1', SENDER, chunkAt),
    chunk: bytes.subarray(chunkAt, macAt),
  }
}

/** Whether an envelope that could be read was made with this key. */
export function isAuthentic(bytes: Buffer, key: KeyObject): boolean {
  return timingSafeEqual(bytes.subarray(bytes.length - MAC_BYTES), macOf(bytes, key))
}

/** The last bytes of `bytes` are left out: they are the MAC's own place. */
function macOf(bytes: Buffer, key: KeyObject): Buffer {
  const hmac = createHmac('sha256', key).update(bytes.subarray(0, bytes.length - MAC_BYTES))
  return hmac.digest().subarray(0, MAC_BYTES)
}
