/** What reads the records of a body, however it is cut: one for JSON, one for msgpack. */
import type { EntryWriter } from '../encoding/entry-writer.ts'

export interface RecordReader {
  /** Bytes of memory that an unfinished record takes. */
  readonly heldBytes: number
  /** Feeds what came; only after `next` has said false. It is lent until then. */
  push(chunk: Buffer): void
  /**
   * Writes the next record as an entry. @returns false when there is none that is whole: feed the next chunk.
   * @throws BodyFault; Refusal 413 for a record that is too large.
   */
  next(to: EntryWriter): boolean
  /** The body is over. @throws BodyFault when it ends within a record. */
  end(): void
}
