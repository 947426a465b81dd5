/**
 * What becomes of each message of a connection: unpacked, its entries checked, emitted, and acknowledged in its turn.
 * Refusals that cost the connection are thrown; those that cost an event or a message are counted here.
 */
import type { EventId, EventStream, Spool, SpooledEntries } from '../../server/core/event.ts'
import { readEventId } from '../../server/core/event-id.ts'
import type { RejectReason } from '../../server/core/metrics.ts'
import { MalformedError } from '../../server/core/msgpack.ts'
import { checkEntries, createEntriesCheck, keepGoodEntries } from '../../server/core/packed-entries.ts'
import type { BufferPool } from '../encoding/buffer-pool.ts'
import { Inflater, inflateAtOnce, sniffCompression } from './decompress.ts'
import { EntryStore } from './entry-store.ts'
import { Gather } from './gather.ts'
import type { InFlight } from './in-flight.ts'
import type { LargeMessage } from './large-message.ts'
import { LIMITS } from './limits.ts'
import type { ForwardMessage } from './message.ts'

export interface IntakeOptions {
  readonly inFlight: InFlight
  readonly pool: BufferPool
  readonly openSpool: () => Promise<Spool>
  readonly decompressionBytes: number
  readonly peer: string
  /** Whether `event_id` is believed: who gives an id that another event has can keep that one out of a store. */
  readonly takesEventIds: boolean
  /** Counts what is left out and tells the operator; the connection stays. */
  readonly leftOut: (reason: RejectReason, count: number, why: string) => void
}

/** What of a message outlives it in the decoder's memory. */
interface Envelope {
  readonly tag: Uint8Array
  readonly chunkId: Uint8Array | undefined
  readonly firstId: EventId | undefined
  readonly ack: Uint8Array | undefined
  readonly lent: Buffer | undefined
}

type Release = (stored: boolean) => void

export class Intake {
  readonly #options: IntakeOptions
  readonly #gather: Gather
  readonly #check = createEntriesCheck()
  #oddValues = 0

