/** Every bound of the GELF input that is not configured, and the fault of a message that breaks one. */
import type { ErrorDetails, KnockCode } from '../../server/core/errors.ts'
import { SCAN_LIMITS } from '../../server/core/msgpack.ts'

const KIB = 1024
const MIB = 1024 * KIB

export const LIMITS = {
  scan: SCAN_LIMITS,
  /** Chunks of one message. [GELF, "Chunking"] */
  chunks: 128,
  /** Messages of which chunks are missing, of all senders. */
  pendingMessages: 4_096,
  /** The same of one address. */
  pendingMessagesPerSource: 1_024,
  /** Of the bytes that chunks may hold, what one address may: 1 in so many. */
  sourceShare: 4,
  /** What a chunk takes beside its bytes. */
  chunkOverheadBytes: 256,
  /** Messages that were whole and whose late doubles are still known. */
  finishedMessages: 16_384,
  /** A message may unpack to this many bytes however well it is compressed ... */
  freelyInflatedBytes: MIB,
  /** ... and beyond that to so many times its size. */
  inflateRatio: 250,
  peers: {
    /** Of the shared key. */
    keyLength: 16,
    /** How often each instance says that it is there, in ms. */
    beatMs: 1_000,
    /** Who was silent for so long is away, in ms: three beats may be lost. */
    awayMs: 3_500,
    /** How far the clocks of two instances may differ, and how old an envelope may be, in ms. */
    freshMs: 30_000,
    /** Envelopes that may overtake one another. */
    replayWindow: 4_096,
    /** Of a chunk that is handed on: a datagram of IPv4 (65,507), less what is around it. */
    chunkBytes: 65_425,
    /** What waits for the network, in bytes; beyond it chunks are lost and counted. */
    unsentBytes: 8 * MIB,
    /** How often the names of members are looked up, in ms. */
    lookUpMs: 5_000,
  },
  /** Bodies of HTTP requests that are not answered yet, in bytes. */
  bodiesBytes: 64 * MIB,
  /** When a client that was answered 503 may come again, in s. */
  retryAfterS: 1,
  /** How long the headers of a request may take, its body, and the pause before the next one, in ms. */
  headersMs: 10_000,
  requestMs: 60_000,
  idleMs: 120_000,
  /** How long requests that came before the end may take to be answered, in ms. */
  closingMs: 2_000,
} as const

/** A message, or a part of one, that is not taken; what came before and comes after it is. */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: KnockCode
  readonly details: ErrorDetails
  constructor(code: KnockCode, details: ErrorDetails) {
    super(code)
    this.code = code
    this.details = details
  }
}

export const malformed = (reason: string): Fault => new Fault('LB-G003', { reason })
