/** Every bound of the HTTP input that is not configured, and what is thrown when one is passed. */
import type { ErrorDetails, KnockCode } from '../../server/core/errors.ts'

const KIB = 1024
const MIB = 1024 * KIB

export const LIMITS = {
  /** A tag, in bytes. */
  tagBytes: 1_024,
  /** The header X-Logboom-Chunk, in characters. */
  chunkIdCharacters: 256,
  /** One record, in bytes; it has to be whole in memory. */
  recordBytes: 8 * MIB,
  /** A form is decoded whole, so it may have fewer bytes than other bodies. */
  formBytes: 8 * MIB,
  /** Entries of one request in memory; beyond that they go through a file, in pieces of this size. */
  pieceBytes: MIB,
  /** Bytes that all requests hold at a time; beyond that they are answered 429. */
  inFlightBytes: 64 * MIB,
  /** What a request is taken to hold at least. */
  requestBytes: 32 * KIB,
  /** When a request has waited so long for the disk, new ones are answered 429. In ms. */
  stalledMs: 2_000,
  /** What a client is asked to wait after 429 and 503, in s. */
  retryAfterS: 1,
  /** Headers of a request, in ms from its first byte. */
  headersMs: 10_000,
  /** A whole request, in ms. */
  requestMs: 300_000,
  /** A connection without a request, in ms. */
  idleMs: 75_000,
  /** How long requests that are under way may take when the input closes, in ms. */
  closingMs: 2_000,
} as const

/** The request is refused: nothing of it is stored. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  /** The HTTP status. */
  readonly status: number
  readonly code: KnockCode
  readonly details: ErrorDetails
  constructor(status: number, code: KnockCode, details: ErrorDetails = {}) {
    super(`${status} ${code}`)
    this.status = status
    this.code = code
    this.details = details
  }
}

/** The body is not what its content type says. `offset`: of the fault, from the start in bytes; `line`: from 1. */
export class BodyFault extends Error {
  override readonly name = 'BodyFault'
  readonly offset: number
  readonly line: number | undefined
  constructor(reason: string, offset: number, line?: number) {
    super(reason)
    this.offset = offset
    this.line = line
  }
}

export function tooLarge(limit: number, setting: string): Refusal {
  return new Refusal(413, 'LB-H002', { limit, setting })
}
