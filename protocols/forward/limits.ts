/**
 * Every bound of the forward input that is not configured. Input is hostile: what is not bounded here is bounded by
 * these.
 */
import { SCAN_LIMITS } from '../../server/core/msgpack.ts'

const KIB = 1024
const MIB = 1024 * KIB

export const LIMITS = {
  scan: SCAN_LIMITS,
  /** A tag, in bytes. */
  tagBytes: 1_024,
  /** The first message of a client that has to show a key, in bytes. */
  pingBytes: 8 * KIB,
  /** How long a client may take for it, in ms. */
  handshakeMs: 10_000,
  /** The value of the option `chunk`, in bytes. */
  chunkIdBytes: 1_024,
  /** One event, in bytes; it has to be whole in memory. */
  eventBytes: 16 * MIB,
  /** A message whose entries have more bytes than this goes through a file. */
  spoolBytes: 8 * MIB,
  /** One message in JSON, in bytes; it has to be whole in memory. */
  jsonBytes: 4 * MIB,
  /** Top-level values that are no message, of one connection: more, and it does not speak Forward. */
  oddValues: 16,
  /** Compressed bytes that are unpacked at once, on the main thread, in about 10 ms; more go through a stream. */
  inflateAtOnceBytes: 256 * KIB,
  /** Unpacked bytes of the same. */
  inflatedAtOnceBytes: 4 * MIB,
  /** Bytes of one input that were emitted and are not durable yet, or are held as parts of messages. */
  inFlightBytes: 32 * MIB,
  /** The same of one connection. */
  connectionInFlightBytes: 8 * MIB,
  /** Messages of one connection that were emitted and are not durable yet. */
  connectionInFlightMessages: 1_000,
  /**
   * Bytes that the unfinished messages of all connections may hold in memory; above half of it, messages go through
   * files.
   */
  heldBytes: 64 * MIB,
  /** Acknowledgements that a client has not read, in bytes: above, its connection is not read. */
  unreadAckBytes: 256 * KIB,
  /**
   * How long acknowledgements above that may stay unread, in ms; then the client is read on and given no more of them:
   * there are clients that ask for acks always and read none.
   */
  unreadAckMs: 1_000,
  /** How long a connection that was ended may take to close from its side, in ms. */
  lingerMs: 2_000,
  /** Bytes thrown away meanwhile. */
  lingerBytes: 16 * MIB,
} as const

/** A message is larger than `chunk_size_limit`, or one event larger than `eventBytes`. */
export class OversizeError extends Error {
  override readonly name = 'OversizeError'
  readonly limitBytes: number
  /** What is too large: only the limit of messages can be set. */
  readonly what: 'message' | 'event'
  constructor(limitBytes: number, what: 'message' | 'event') {
    super(`one ${what} of more than ${limitBytes} bytes`)
    this.limitBytes = limitBytes
    this.what = what
  }
}

/** A message unpacks to more than `decompression_size_limit`. */
export class BombError extends Error {
  override readonly name = 'BombError'
  readonly limitBytes: number
  constructor(limitBytes: number) {
    super(`a message that unpacks to more than ${limitBytes} bytes`)
    this.limitBytes = limitBytes
  }
}
