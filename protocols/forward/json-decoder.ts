/**
 * The JSON form of the protocol: values one after the other, with or without white space between, cut anywhere. Each
 * becomes the same message in msgpack. [fluentd in_forward: chosen by the first byte of the connection]
 */
import { MalformedError, NEED_MORE } from '../../server/core/msgpack.ts'
import { jsonToMsgpack } from '../encoding/json-to-msgpack.ts'
import type { Step } from './decoder.ts'
import { LIMITS, OversizeError } from './limits.ts'
import { type ForwardMessage, readMessage } from './message.ts'

/** Whether a connection that begins with this byte speaks JSON: `{` or `[`, which begin no message in msgpack. */
export function isJsonStart(byte: number): boolean {
  return byte === 0x7b || byte === 0x5b
}

const EMPTY = new Uint8Array(0)
const QUOTE = 0x22
const BACKSLASH = 0x5c

export class JsonDecoder {
  #input: Uint8Array = EMPTY
  #at = 0
  /** The part of a value that came in reads before this one. */
  #held: Uint8Array = EMPTY
  #heldLength = 0
  #depth = 0
  #inString = false
  #escaped = false

  push(input: Uint8Array): void {
    this.#input = input
    this.#at = 0
  }

  /** Copies what is left of the last read, whose memory is the reader's again. */
  keep(): void {
    this.#input = new Uint8Array(this.#input.subarray(this.#at))
    this.#at = 0
  }

  get heldBytes(): number {
    return this.#held.length
  }

  get midMessage(): boolean {
    return this.#heldLength > 0
  }

  /** @throws MalformedError, OversizeError. */
  next(out: ForwardMessage): Step {
    if (this.#heldLength === 0) this.#skipSpace()
    const start = this.#at
    const end = this.#findEnd()
    if (this.#heldLength + (end === NEED_MORE ? this.#input.length : end) - start > LIMITS.jsonBytes) {
      throw new OversizeError(LIMITS.jsonBytes, 'event')
    }
    if (end === NEED_MORE) {
      this.#hold(start, this.#input.length)
      this.#input = EMPTY
      this.#at = 0
      return 'more'
    }
    this.#at = end
    const packed = jsonToMsgpack(this.#valueText(start, end), LIMITS.scan.depth + 4)
    if (readMessage(packed, 0, packed.length, out) === NEED_MORE) throw new MalformedError('not a message')
    out.json = true
    return 'message'
  }

  #skipSpace(): void {
    while (this.#at < this.#input.length && isSpace(this.#input[this.#at]!)) this.#at += 1
  }

  /** Looks for the end of the value from `#at` on, going on where the last read ended. */
  #findEnd(): number {
    const input = this.#input
    for (let at = this.#at; at < input.length; at += 1) {
      const byte = input[at]!
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === BACKSLASH) this.#escaped = true
        else if (byte === QUOTE) {
          this.#inString = false
          if (this.#depth === 0) return at + 1
        }
        continue
      }
      const opens = byte === 0x5b || byte === 0x7b
      if (this.#depth === 0 && this.#heldLength + at - this.#at > 0) {
        // A number or a word at the top ends where something else begins.
        if (isSpace(byte) || opens || byte === QUOTE) return at
      }
      if (byte === QUOTE) this.#inString = true
      else if (opens) this.#depth += 1
      else if (byte === 0x5d || byte === 0x7d) {
        this.#depth -= 1
        if (this.#depth <= 0) {
          this.#depth = 0
          return at + 1
        }
      }
    }
    return NEED_MORE
  }

  #hold(start: number, end: number): void {
    const length = this.#heldLength + end - start
    if (length > this.#held.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, this.#held.length * 2))
      grown.set(this.#held.subarray(0, this.#heldLength))
      this.#held = grown
    }
    this.#held.set(this.#input.subarray(start, end), this.#heldLength)
    this.#heldLength = length
  }

  #valueText(start: number, end: number): Uint8Array {
    if (this.#heldLength === 0) return this.#input.subarray(start, end)
    this.#hold(start, end)
    const text = this.#held.subarray(0, this.#heldLength)
    this.#held = EMPTY
    this.#heldLength = 0
    return text
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 9 && byte <= 13)
}
