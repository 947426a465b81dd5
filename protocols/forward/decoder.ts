/**
 * Bytes of one connection in, messages out, however the bytes are cut. No socket, no clock; what a message means to the
 * rest is its neighbours' matter.
 *
 * A message that lies whole in what was just read is read where it lies. One that goes on in the next read is gathered
 * in `held`, whose scan goes on where it stopped, so that each byte is looked at once. One that is too large to be
 * held is handed out as a head, a body in pieces, and a tail.
 */
import { NEED_MORE, ValueScan } from '../../server/core/msgpack.ts'
import type { BufferPool } from '../encoding/buffer-pool.ts'
import { LIMITS, OversizeError } from './limits.ts'
import { type ForwardMessage, type MessageHead, readHead, readMessage, readTail } from './message.ts'

/** `message`: it is in `out`. `large`: only its head is; take the body. `more`: feed the next read. */
export type Step = 'message' | 'large' | 'more'

export interface DecoderOptions {
  /** Bytes of a message, at most. */
  readonly messageBytes: number
  /** Whether a message of so many bytes may be held in memory; the others are handed out in pieces. */
  readonly mayHold: (bytes: number) => boolean
  readonly pool: BufferPool
}

const EMPTY = Buffer.alloc(0)
/** The first step by which `held` is fed, in bytes; doubles up to the second. */
const FEED_MIN = 256
const FEED_MAX = 65_536

export class ForwardDecoder {
  readonly #options: DecoderOptions
  #input: Buffer = EMPTY
  #at = 0
  #isShared = false
  #held: Buffer = EMPTY
  #heldLength = 0
  readonly #scan = new ValueScan()
  /** Of the large message that is being taken: body bytes to come (packed) or Infinity (forward, told by entries). */
  #bodyLeft = 0
  #inBody = false
  #tailItems = 0
  #largeBytes = 0
  readonly head: MessageHead = { items: 0, declared: 0 }

  constructor(options: DecoderOptions) {
    this.#options = options
  }

  /**
   * Feeds what was read. Only after `more`; the bytes are not copied as long as whole messages lie in them: see `keep`.
   */
  push(input: Buffer): void {
    this.#input = input
    this.#at = 0
    this.#isShared = true
  }

