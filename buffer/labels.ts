/** The label of a stream that arrives: what is stored beside its events. */
import type { Clock } from '../server/core/clock.ts'
import type { EventStream } from '../server/core/event.ts'
import {
  CHUNK_ID_BYTES_MAX,
  ID_OF_BUFFER,
  ID_OF_MESSAGE,
  type Label,
  PEER_BYTES_MAX,
  TAG_BYTES_MAX,
} from './chunk-format.ts'
import { encodeMark } from './marks.ts'

/** A label whose id base is not known before the payload's CRC is. */
export type StreamLabel = { -readonly [K in keyof Label]: Label[K] }

const EMPTY = new Uint8Array(0)

export class Labels {
  readonly #bufferId: Uint8Array
  readonly #clock: Clock
  #peer: string | undefined
  #peerBytes: Uint8Array = EMPTY

  constructor(bufferId: Uint8Array, clock: Clock) {
    this.#bufferId = bufferId
    this.#clock = clock
  }

  of(stream: EventStream): StreamLabel {
    const { tag, chunkId, mark } = stream
    const keepsId = chunkId !== undefined && chunkId.length <= CHUNK_ID_BYTES_MAX
    return {
      idBase: this.#bufferId,
      idIndex: 0,
      idKind: chunkId === undefined ? ID_OF_BUFFER : ID_OF_MESSAGE,
      receivedMs: this.#clock.now(),
      tag: tag.length <= TAG_BYTES_MAX ? tag : tag.subarray(0, TAG_BYTES_MAX),
      chunkId: keepsId ? chunkId : EMPTY,
      peer: this.#peerOf(stream.peer),
      mark: mark === undefined ? EMPTY : encodeMark(mark),
    }
  }

  /** Streams of one peer mostly come one behind the other. */
  #peerOf(peer: string | undefined): Uint8Array {
    if (peer !== this.#peer) {
      this.#peer = peer
      this.#peerBytes = peer === undefined ? EMPTY : Buffer.from(peer).subarray(0, PEER_BYTES_MAX)
    }
    return this.#peerBytes
  }
}
