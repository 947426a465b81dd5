/**
 * The words every room shares: an event stream on its way in, and the batch that is handed out.
 * Nothing here does anything; it only names shapes.
 */

/**
 * Where an event stands in the buffer: the running number of the event since the buffer was made.
 * Monotonic, never reused, survives restarts. A double holds it exactly up to 2^53 events.
 */
export type Position = number

/** A tag and the packed bytes `[time, record]*` of its events, as the client sent them. */
export interface EventStream {
  /** The tag's bytes, as they came; 1 to 1,024 bytes (LIMITS of the input). */
  readonly tag: Uint8Array
  /** Checked entries, back to back: `0x92 time record` each. Must not be changed until `emit` has resolved. */
  readonly packed: Uint8Array | SpooledEntries
  /** How many entries `packed` holds; at least 1. */
  readonly count: number
  /** The client's chunk id (the raw bytes of the msgpack string or binary), where it sent one. */
  readonly chunkId?: Uint8Array
  /** Address of the sender, for the log and for `source_address_key`. */
  readonly peer?: string
  /** Where its input will stand when the stream is stored: the two are durable together, or neither is. */
  readonly mark?: Mark
}

/**
 * How far an input has come in a source that keeps its events, such as a file: what was read again after a crash would
 * otherwise be stored twice, or what was not yet stored be passed over.
 */
export interface Mark {
  /** Names the source among those of all inputs, `<input>/<its own name>`; at most 255 bytes, without NUL. */
  readonly source: string
  /** The input's own words, at most 8,000 bytes. */
  readonly place: string
}

/** The newest mark of each source, as it is durable. */
export interface MarkStore {
  /** Place by source, of the sources whose name begins with `prefix`. */
  find(prefix: string): ReadonlyMap<string, string>
  /**
   * Sets marks that no stream carries, all at once or none; a place that is undefined forgets its source. Resolves when
   * they are durable. No stream with a mark of the same source may be on its way.
   */
  set(marks: readonly { readonly source: string; readonly place: string | undefined }[]): Promise<void>
}

/**
 * Hands an event stream to the buffer. Resolves once it is as durable as `buffer.ack` promises: only then may a
 * protocol
 * acknowledge. A promise that has not resolved is the back-pressure: stop reading. Rejects: close without an ack.
 */
export type Emit = (stream: EventStream) => Promise<void>

/** Entries of one message too large to hold in memory, kept in a file until they are appended. */
export interface SpooledEntries {
  readonly byteLength: number
  /** Whole entries each, in order, none larger than a frame of the buffer may be. */
  readonly sections: readonly SpoolSection[]
  /** CRC-32 over all bytes, in order. */
  readonly crc32: number
  /** Reads one section into memory. */
  read(section: SpoolSection): Promise<Uint8Array>
  /** Deletes the file; the one who opened the spool calls it, whatever became of the message. */
  discard(): Promise<void>
}

export interface SpoolSection {
  readonly offset: number
  readonly byteLength: number
  readonly count: number
}

/** Takes the entries of one large message, piece by piece. */
export interface Spool {
  /** Appends whole entries. Resolves when more may be written. */
  write(entries: Uint8Array, count: number): Promise<void>
  finish(): Promise<SpooledEntries>
  discard(): Promise<void>
}

/** Events of one tag as they stand in the buffer, lent to an output. */
export interface StoredStream {
  /** The tag as text (U+FFFD for invalid bytes). The same string object for the same tag, so that `===` is cheap. */
  readonly tag: string
  /** `[time, record]*`, a view into memory that is valid until the batch is committed. */
  readonly packed: Uint8Array
  readonly count: number
  /** Position of the first event; the others follow without gaps. */
  readonly position: Position
  /** The event id of event i is `${idBase}.${idIndex + i}`: 16 base64url characters, a dot, a decimal number. */
  readonly idBase: string
  readonly idIndex: number
  /** When the buffer took the events, in ms since 1970: the time of an event that came with time 0. */
  readonly receivedMs: number
}

/**
 * What an output is handed: events in the order of their positions; but one that a filter joined of several has the
 * position of its first and comes where its last stood, in this batch or a later one.
 */
export interface Batch {
  readonly streams: readonly StoredStream[]
  readonly count: number
  /** Sum of the streams' packed bytes. */
  readonly bytes: number
  /** The cursor moves over [from, to) when the batch is done; events that do not match lie between the streams. */
  readonly from: Position
  readonly to: Position
}

/** The number stamped on each event: `seed + position * step`, so that two instances never give the same. */
export interface Sequence {
  readonly seed: number
  readonly step: number
}