  /** Copies what is left of the last read, whose memory is the reader's again. */
  keep(): void {
    if (!this.#isShared) return
    this.#input = Buffer.from(this.#input.subarray(this.#at))
    this.#at = 0
    this.#isShared = false
  }

  /** Bytes held for a message that is not whole. */
  get heldBytes(): number {
    return this.#held.length
  }

  /** Whether the bytes so far end within a message. */
  get midMessage(): boolean {
    return this.#heldLength > 0 || this.#inBody || this.#tailItems > 0
  }

  /** @throws MalformedError, OversizeError. */
  next(out: ForwardMessage): Step {
    if (this.#heldLength > 0) return this.#join(out)
    if (this.#at === this.#input.length) {
      this.#input = EMPTY
      this.#at = 0
      return 'more'
    }
    const next = readMessage(this.#input, this.#at, this.#input.length, out)
    if (next === NEED_MORE) {
      this.#scan.start(0)
      return this.#join(out)
    }
    if (next - this.#at > this.#options.messageBytes) throw new OversizeError(this.#options.messageBytes, 'message')
    this.#at = next
    return 'message'
  }

  /** Feeds `held` just as much as its message needs, and reads the message once it is whole. */
  #join(out: ForwardMessage): Step {
    for (;;) {
      const available = this.#input.length - this.#at
      if (available === 0) return 'more'
      const step = Math.min(Math.max(this.#heldLength, FEED_MIN), FEED_MAX)
      this.#hold(Math.min(available, Math.max(this.#scan.need - this.#heldLength, step)))
      const end = this.#scan.advance(this.#held, this.#heldLength)
      if (end !== NEED_MORE) return this.#release(end, out)
      if (this.#scan.need > this.#options.messageBytes) throw new OversizeError(this.#options.messageBytes, 'message')
      if (this.#mustStream(out)) return 'large'
    }
  }

  #hold(count: number): void {
    const length = this.#heldLength + count
    if (length > this.#held.length) {
      const wanted = Math.min(this.#scan.need, LIMITS.eventBytes) + FEED_MIN
      const grown = this.#options.pool.take(Math.max(length, wanted, this.#heldLength * 2))
      grown.set(this.#held.subarray(0, this.#heldLength))
      this.#options.pool.give(this.#held)
      this.#held = grown
    }
    this.#held.set(this.#input.subarray(this.#at, this.#at + count), this.#heldLength)
    this.#heldLength = length
    this.#at += count
  }

  #release(end: number, out: ForwardMessage): Step {
    this.#at -= this.#heldLength - end
    if (end > this.#options.messageBytes) throw new OversizeError(this.#options.messageBytes, 'message')
    readMessage(this.#held, 0, end, out)
    this.#heldLength = 0
    // Entries are lent out as slices of `held`; those of Message mode are copied, so that it can be used again.
    const isLent = out.mode === 'packed' || out.mode === 'forward'
    out.lent = isLent ? this.#held : undefined
    if (isLent || this.#held.length > FEED_MAX) this.#held = EMPTY
    return 'message'
  }

  /** Turns to the large way when the message may not be held. `out` then holds a copy of its head. */
  #mustStream(out: ForwardMessage): boolean {
    if (this.#scan.need <= FEED_MAX || this.#options.mayHold(this.#scan.need)) return false
    const known = readHead(this.#held, this.#heldLength, out, this.head)
    if (!known) {
      if (this.#scan.need > LIMITS.eventBytes) throw new OversizeError(LIMITS.eventBytes, 'event')
      return false
    }
    out.bytes = Buffer.from(this.#held.subarray(0, out.bodyStart))
    this.#bodyLeft = out.mode === 'packed' ? this.head.declared : Number.POSITIVE_INFINITY
    this.#inBody = true
    this.#tailItems = this.head.items - 2
    this.#largeBytes = out.bodyStart
    // What was held of the body is put before the rest of the input: at most one growth of `held`.
    const rest = this.#input.subarray(this.#at)
    const body = this.#held.subarray(out.bodyStart, this.#heldLength)
    this.#input = rest.length === 0 ? body : Buffer.concat([body, rest])
    this.#at = 0
    this.#held = EMPTY
    this.#heldLength = 0
    return true
  }

  /** The next piece of a large message's body; undefined: feed the next read, or the body is over (`bodyIsOver`). */
  takeBody(): Buffer | undefined {
    const count = Math.min(this.#input.length - this.#at, this.#bodyLeft, FEED_MAX)
    if (count === 0) return undefined
    const piece = this.#input.subarray(this.#at, this.#at + count)
    this.#at += count
    this.#bodyLeft -= count
    this.#largeBytes += count
    if (this.#largeBytes > this.#options.messageBytes) throw new OversizeError(this.#options.messageBytes, 'message')
    return piece
  }

  get bodyIsOver(): boolean {
    return this.#bodyLeft === 0
  }

  /** Forward mode: the entries are all there, and the last `unused` bytes that were taken are not of them. */
  endBody(unused: number): void {
    this.#at -= unused
    this.#bodyLeft = 0
  }

  /**
   * After the body: reads the option into `out`, whose bytes are then no longer those of the head, and the large
   * message is over. @returns `message`, or `more`.
   */
  takeTail(out: ForwardMessage): Step {
    if (this.#inBody) {
      this.#inBody = false
      this.#scan.start(0)
    }
    while (this.#tailItems > 0) {
      const available = this.#input.length - this.#at
      if (available === 0) return 'more'
      this.#hold(Math.min(available, Math.max(this.#scan.need - this.#heldLength, FEED_MIN)))
      const end = this.#scan.advance(this.#held, this.#heldLength)
      if (this.#scan.need > FEED_MAX) throw new OversizeError(FEED_MAX, 'event')
      if (end === NEED_MORE) continue
      this.#at -= this.#heldLength - end
      // Only the first element after the body is the option; what it says is lent out.
      if (this.#tailItems === this.head.items - 2) {
        out.bytes = this.#held
        readTail(0, end, 1, out)
        this.#held = EMPTY
      }
      this.#heldLength = 0
      this.#tailItems -= 1
      this.#scan.start(0)
    }
    return 'message'
  }
}
