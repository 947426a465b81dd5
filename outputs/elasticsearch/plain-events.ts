/**
 * The events that are of the shapes nearly all have, written by plain-events.wat: 16 bytes at a time, a slice of the
 * entries after the other, small enough to stay in the processor's second cache from copying in to copying out.
 * An event that is otherwise is left to bulk-body.ts, which can write all of them.
 */
import { readFileSync } from 'node:fs'
import type { StoredStream } from '../../server/core/event.ts'
import { assemble } from '../encoding/assemble.ts'
import { type ByteSink, copyTemplate, reserve, type Template } from '../encoding/byte-sink.ts'
import type { DocumentCursor } from '../encoding/document.ts'
import { SECOND_LENGTH, writeSecond } from '../encoding/iso-time.ts'

/** Where things stand in the module's memory, bytes; plain-events.wat draws it. */
const LETTERS_AT = 0
const PAIRS_AT = 128
const HEX_AT = 328
const ACTION_AT = 512
const STAMP_AT = 1_536
const TAIL_AT = 1_600
const ENTRIES_AT = 16_384
const LINES_AT = 98_304
/** Entries that are copied in at a time, bytes. */
const SLICE_BYTES = 64 * 1024
const ACTION_BYTES_MAX = 1_000
/** Of the tail, which holds the tag: a longer one is rare enough. */
const TAIL_BYTES_MAX = 8_192
const LINES_BYTES = 160 * 1024

const STAMP_START = ',"@timestamp":"'

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly pos: { readonly value: number }
  readonly at: { readonly value: number }
  readonly events: (
    ...args: readonly [
      from: number,
      until: number,
      to: number,
      stop: number,
      left: number,
      seconds: number,
      idIndex: number,
      sequence: number,
      step: number,
      actionLength: number,
      tailLength: number,
    ]
  ) => number
}

/** What the module holds just now. */
export interface PlainEvents {
  readonly exports: Exports
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly view: DataView<ArrayBuffer>
  second: number
  tag: string | undefined
  tailLength: number
  /** The entries that were copied in: of which stream, from where and to where in its memory. */
  packed: Uint8Array | undefined
  from: number
  until: number
  /** Where the first event that was not written stands in the stream's memory. */
  pos: number
}

/** Undefined where the processor lacks what the module needs. */
export function createPlainEvents(): PlainEvents | undefined {
  const code = assemble(readFileSync(new URL('./plain-events.wat', import.meta.url), 'utf8'))
  if (!WebAssembly.validate(code)) return undefined
  const instance = new WebAssembly.Instance(new WebAssembly.Module(code))
  const exports = instance.exports as unknown as Exports
  const memory = exports.memory.buffer as ArrayBuffer
  const bytes = new Uint8Array(memory)
  fillTables(bytes)
  const view = new DataView(memory)
  const nothing = { second: -1, tag: undefined, tailLength: 0, packed: undefined, from: 0, until: 0, pos: 0 }
  return { exports, bytes, view, ...nothing }
}

function fillTables(bytes: Uint8Array): void {
  const put = (text: string, at: number) => bytes.set(Buffer.from(text), at)
  for (const [byte, letter] of Object.entries({ 8: 'b', 9: 't', 10: 'n', 12: 'f', 13: 'r', 34: '"', 92: '\\' })) {
    put(letter, LETTERS_AT + Number(byte))
  }
  put(Array.from({ length: 100 }, (_, number) => String(number).padStart(2, '0')).join(''), PAIRS_AT)
  put('0123456789abcdef', HEX_AT)
  put(`${STAMP_START}${' '.repeat(SECOND_LENGTH)}.`, STAMP_AT)
}

/** Where in a stream writing goes on. */
export interface Next {
  readonly event: number
  readonly pos: number
}

/**
 * Writes events from `next` on, of the second that `document` has read, until one is not plain or the sink has reached
 * `limit`. Returns how many; then `plain.pos` says where the one behind them stands.
 */
export function writePlainEvents(
  plain: PlainEvents,
  document: DocumentCursor,
  stream: StoredStream,
  next: Next,
  action: Template,
  sink: ByteSink,
  limit: number,
): number {
  if (!prepare(plain, document, action)) return 0
  const written = writeSlice(plain, document, stream, next, action, sink, limit)
  const isCut = plain.from !== next.pos && plain.until !== document.end
  if (written > 0 || !isCut) return written
  copyIn(plain, document, stream, next.pos)
  return writeSlice(plain, document, stream, next, action, sink, limit)
}

/** Puts what all the lines have in common into the memory. False where it is too long. */
function prepare(plain: PlainEvents, document: DocumentCursor, action: Template): boolean {
  const { view, bytes } = plain
  if (plain.second !== document.seconds) {
    writeSecond(document.seconds, 0x54, view, STAMP_AT + STAMP_START.length)
    plain.second = document.seconds
  }
  if (plain.tag !== document.tag) {
    const tail = Buffer.from(`Z","tag":${JSON.stringify(document.tag)},"sequence":`)
    plain.tailLength = tail.length
    if (tail.length <= TAIL_BYTES_MAX) bytes.set(tail, TAIL_AT)
    plain.tag = document.tag
  }
  if (action.length > ACTION_BYTES_MAX || plain.tailLength > TAIL_BYTES_MAX) return false
  copyTemplate(action, view, ACTION_AT)
  return true
}

function copyIn(plain: PlainEvents, document: DocumentCursor, { packed }: StoredStream, pos: number): void {
  plain.packed = packed
  plain.from = pos
  plain.until = Math.min(document.end, pos + SLICE_BYTES)
  plain.bytes.set(document.bytes.subarray(pos, plain.until), ENTRIES_AT)
}

function writeSlice(
  plain: PlainEvents,
  document: DocumentCursor,
  stream: StoredStream,
  { event, pos }: Next,
  action: Template,
  sink: ByteSink,
  limit: number,
): number {
  if (plain.packed !== stream.packed || pos < plain.from || pos >= plain.until) copyIn(plain, document, stream, pos)
  const { exports, from, until } = plain
  const { seed, step } = document.sequence
  const written = exports.events(
    ENTRIES_AT + pos - from,
    ENTRIES_AT + until - from,
    LINES_AT,
    LINES_AT + Math.min(LINES_BYTES, limit - sink.at),
    stream.count - event,
    document.seconds,
    stream.idIndex + event,
    seed + (stream.position + event) * step,
    step,
    action.length,
    plain.tailLength,
  )
  if (written === 0) return 0
  const length = exports.at.value - LINES_AT
  reserve(sink, length)
  sink.bytes.set(plain.bytes.subarray(LINES_AT, LINES_AT + length), sink.at)
  sink.at += length
  plain.pos = exports.pos.value - ENTRIES_AT + from
  return written
}
