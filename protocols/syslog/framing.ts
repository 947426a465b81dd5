/**
 * The messages of a TCP connection, however its bytes are cut. Each message tells by itself how it is framed. No
 * socket, no meaning.
 *
 *   octets counted   MSG-LEN SP SYSLOG-MSG           MSG-LEN of up to 9 digits, then `<`          [RFC 6587 3.4.1]
 *   line             SYSLOG-MSG LF                   or a zero byte instead of LF                 [RFC 6587 3.4.2]
 *
 * A message that is longer than the limit is cut there: what is over is skipped.
 */
import { HeldBytes } from '../listening/held-bytes.ts'

const LF = 0x0a
const SPACE = 0x20
const LESS = 0x3c
/** Digits of a length, at most. */
const LENGTH_DIGITS = 9
/** The length may still be one: wait for more. */
const UNDECIDED = -1
const NO_LENGTH = 0
const EMPTY = Buffer.alloc(0)

export class SyslogFraming {
  readonly #limit: number
  #input: Buffer = EMPTY
  #at = 0
  /** The beginning of a message that goes on in the next read. */
  readonly #held: HeldBytes
  /** Bytes to come of a message whose octets are counted; -1: a line, or not known yet. */
  #left = -1
  /** The message is known to be a line. */
  #isLine = false
  /** More than the limit came of this message. */
  #isCut = false

  /** The message that `next` found is `bytes[start, end)`, until the next call; line ends still stand behind it. */
  bytes: Buffer = EMPTY
  start = 0
  end = 0
  /** It was longer than the limit, and is cut. */
  cut = false

  /** `limit`: bytes of a message. */
  constructor(limit: number) {
    this.#limit = limit
    this.#held = new HeldBytes(limit)
  }

  /** What was read. Only after `next` has given false; it is not kept over that. */
  push(read: Buffer): void {
    this.#input = read
    this.#at = 0
  }

  get heldBytes(): number {
    return this.#held.memory.length
  }

  /** Whether the bytes so far end within a message. */
  get midMessage(): boolean {
    return this.#held.length > 0 || this.#left > 0
  }

  /** Finds the next message. @returns false when there is none that is whole: feed the next read. */
  next(): boolean {
    for (;;) {
      if (this.#at === this.#input.length) return this.#pause()
      if (this.#left < 0 && !this.#isLine && !this.#decide()) continue
      const found = this.#left >= 0 ? this.#counted() : this.#line()
      // Empty lines, as between messages with both framings at once, are none.
      if (found && this.end > this.start) return true
    }
  }

  /** At the end of the connection: what is there of the last message is one. @returns false when there is nothing. */
  rest(): boolean {
    if (this.#held.length === 0) return false
    this.#give(this.#held.memory, 0, this.#held.length)
    this.#release()
    return this.end > this.start
  }

  #pause(): false {
    this.#input = EMPTY
    this.#at = 0
    return false
  }

  /** Tells the framing of the message that begins here. @returns false when it needs more: all input is held then. */
  #decide(): boolean {
    // A length that is cut is put together in `held`, whose few bytes are looked at again.
    const isHeld = this.#held.length > 0
    const room = LENGTH_DIGITS + 2 - this.#held.length
    const head = isHeld
      ? Buffer.concat([
          this.#held.memory.subarray(0, this.#held.length),
          this.#input.subarray(this.#at, this.#at + room),
        ])
      : this.#input
    const start = isHeld ? 0 : this.#at
    const length = readLength(head, start)
    if (length === UNDECIDED) {
      this.#hold(this.#input.length)
      return false
    }
    if (length === NO_LENGTH) this.#isLine = true
    else {
      this.#left = length
      this.#at += head.indexOf(SPACE, start) + 1 - start - this.#held.length
      this.#held.release()
    }
    return true
  }

  #counted(): boolean {
    const stop = Math.min(this.#at + this.#left, this.#input.length)
    this.#left -= stop - this.#at
    if (this.#left > 0) return this.#hold(stop)
    return this.#finish(stop, stop)
  }

  #line(): boolean {
    const input = this.#input
    let at = this.#at
    while (at < input.length && input[at] !== LF && input[at] !== 0) at += 1
    if (at === input.length) return this.#hold(at)
    return this.#finish(at, at + 1)
  }

  #finish(stop: number, next: number): boolean {
    if (this.#held.length > 0) {
      this.#hold(stop)
      this.#give(this.#held.memory, 0, this.#held.length)
    } else {
      if (stop - this.#at > this.#limit) this.#isCut = true
      this.#give(this.#input, this.#at, Math.min(stop, this.#at + this.#limit))
    }
    this.#at = next
    this.#release()
    return true
  }

  #give(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.cut = this.#isCut
  }

  #release(): void {
    this.#held.release()
    this.#left = -1
    this.#isLine = false
    this.#isCut = false
  }

  #hold(stop: number): false {
    if (!this.#held.add(this.#input, this.#at, stop)) this.#isCut = true
    this.#at = stop
    return false
  }
}

/** The length before a message, UNDECIDED when the bytes end too soon, NO_LENGTH when it is a line. */
function readLength(bytes: Uint8Array, start: number): number {
  let value = 0
  let at = start
  for (; at < bytes.length && at - start <= LENGTH_DIGITS; at += 1) {
    const byte = bytes[at]!
    if (byte === SPACE && at > start) return at + 1 === bytes.length ? UNDECIDED : lengthBefore(bytes[at + 1]!, value)
    if (byte < 0x30 || byte > 0x39 || (byte === 0x30 && at === start)) return NO_LENGTH
    value = value * 10 + byte - 0x30
  }
  return at === bytes.length && at - start <= LENGTH_DIGITS ? UNDECIDED : NO_LENGTH
}

function lengthBefore(next: number, value: number): number {
  return next === LESS ? value : NO_LENGTH
}
