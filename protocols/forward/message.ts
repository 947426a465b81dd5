/**
 * One Forward message, from bytes to positions: which mode, where the tag, the entries and the options stand. Nothing
 * is copied, and what is done with the message is decided elsewhere.
 *
 *   Message        [tag, time, record, option?]
 *   Forward        [tag, [[time, record]*], option?]
 *   PackedForward  [tag, bin | str of [time, record]*, option?]       [Forward spec v1, "Event Modes"]
 *
 * The mode is told by the type of element 1 alone, never by the array's length, and `size` is not believed.
 */
import {
  MalformedError,
  NEED_MORE,
  readContainerHeader,
  readStringHeader,
  type Span,
  skipAny,
} from '../../server/core/msgpack.ts'
import {
  checkEntries,
  createEntriesCheck,
  type EntriesCheck,
  scanTimeAndRecord,
} from '../../server/core/packed-entries.ts'
import { LIMITS } from './limits.ts'

export type Mode = 'message' | 'forward' | 'packed' | 'heartbeat' | 'other'
export type Compression = 'none' | 'gzip' | 'zstd' | 'unknown'

/** What was read: positions in `bytes`. Made once per connection and used again. */
export interface ForwardMessage {
  bytes: Buffer
  /** The buffer of the pool that `bytes` is, if it is one: to be given back when the message has settled. */
  lent: Buffer | undefined
  mode: Mode
  tagStart: number
  /** NEED_MORE (-1) when the tag is no string or binary, empty, or too long. */
  tagEnd: number
  /** Message: time and record. Forward: the entries. Packed: the content of the string. */
  bodyStart: number
  bodyEnd: number
  /** Message and Forward: what the check of the entries found. Packed: not looked at yet. */
  entries: EntriesCheck
  /** The option `chunk` with its msgpack header, to be sent back as it came; `chunkEnd` is 0 when there is none. */
  chunkStart: number
  chunkEnd: number
  /** Its raw bytes, without the header. */
  chunkIdStart: number
  /** The option `event_id` of a Logboom, its text; `eventIdEnd` is 0 when there is none. */
  eventIdStart: number
  eventIdEnd: number
  compression: Compression
  /** The option `fluent_signal` of fluent-bit: 0 logs, others are no logs. */
  signal: number
  /** The message came as JSON, and so goes its ack. */
  json: boolean
}

export function createMessage(): ForwardMessage {
  const empty = { bodyStart: 0, bodyEnd: 0, chunkStart: 0, chunkEnd: 0, chunkIdStart: 0, tagStart: 0, tagEnd: 0 }
  const eventId = { eventIdStart: 0, eventIdEnd: 0 }
  const kind = { mode: 'other', compression: 'none', signal: 0, json: false } as const
  return { ...empty, ...eventId, ...kind, bytes: Buffer.alloc(0), lent: undefined, entries: createEntriesCheck() }
}

/** The head of a message that is too large to be held: enough to take its body piece by piece. */
export interface MessageHead {
  /** Elements of the message's array. */
  items: number
  /** Packed: bytes of the body. Forward: entries of it. */
  declared: number
}

const span: Span = { start: 0, end: 0 }

/**
 * Reads one message. @returns the position after it, or NEED_MORE.
 * @throws MalformedError: the connection is to be closed without an ack.
 */
export function readMessage(bytes: Buffer, start: number, end: number, out: ForwardMessage): number {
  if (start >= end) return NEED_MORE
  out.bytes = bytes
  out.lent = undefined
  forgetOptions(out)
  const items = readArrayHeader(bytes, start, end)
  if (items < 2) return readOther(start, end, out)
  const body = readTag(span.start, end, out)
  if (body === NEED_MORE || body >= end) return NEED_MORE
  const tail = readBody(body, end, items, out)
  return tail === NEED_MORE ? NEED_MORE : readTail(tail, end, items - (out.mode === 'message' ? 3 : 2), out)
}

function forgetOptions(out: ForwardMessage): void {
  out.chunkEnd = 0
  out.eventIdEnd = 0
  out.compression = 'none'
  out.signal = 0
}

/** @returns how many items the array has, `span.start` being where they begin; -1 when it is no array or not whole. */
function readArrayHeader(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!
  if ((first & 0xf0) === 0x90) {
    span.start = at + 1
    return first & 15
  }
  return readContainerHeader(bytes, at, end, 'array', span) ? span.end : -1
}

/** A top-level value that is no message: nil is a heartbeat, the rest is for the warning. */
function readOther(at: number, end: number, out: ForwardMessage): number {
  out.mode = out.bytes[at] === 0xc0 ? 'heartbeat' : 'other'
  return skipAny(out.bytes, at, end)
}

function readTag(at: number, end: number, out: ForwardMessage): number {
  if (at >= end) return NEED_MORE
  if (!readStringHeader(out.bytes, at, end, span)) {
    out.tagEnd = NEED_MORE
    return skipAny(out.bytes, at, end)
  }
  const length = span.end - span.start
  if (span.end === NEED_MORE || span.end > end) return NEED_MORE
  out.tagStart = span.start
  out.tagEnd = length > 0 && length <= LIMITS.tagBytes ? span.end : NEED_MORE
  return span.end
}