  constructor(options: IntakeOptions) {
    this.#options = options
    const { inFlight, peer, pool } = options
    this.#gather = new Gather(pool, (tag, packed, length, count) => {
      const stream = { tag, packed: packed.subarray(0, length), count, peer }
      inFlight.emit(stream, {
        bytes: packed.length,
        ack: undefined,
        release: (stored) => this.#giveBack(stored, packed),
      })
    })
  }

  /**
   * Takes a message. `room`: bytes of the read that follow it. @returns a promise when later messages have to wait for
   * it.
   * @throws MalformedError or BombError, or rejects with them: close without an ack.
   */
  take(message: ForwardMessage, room: number): Promise<void> | undefined {
    if (message.mode === 'heartbeat') return undefined
    if (message.mode === 'other') return this.#takeOther()
    if (!this.#isForStorage(message, message.tagEnd >= 0)) return undefined
    if (message.mode === 'packed') return this.#takePacked(message)
    const { count, bad } = message.entries
    if (bad > 0) this.#leftOutEntries(bad)
    if (count === 0) this.#acknowledge(message)
    else if (message.mode === 'forward') this.#takeForward(message)
    else if (message.chunkEnd === 0) this.#gather.add(message, room)
    else this.#takeEvent(message)
    return undefined
  }

  /** Emits the single events that were gathered; at the end of each read. */
  flush(): void {
    this.#gather.flush()
  }

  /** Takes a large message that is done; it is discarded when it has settled. */
  takeLarge(large: LargeMessage, message: ForwardMessage): void {
    this.flush()
    if (large.bad > 0) this.#leftOutEntries(large.bad)
    const usable = this.#isForStorage(message, large.tag.length > 0)
    const release = () => void large.discard().catch(() => {})
    if (usable && large.count > 0) {
      const stream = { ...this.#envelopeOf(message), tag: large.tag }
      this.#emit(stream, large.entries, large.count, release)
      return
    }
    if (usable) this.#acknowledge(message)
    release()
  }

  #takeOther(): undefined {
    this.#options.leftOut('unsupported', 1, 'a value that is no message')
    this.#oddValues += 1
    if (this.#oddValues > LIMITS.oddValues) throw new MalformedError('too many values that are no messages')
  }

  /** A message without a usable tag, or of another signal than logs, is acknowledged, so that its sender goes on. */
  #isForStorage(message: ForwardMessage, hasTag: boolean): boolean {
    if (hasTag && message.signal === 0) return true
    if (hasTag) this.#options.leftOut('unsupported', 1, 'a message of metrics or traces')
    else this.#options.leftOut('bad_tag', 1, `a message without a tag of 1 to ${LIMITS.tagBytes} bytes`)
    this.#acknowledge(message)
    return false
  }

  #leftOutEntries(count: number): void {
    this.#options.leftOut('bad_event', count, 'entries without a time or a record')
  }

  #acknowledge(message: ForwardMessage): void {
    this.flush()
    const ack = ackOf(message)
    if (ack !== undefined) this.#options.inFlight.acknowledge(ack)
  }

  /** A single event that asks for an ack: a stream of its own. */
  #takeEvent(message: ForwardMessage): void {
    this.flush()
    const { bytes, bodyStart, bodyEnd } = message
    const packed = Buffer.allocUnsafe(1 + bodyEnd - bodyStart)
    packed[0] = 0x92
    bytes.copy(packed, 1, bodyStart, bodyEnd)
    this.#emit(this.#envelopeOf(message), packed, 1)
  }

  #takeForward(message: ForwardMessage): void {
    this.flush()
    const { bytes, bodyStart, bodyEnd, entries } = message
    const whole = entries.bad + entries.markers === 0
    const packed = whole ? this.#own(message) : keepGoodEntries(bytes, bodyStart, bodyEnd, LIMITS.scan)
    this.#emit(this.#envelopeOf(message), packed, entries.count)
  }

  #takePacked(message: ForwardMessage): Promise<void> | undefined {
    this.flush()
    const { bytes, bodyStart, bodyEnd } = message
    const body = bytes.subarray(bodyStart, bodyEnd)
    const sniffed = sniffCompression(body, 0, body.length)
    const kind = sniffed === 'none' && body.length > 0 ? message.compression : sniffed
    if (kind === 'unknown') throw new MalformedError('the entries are compressed in an unknown way')
    if (kind === 'none') {
      const own = this.#own(message)
      this.#emitPacked(this.#envelopeOf(message), own)
      return undefined
    }
    const { pool, decompressionBytes } = this.#options
    const inflated = inflateAtOnce(body, kind, decompressionBytes, pool)
    if (inflated === undefined) {
      const own = this.#own(message)
      return this.#inflate(this.#envelopeOf(message), own, kind)
    }
    const envelope = { ...this.#envelopeOf(message), lent: inflated.lent }
    if (message.lent !== undefined) pool.give(message.lent)
    this.#emitPacked(envelope, inflated.bytes)
    return undefined
  }

  /** The body in memory that stays: what lies in the read itself is copied, and is then lent by the message. */
  #own(message: ForwardMessage): Buffer {
    const { bytes, bodyStart, bodyEnd } = message
    if (message.lent !== undefined) return bytes.subarray(bodyStart, bodyEnd)
    const own = this.#options.pool.take(bodyEnd - bodyStart)
    message.lent = own
    bytes.copy(own, 0, bodyStart, bodyEnd)
    return own.subarray(0, bodyEnd - bodyStart)
  }

  #emitPacked(envelope: Envelope, entries: Uint8Array): void {
    const check = this.#check
    checkEntries(entries, 0, entries.length, LIMITS.scan, check)
    if (check.at !== entries.length) throw new MalformedError('the last entry is not whole')
    if (check.bad > 0) this.#leftOutEntries(check.bad)
    const whole = check.bad + check.markers === 0
    const packed = whole ? entries : keepGoodEntries(entries, 0, entries.length, LIMITS.scan)
    if (check.count > 0) this.#emit(envelope, packed, check.count)
    else if (envelope.ack !== undefined) this.#options.inFlight.acknowledge(envelope.ack)
  }

  /** Unpacks a body that is too large to do it at once, off the main thread. */
  async #inflate(envelope: Envelope, body: Uint8Array, kind: 'gzip' | 'zstd'): Promise<void> {
    const { inFlight, openSpool, decompressionBytes } = this.#options
    const wanted = Number.MAX_SAFE_INTEGER
    const store = new EntryStore({ openSpool, memoryBytes: LIMITS.spoolBytes, wanted })
    const inflater = new Inflater(kind, decompressionBytes, (piece) => store.write(piece))
    inFlight.reserve(body.length + LIMITS.inflatedAtOnceBytes)
    try {
      await inflater.write(body)
      await inflater.end()
      const entries = await store.finish()
      if (store.bad > 0) this.#leftOutEntries(store.bad)
      const release = () => void store.discard().catch(() => {})
      if (store.count > 0) this.#emit(envelope, entries, store.count, release)
      else if (envelope.ack !== undefined) inFlight.acknowledge(envelope.ack)
    } catch (error) {
      inflater.destroy()
      await store.discard()
      throw error
    } finally {
      inFlight.reserve(-body.length - LIMITS.inflatedAtOnceBytes)
    }
  }

  /** What could not be stored may still be on its way to the disk: then its memory is not used again. */
  #giveBack(stored: boolean, lent: Buffer): void {
    if (stored) this.#options.pool.give(lent)
  }

  /** Copies: the decoder's memory is used again, and the chunk id may be remembered for long. */
  #envelopeOf(message: ForwardMessage): Envelope {
    const { bytes, tagStart, tagEnd, chunkIdStart, chunkEnd, eventIdStart, eventIdEnd, lent } = message
    const hasId = chunkEnd > chunkIdStart && chunkEnd !== 0
    const takesId = this.#options.takesEventIds && eventIdEnd > 0
    return {
      tag: new Uint8Array(bytes.subarray(tagStart, Math.max(tagEnd, tagStart))),
      chunkId: hasId ? new Uint8Array(bytes.subarray(chunkIdStart, chunkEnd)) : undefined,
      firstId: takesId ? readEventId(bytes.toString('latin1', eventIdStart, eventIdEnd)) : undefined,
      ack: ackOf(message),
      lent,
    }
  }

  #emit(envelope: Envelope, packed: Uint8Array | SpooledEntries, count: number, after?: Release): void {
    const { tag, chunkId, firstId, ack, lent } = envelope
    const giveBack = lent === undefined ? undefined : (stored: boolean) => this.#giveBack(stored, lent)
    const release = after ?? giveBack
    const { inFlight, peer } = this.#options
    const ids = { ...(chunkId !== undefined && { chunkId }), ...(firstId !== undefined && { firstId }) }
    const stream: EventStream = { tag, packed, count, peer, ...ids }
    const bytes = packed instanceof Uint8Array ? packed.length : 0
    inFlight.emit(stream, release === undefined ? { bytes, ack } : { bytes, ack, release })
  }
}

/**
 * `{"ack": chunk}`: one key, the value with the very bytes and type that the client sent. [Forward spec v1,
 * "Response"]
 */
function ackOf({ bytes, chunkStart, chunkEnd, chunkIdStart, json }: ForwardMessage): Uint8Array | undefined {
  if (chunkEnd === 0) return undefined
  if (json) return Buffer.from(JSON.stringify({ ack: Buffer.from(bytes.subarray(chunkIdStart, chunkEnd)).toString() }))
  const ack = new Uint8Array(ACK_START.length + chunkEnd - chunkStart)
  ack.set(ACK_START)
  ack.set(bytes.subarray(chunkStart, chunkEnd), ACK_START.length)
  return ack
}

/** A map of one pair, and the key `ack`. */
const ACK_START = Uint8Array.of(0x81, 0xa3, 0x61, 0x63, 0x6b)
