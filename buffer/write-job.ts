/** What the writer is given, one at a time: a group of streams from memory, or one message from a spool file. */

import { crc32 } from 'node:zlib'
import { LogboomError } from '../server/core/errors.ts'
import type { Mark, SpooledEntries } from '../server/core/event.ts'
import type { ChunkFile } from './chunk-file.ts'
import { FRAME_HEADER_BYTES, type Label } from './chunk-format.ts'
import { Group, type GroupStream, startPlacing, streamFrameBytes } from './group.ts'

/** All of it is stored under one COMMIT, or nothing. */
export interface WriteJob {
  /** Bytes it takes in the file. */
  readonly bytes: number
  /** How many appends wait for it. */
  readonly appends: number
  /** Ids of the messages in it that have one. */
  readonly ids: string[]
  /** The marks of its streams, in their order. */
  readonly marks: Mark[]
  /** Resolves when it is acknowledged, rejects when it is refused. */
  readonly promise: Promise<void>
  /**
   * Appends its frames and a COMMIT to the chunk. Returns the position of the next event. May be called again after a
   * fault, with the same position. Throws LogboomError when the fault is its own and trying again is no use.
   */
  write(chunk: ChunkFile, position: number, seed: number): Promise<number>
  /** It is as durable as was asked for. */
  acknowledge(): void
  /** It is durable, and will not be written again. */
  release(): void
  /** It was not stored. */
  refuse(error: LogboomError): void
}

export class GroupJob implements WriteJob {
  appends = 0
  readonly ids: string[] = []
  readonly marks: Mark[] = []
  readonly promise: Promise<void>
  readonly #settle: PromiseWithResolvers<void>
  readonly #group: Group
  #next: number | undefined

  constructor(options: { copyAll: boolean }) {
    this.#group = new Group(options)
    this.#settle = Promise.withResolvers()
    this.promise = this.#settle.promise
  }

  get bytes(): number {
    return this.#next === undefined ? this.#group.bytes + FRAME_HEADER_BYTES : this.#group.bytes
  }

  add(stream: GroupStream): void {
    this.#group.add(stream)
    this.appends += 1
  }

  async write(chunk: ChunkFile, position: number, seed: number): Promise<number> {
    if (this.#next === undefined) {
      const placing = startPlacing(position, seed)
      this.#group.place(placing)
      this.#group.commit(placing)
      this.#next = placing.position
    }
    await chunk.append(this.#group.pieces())
    return this.#next
  }

  acknowledge(): void {
    this.#settle.resolve()
  }
  release(): void {
    this.#group.clear()
  }
  refuse(error: LogboomError): void {
    this.#settle.reject(error)
    this.#group.clear()
  }
}

/** One message that is larger than memory should hold: a frame for each section of its spool file. */
export class SpooledJob implements WriteJob {
  readonly appends = 1
  readonly ids: string[] = []
  readonly marks: Mark[] = []
  readonly bytes: number
  readonly promise: Promise<void>
  readonly #settle: PromiseWithResolvers<void>
  readonly #entries: SpooledEntries
  readonly #label: Label

  constructor(entries: SpooledEntries, label: Label, bytes: number) {
    this.#entries = entries
    this.#label = label
    this.#settle = Promise.withResolvers()
    this.promise = this.#settle.promise
    this.bytes = bytes
  }

  async write(chunk: ChunkFile, position: number, seed: number): Promise<number> {
    const group = new Group({ copyAll: false })
    const placing = startPlacing(position, seed)
    for (const section of this.#entries.sections) {
      const packed = await this.#read(section)
      const label = { ...this.#label, idIndex: placing.events }
      group.add({ packed, packedCrc: crc32(packed), count: section.count, label })
      group.place(placing)
      await chunk.append(group.pieces())
      group.clear()
    }
    group.commit(placing)
    await chunk.append(group.pieces())
    group.clear()
    return placing.position
  }

  async #read(section: SpooledEntries['sections'][number]): Promise<Uint8Array> {
    try {
      return await this.#entries.read(section)
    } catch (cause) {
      const reason = `the spool file of a message cannot be read: ${(cause as Error).message}`
      throw new LogboomError('LB-B003', { path: 'spool', reason }, { cause })
    }
  }

  acknowledge(): void {
    this.#settle.resolve()
  }
  release(): void {}
  refuse(error: LogboomError): void {
    this.#settle.reject(error)
  }
}

/** Bytes that the message takes in the file, with its COMMIT. */
export function spooledBytes(entries: SpooledEntries, label: Label): number {
  let bytes = FRAME_HEADER_BYTES
  for (const section of entries.sections) bytes += streamFrameBytes(section.byteLength, label)
  return bytes
}