function readBody(at: number, end: number, items: number, out: ForwardMessage): number {
  const { bytes } = out
  if (readStringHeader(bytes, at, end, span)) {
    out.mode = 'packed'
    out.bodyStart = span.start
    out.bodyEnd = span.end
    return span.end <= end ? span.end : NEED_MORE
  }
  if (readContainerHeader(bytes, at, end, 'array', span)) return readEntries(end, out)
  out.mode = 'message'
  out.bodyStart = at
  const whole = items < 3 ? NO_RECORD : scanTimeAndRecord(bytes, at, end, LIMITS.scan)
  if (whole === NEED_MORE) return NEED_MORE
  out.entries.count = whole >= 0 ? 1 : 0
  out.entries.bad = whole >= 0 ? 0 : 1
  out.entries.markers = 0
  if (whole >= 0) out.bodyEnd = whole
  else out.bodyEnd = skipItems(bytes, at, end, Math.min(items - 1, 2))
  return out.bodyEnd
}

const NO_RECORD = -2

function readEntries(end: number, out: ForwardMessage): number {
  const declared = span.end
  if (declared === NEED_MORE) return NEED_MORE
  out.mode = 'forward'
  out.bodyStart = span.start
  checkEntries(out.bytes, span.start, end, LIMITS.scan, out.entries, declared)
  out.bodyEnd = out.entries.at
  const whole = out.entries.count + out.entries.bad + out.entries.markers
  return whole === declared ? out.bodyEnd : NEED_MORE
}

function skipItems(bytes: Uint8Array, start: number, end: number, count: number): number {
  let at = start
  for (let left = count; left > 0 && at !== NEED_MORE; left -= 1) at = skipAny(bytes, at, end)
  return at
}

/** Reads the option, the first of the `items` that are left, and steps over the others. */
export function readTail(at: number, end: number, items: number, out: ForwardMessage): number {
  if (items <= 0) return at
  const next = at < end ? readOption(at, end, out) : NEED_MORE
  return next === NEED_MORE ? NEED_MORE : skipItems(out.bytes, next, end, items - 1)
}

/** nil, or anything that is no map, is no option. Keys that are not known are left alone. */
function readOption(at: number, end: number, out: ForwardMessage): number {
  const { bytes } = out
  if (!readContainerHeader(bytes, at, end, 'map', span)) return skipAny(bytes, at, end)
  if (span.end === NEED_MORE) return NEED_MORE
  let next = span.start
  for (let left = span.end; left > 0; left -= 1) {
    if (next >= end) return NEED_MORE
    const value = skipAny(bytes, next, end)
    const after = value === NEED_MORE ? NEED_MORE : skipAny(bytes, value, end)
    if (after === NEED_MORE) return NEED_MORE
    if (readStringHeader(bytes, next, end, span)) readOptionValue(value, after, out)
    next = after
  }
  return next
}

/** The key stands in `span`, the value between `at` and `end`. */
function readOptionValue(at: number, end: number, out: ForwardMessage): void {
  const { bytes } = out
  if (isText(bytes, span, 'chunk')) readChunk(at, end, out)
  else if (isText(bytes, span, 'compressed')) {
    const known = readStringHeader(bytes, at, end, span)
    if (known && isText(bytes, span, 'gzip')) out.compression = 'gzip'
    else if (known && isText(bytes, span, 'zstd')) out.compression = 'zstd'
    else if (bytes[at] === 0xc0 || (known && isText(bytes, span, 'text'))) out.compression = 'none'
    else out.compression = 'unknown'
  } else if (isText(bytes, span, 'fluent_signal')) out.signal = readSignal(bytes, at, end)
  else if (isText(bytes, span, 'event_id') && readStringHeader(bytes, at, end, span)) {
    out.eventIdStart = span.start
    out.eventIdEnd = span.end
  }
}

/** Any number but 0 is told from it, and no more; what is no number is taken for 0. */
function readSignal(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!
  if (first < 0x80) return first
  let bits = 0
  if (first >= 0xcc && first <= 0xd3) for (let i = at + 1; i < end; i += 1) bits |= bytes[i]!
  return bits
}

/** fluentd acknowledges any value that Ruby takes for true. */
function readChunk(at: number, end: number, out: ForwardMessage): void {
  const first = out.bytes[at]!
  if (first === 0xc0 || first === 0xc2) return
  if (end - at > LIMITS.chunkIdBytes) throw new MalformedError('the chunk id is too long')
  out.chunkStart = at
  out.chunkEnd = end
  out.chunkIdStart = readStringHeader(out.bytes, at, end, span) ? span.start : at
}

function isText(bytes: Uint8Array, { start, end }: Span, text: string): boolean {
  if (end - start !== text.length) return false
  for (let i = 0; i < text.length; i += 1) if (bytes[start + i] !== text.charCodeAt(i)) return false
  return true
}

/**
 * Reads the head of a message that is not whole: up to where its entries begin, at `out.bodyStart`.
 * @returns false when it is no message whose entries can be taken piece by piece.
 */
export function readHead(bytes: Buffer, end: number, out: ForwardMessage, head: MessageHead): boolean {
  out.bytes = bytes
  forgetOptions(out)
  head.items = readArrayHeader(bytes, 0, end)
  const at = head.items < 2 ? NEED_MORE : readTag(span.start, end, out)
  if (at === NEED_MORE || at >= end) return false
  const packed = readStringHeader(bytes, at, end, span)
  if (!packed && !readContainerHeader(bytes, at, end, 'array', span)) return false
  if (span.end === NEED_MORE) return false
  out.mode = packed ? 'packed' : 'forward'
  out.bodyStart = span.start
  head.declared = packed ? span.end - span.start : span.end
  return true
}
