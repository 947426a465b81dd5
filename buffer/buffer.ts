/**
 * The contract of the one log every event enters. `append / read from a cursor / commit the cursor`, whatever lies
 * below.
 */
import type { Batch, Emit, MarkStore, Position, Spool } from '../server/core/event.ts'

/** The side of the inputs; lives on the main thread. */
export interface EventBuffer {
  /**
   * Resolves when the stream is as durable as `ack` says. While the buffer is full it waits.
   * A chunk id seen before with the same tag and payload resolves without being stored again.
   * Rejects with LogboomError LB-B0xx when it cannot be stored: the caller must not acknowledge.
   */
  readonly append: Emit
  spool(): Promise<Spool>
  /** How far inputs have come in their sources: always as far as the streams that are stored, no more and no less. */
  readonly marks: MarkStore
  /**
   * Takes a seat for an output: from now on nothing that it has not passed is deleted.
   * An output without a cursor starts at the oldest event that is stored.
   */
  seat(output: string): Promise<ReaderSeat>
  /** Gives the seat up: what it has not passed may be deleted. The cursor stays on disk. */
  leave(output: string): void
  status(): BufferStatus
  /** Finishes what was appended, then lets the lock go. */
  close(): Promise<void>
}

/** What an output's thread needs to open its reader; crosses the thread boundary by structured clone. */
export interface ReaderSeat {
  /** URL of the module whose `openReader(seat, matches)` opens it. */
  readonly module: string
  readonly output: string
  readonly data: unknown
}
export type OpenReader = (seat: ReaderSeat, matches: (tag: string) => boolean) => Promise<Reader>

/** The side of an output; lives on the output's thread. */
export interface Reader {
  /**
   * The next events in order, up to about `maxBytes` of packed bytes (one event at least) or `maxEvents`; never empty.
   * Waits for the first event; when it has caught up, lingers up to `maxAgeMs` for more.
   * One call at a time, but batches may be in flight side by side: each is valid until it is committed.
   * Rejects with the signal's reason when it aborts.
   */
  read(limits: ReadLimits, signal: AbortSignal): Promise<Batch>
  /**
   * The batch is done, but for the events at the positions in `held` (ascending), whose memory is given back all the
   * same. The cursor moves when all before it are done too; it is durable within a second, and after `flush`.
   */
  commit(batch: Batch, held?: readonly Position[]): void
  /** Events that a commit left open are done. A restart reads those that are not, and their neighbours do not come. */
  finish(positions: readonly Position[]): void
  /** Makes the cursor durable now. */
  flush(): Promise<void>
  /** Goes to a position (replay): later reads begin there. What is lent is read again; nothing of it is in use. */
  seek(to: Position): Promise<void>
  /**
   * All before a position counts as done, and later reads begin there. What is lent is read again where it lies beyond;
   * nothing of it is in use. @returns how many events were not done.
   */
  skip(to: Position): Promise<number>
  /** What is stored, oldest first, in the parts that are deleted whole. */
  parts(): Promise<readonly StoredPart[]>
  status(): ReaderStatus
  close(): Promise<void>
}

export interface StoredPart {
  /** Position of its first event. */
  readonly from: Position
  readonly bytes: number
  /** When its first event was stored or earlier, ms since 1970. */
  readonly createdMs: number
}

export interface ReadLimits {
  readonly maxBytes: number
  readonly maxEvents: number
  readonly maxAgeMs: number
}

export interface ReaderStatus {
  /** Durable cursor: every event before it is done. */
  readonly cursor: Position
  /** Events beyond the cursor that are done already: batches may be committed out of order. */
  readonly doneBeyondEvents: number
  /** Events stored and not done, whether they match or not. */
  readonly lagEvents: number
  /** When the oldest event that is not done was received, ms since 1970; undefined when there is none. */
  readonly oldestReceivedMs: number | undefined
  /** Events that were passed because they do not match, since the reader was opened. */
  readonly unmatchedEvents: number
  /** Events lost to damage on disk and skipped, since the reader was opened. */
  readonly damagedEvents: number
  /** The chunk file in which that was last. */
  readonly lastDamagedChunk?: string | undefined
  /** Why nothing is read just now, in words for the operator. */
  readonly trouble?: string | undefined
}

export interface BufferStatus {
  /** Bytes on disk, and how many there may be. */
  readonly bytes: number
  readonly limitBytes: number
  readonly chunks: number
  /** The oldest event that is stored, and the next to be stored. */
  readonly first: Position
  readonly next: Position
  /** Others store in it too: only its readers know how far an output lags. */
  readonly isShared?: true
  /** Appends that wait because the buffer is full or its disk fails. */
  readonly waiting: number
  /** `ok`, or why nothing is acknowledged just now, in words for the operator. */
  readonly trouble: string | undefined
  /** Streams that were acknowledged without being stored, since their chunk id was known. */
  readonly duplicates: number
  /** What recovery found when the buffer was opened. */
  readonly recovered: RecoveryReport
}

export interface RecoveryReport {
  /** Bytes after the last commit that were cut off: never acknowledged. */
  readonly tornBytes: number
  /**
   * Frames that are damaged, with the events they held. Those of the group that was written last may never have been
   * acknowledged; damage in chunks that were closed in good order is found when they are read.
   */
  readonly damagedFrames: number
  readonly damagedEvents: number
  /** Chunk files moved to `quarantine/`. */
  readonly quarantined: readonly string[]
}
