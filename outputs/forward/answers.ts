/**
 * What a server sends, from bytes to values: acks, HELO and PONG. Pure; fed read by read.
 *
 *   ack   {"ack": chunk}                                           [Forward spec v1, "Response"]
 *   HELO  ["HELO", {nonce, auth?, keepalive?}]                     nonce and auth as str or bin
 *   PONG  ["PONG", bool, reason, hostname, key digest]             [Forward spec v1, "Handshake Messages"]
 */
import {
  MalformedError,
  NEED_MORE,
  readContainerHeader,
  readStringHeader,
  type Span,
  skipAny,
} from '../../server/core/msgpack.ts'

/** No answer is larger, bytes. */
const ANSWER_BYTES_MAX = 8 * 1024
const PONG_ITEMS = 5
const TRUE = 0xc3

export type Answer =
  | { readonly kind: 'ack'; readonly chunk: string }
  | { readonly kind: 'helo'; readonly nonce: Buffer; readonly auth: Buffer }
  | Pong

export interface Pong {
  readonly kind: 'pong'
  readonly isWelcome: boolean
  readonly reason: string
  readonly hostname: string
  readonly digest: string
}

const EMPTY = Buffer.alloc(0)

export class AnswerReader {
  #held: Buffer = EMPTY

  /** @throws MalformedError for what no server of the protocol sends. */
  push(read: Buffer): Answer[] {
    this.#held = this.#held.length === 0 ? read : Buffer.concat([this.#held, read])
    const answers: Answer[] = []
    let start = 0
    while (start < this.#held.length) {
      const end = skipAny(this.#held, start, this.#held.length)
      if (end === NEED_MORE) break
      answers.push(readAnswer(this.#held, start, end))
      start = end
    }
    this.#held = Buffer.from(this.#held.subarray(start))
    if (this.#held.length > ANSWER_BYTES_MAX) throw new MalformedError('an answer that is too long')
    return answers
  }
}

function readAnswer(bytes: Buffer, start: number, end: number): Answer {
  const answer = readAck(bytes, start, end) ?? readGreeting(bytes, start, end)
  if (answer === undefined) throw new MalformedError('an answer that is neither ack, HELO nor PONG')
  return answer
}

const span: Span = { start: 0, end: 0 }

function readAck(bytes: Buffer, start: number, end: number): Answer | undefined {
  if (!readContainerHeader(bytes, start, end, 'map', span)) return undefined
  const chunk = readPairs(bytes, span.start, span.end, end).get('ack')
  return chunk === undefined ? undefined : { kind: 'ack', chunk: chunk.toString() }
}

function readGreeting(bytes: Buffer, start: number, end: number): Answer | undefined {
  if (!readContainerHeader(bytes, start, end, 'array', span)) return undefined
  const items = span.end
  const word = readText(bytes, span.start, end)
  if (word?.text.equals(HELO) === true && items === 2) return readHelo(bytes, word.end, end)
  if (word?.text.equals(PONG) === true && items === PONG_ITEMS) return readPong(bytes, word.end, end)
  return undefined
}

const HELO = Buffer.from('HELO')
const PONG = Buffer.from('PONG')

function readHelo(bytes: Buffer, at: number, end: number): Answer | undefined {
  if (!readContainerHeader(bytes, at, end, 'map', span)) return undefined
  const pairs = readPairs(bytes, span.start, span.end, end)
  const nonce = pairs.get('nonce')
  return nonce === undefined ? undefined : { kind: 'helo', nonce, auth: pairs.get('auth') ?? EMPTY }
}

function readPong(bytes: Buffer, at: number, end: number): Answer | undefined {
  const reason = readText(bytes, at + 1, end)
  const hostname = reason && readText(bytes, reason.end, end)
  const digest = hostname && readText(bytes, hostname.end, end)
  if (digest === undefined) return undefined
  const texts = { reason: reason!.text.toString(), hostname: hostname!.text.toString(), digest: digest.text.toString() }
  return { kind: 'pong', isWelcome: bytes[at] === TRUE, ...texts }
}

/** The pairs of a map whose key and value are text; the others are passed over. */
function readPairs(bytes: Buffer, start: number, count: number, end: number): Map<string, Buffer> {
  const pairs = new Map<string, Buffer>()
  let at = start
  for (let left = count; left > 0; left -= 1) {
    const value = skipAny(bytes, at, end)
    const key = readText(bytes, at, end)
    const text = readText(bytes, value, end)
    if (key !== undefined && text !== undefined) pairs.set(key.text.toString(), text.text)
    at = skipAny(bytes, value, end)
  }
  return pairs
}

/** A copy: the memory that was read is used again. */
function readText(bytes: Buffer, at: number, end: number): { text: Buffer; end: number } | undefined {
  if (at >= end || !readStringHeader(bytes, at, end, span) || span.end > end) return undefined
  return { text: Buffer.from(bytes.subarray(span.start, span.end)), end: span.end }
}
