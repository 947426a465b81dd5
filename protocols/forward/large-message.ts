/**
 * A message too large for memory, on its way from the decoder to the spool: its body piece by piece, unpacked if need
 * be.
 */
import type { Spool, SpooledEntries } from '../../server/core/event.ts'
import { MalformedError } from '../../server/core/msgpack.ts'
import type { ForwardDecoder } from './decoder.ts'
import { Inflater, sniffCompression } from './decompress.ts'
import { EntryStore } from './entry-store.ts'
import type { Compression, ForwardMessage } from './message.ts'

export interface LargeMessageOptions {
  readonly openSpool: () => Promise<Spool>
  readonly decompressionBytes: number
}

const EMPTY = new Uint8Array(0)
/** The body's first bytes, which tell whether it is compressed. */
const MAGIC_BYTES = 4

export class LargeMessage {
  /** The tag's bytes; empty when it is not a usable one. */
  readonly tag: Uint8Array
  readonly #decoder: ForwardDecoder
  readonly #message: ForwardMessage
  readonly #decompressionBytes: number
  readonly #store: EntryStore
  readonly #isForward: boolean
  #inflater: Inflater | undefined
  #compression: Compression | undefined
  #first: Uint8Array = EMPTY
  #entries: Uint8Array | SpooledEntries | undefined

  /** `message` holds the head that the decoder found. */
  constructor(decoder: ForwardDecoder, message: ForwardMessage, options: LargeMessageOptions) {
    this.tag = message.tagEnd < 0 ? EMPTY : new Uint8Array(message.bytes.subarray(message.tagStart, message.tagEnd))
    this.#decoder = decoder
    this.#message = message
    this.#decompressionBytes = options.decompressionBytes
    this.#isForward = message.mode === 'forward'
    const wanted = this.#isForward ? decoder.head.declared : Number.MAX_SAFE_INTEGER
    this.#store = new EntryStore({ openSpool: options.openSpool, memoryBytes: 0, wanted })
  }

  get heldBytes(): number {
    return this.#store.heldBytes
  }

  get count(): number {
    return this.#store.count
  }

  get bad(): number {
    return this.#store.bad
  }

  /** After `done`. */
  get entries(): Uint8Array | SpooledEntries {
    return this.#entries ?? EMPTY
  }

  /**
   * Takes the next step. A promise: wait, then call again; it rejects with MalformedError, OversizeError or BombError.
   * `more`: the decoder needs the next read. `done`: the options stand in the message.
   */
  advance(): 'more' | 'done' | Promise<void> {
    if (this.#entries === undefined) {
      const piece = this.#decoder.takeBody()
      if (piece !== undefined) return this.#take(piece)
      return this.#decoder.bodyIsOver ? this.#end() : 'more'
    }
    if (this.#decoder.takeTail(this.#message) === 'more') return 'more'
    const { compression } = this.#message
    if (compression !== 'none' && this.#compression === 'none') {
      throw new MalformedError(
        `the entries are not ${compression === 'unknown' ? 'compressed in a known way' : compression}`,
      )
    }
    return 'done'
  }

  /** Deletes what was stored in a file; whatever became of the message. */
  async discard(): Promise<void> {
    this.#inflater?.destroy()
    await this.#store.discard()
  }

  async #take(piece: Uint8Array): Promise<void> {
    if (this.#isForward) {
      const unused = await this.#store.write(piece)
      if (this.#store.isFull) this.#decoder.endBody(unused)
      return
    }
    if (this.#compression !== undefined) return this.#pass(piece)
    this.#first = Buffer.concat([this.#first, piece])
    if (this.#first.length >= MAGIC_BYTES) await this.#begin()
  }

  /** Tells by the first bytes what the body is, and passes them on. */
  async #begin(): Promise<void> {
    const kind = sniffCompression(this.#first, 0, this.#first.length)
    this.#compression = kind
    if (kind === 'gzip' || kind === 'zstd') {
      this.#inflater = new Inflater(kind, this.#decompressionBytes, (piece) => this.#store.write(piece))
    }
    const first = this.#first
    this.#first = EMPTY
    await this.#pass(first)
  }

  async #pass(piece: Uint8Array): Promise<void> {
    if (this.#inflater === undefined) await this.#store.write(piece)
    else await this.#inflater.write(piece)
  }

  async #end(): Promise<void> {
    if (!this.#isForward && this.#compression === undefined) await this.#begin()
    await this.#inflater?.end()
    this.#entries = await this.#store.finish()
  }
}
