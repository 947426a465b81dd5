/** One growing buffer that encoders write into and that is used again. What is written is the encoders' matter. */

/** A sink that had to grow over this for one large event gives the memory back when it is emptied, bytes. */
const KEPT_MAX = 16 * 1024 * 1024

/**
 * Bytes that `reserve` leaves free behind what was asked for: for copying whole words past an end, and for the comma or
 * colon that follows, without asking again.
 */
export const SLACK = 32

/**
 * Plain fields, since the hot functions read them directly: `view` covers `bytes`; `at` is the end of what is written.
 */
export interface ByteSink {
  bytes: Uint8Array<ArrayBuffer>
  view: DataView<ArrayBuffer>
  at: number
  /** What `at` may be at most for the slack to be left. */
  limit: number
}

export function createByteSink(size: number): ByteSink {
  const memory = new ArrayBuffer(size + SLACK)
  return { bytes: new Uint8Array(memory), view: new DataView(memory), at: 0, limit: size }
}

/**
 * Makes room for `more` bytes after `at`, and the slack. Read `bytes` and `view` again afterwards: they may be others.
 */
export function reserve(sink: ByteSink, more: number): void {
  if (sink.at + more > sink.limit) grow(sink, sink.at + more)
}

function grow(sink: ByteSink, needed: number): void {
  replace(sink, createByteSink(Math.max(needed, sink.limit * 2)))
}

function replace(sink: ByteSink, other: ByteSink): void {
  other.bytes.set(sink.bytes.subarray(0, sink.at))
  sink.bytes = other.bytes
  sink.view = other.view
  sink.limit = other.limit
}

/** Empties the sink; memory beyond what is kept is given back. */
export function emptySink(sink: ByteSink): void {
  sink.at = 0
  if (sink.limit > KEPT_MAX) replace(sink, createByteSink(KEPT_MAX))
}

/** Writes text of ASCII characters. For what is rare. */
export function writeAscii(sink: ByteSink, text: string): void {
  reserve(sink, text.length)
  const { view } = sink
  let at = sink.at
  for (let index = 0; index < text.length; index++) view.setUint8(at++, text.charCodeAt(index))
  sink.at = at
}

/** Bytes that are written again and again, padded so that they can be copied four at a time. */
export interface Template {
  view: DataView<ArrayBuffer>
  length: number
}

export function createTemplate(text: string): Template {
  const bytes = new TextEncoder().encode(text)
  const padded = new Uint8Array((bytes.length + 3) & ~3)
  padded.set(bytes)
  return { view: new DataView(padded.buffer), length: bytes.length }
}

/** Copies a template, for which there must be room and slack. Returns the new write position. */
export function copyTemplate(template: Template, to: DataView, at: number): number {
  const { view, length } = template
  for (let index = 0; index < length; index += 4) to.setInt32(at + index, view.getInt32(index, true), true)
  return at + length
}
