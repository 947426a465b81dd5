/**
 * One syslog message, from bytes to where its parts stand. Pure: no string, no object but the one that is reused.
 *
 *   RFC 5424  <PRI>VERSION SP TIME SP HOST SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP [BOM] MSG]      [6]
 *   RFC 3164  <PRI>Mmm dd hh:mm:ss HOST TAG[PID]: MSG                                                          [4.1]
 *
 * Either may have its time as RFC 3339 (rsyslog's RSYSLOG_ForwardFormat, logspout). A message without a host is taken
 * too: what stands behind the time and ends with a colon is the tag. What is neither is a message as a whole.
 */
import { type Instant, NO_TIME, readRfc3339 } from '../encoding/rfc3339.ts'
import type { BsdTime } from './bsd-time.ts'
import { PRIORITY_MAX } from './priorities.ts'
import { structuredDataEnd } from './sd-elements.ts'

/** A part of the message; it is not there when `start === end`. */
export interface Part {
  start: number
  end: number
}

export interface SyslogMessage {
  /** facility × 8 + severity; -1: none was sent. */
  priority: number
  /** False: only `message` is there, the whole text but for a PRI. */
  isParsed: boolean
  /** False: none was sent, `-`, and the time of receipt counts. */
  hasTime: boolean
  readonly time: Instant
  readonly host: Part
  readonly ident: Part
  readonly pid: Part
  readonly msgid: Part
  /** From the first `[` to the last `]`. */
  readonly structuredData: Part
  readonly message: Part
}

export function createSyslogMessage(): SyslogMessage {
  const part = (): Part => ({ start: 0, end: 0 })
  return {
    priority: -1,
    isParsed: false,
    hasTime: false,
    time: { seconds: 0, nanoseconds: 0 },
    host: part(),
    ident: part(),
    pid: part(),
    msgid: part(),
    structuredData: part(),
    message: part(),
  }
}

/** What is true of all messages of an input. */
export interface SyslogRules {
  readonly bsdTime: BsdTime
}

const SPACE = 0x20
const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const OPEN = 0x5b
const CLOSE = 0x5d
const DASH = 0x2d

/** Reads the message in `[start, end)` into `out`. It never fails. `nowMs`: time of receipt, ms since 1970. */
export function parseSyslog(
  bytes: Uint8Array,
  start: number,
  end: number,
  nowMs: number,
  { bsdTime }: SyslogRules,
  out: SyslogMessage,
): void {
  const stop = trimmedEnd(bytes, start, end)
  const header = readPriority(bytes, start, stop, out)
  clearParts(out, header, stop)
  if (out.priority < 0) return
  const version = versionEnd(bytes, header, stop)
  out.isParsed = version > 0 && parse5424(bytes, version, stop, out)
  if (out.isParsed) return
  clearParts(out, header, stop)
  out.isParsed = parse3164(bytes, header, stop, nowMs, bsdTime, out)
  if (!out.isParsed) clearParts(out, header, stop)
}

function clearParts(out: SyslogMessage, start: number, end: number): void {
  out.isParsed = false
  out.hasTime = false
  for (const part of [out.host, out.ident, out.pid, out.msgid, out.structuredData]) setPart(part, start, start)
  setPart(out.message, start, end)
}

function setPart(part: Part, start: number, end: number): void {
  part.start = start
  part.end = end
}

/** Without the line end, or the zero byte, that some senders put behind each message. [RFC 6587 3.4.1 and 3.4.2] */
function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  let stop = end
  while (stop > start && bytes[stop - 1] === 0) stop -= 1
  if (stop > start && bytes[stop - 1] === LF) stop -= 1
  if (stop > start && bytes[stop - 1] === CR) stop -= 1
  return stop
}

/** Reads `<PRI>` of one to three digits. @returns the position after it; `start` when there is none. */
function readPriority(bytes: Uint8Array, start: number, end: number, out: SyslogMessage): number {
  out.priority = -1
  if (bytes[start] !== 0x3c) return start
  let value = 0
  let at = start + 1
  for (; at < end && at < start + 4 && isDigit(bytes[at]!); at += 1) value = value * 10 + bytes[at]! - 0x30
  if (at === start + 1 || at >= end || bytes[at] !== 0x3e || value > PRIORITY_MAX) return start
  out.priority = value
  return at + 1
}

/** The position after `VERSION SP`: a number of one to three digits that begins with 1 to 9; 0 when there is none. */
function versionEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  if (at >= end || bytes[at] === 0x30) return 0
  while (at < end && at < start + 3 && isDigit(bytes[at]!)) at += 1
  return at > start && at < end && bytes[at] === SPACE ? at + 1 : 0
}

function parse5424(bytes: Uint8Array, start: number, end: number, out: SyslogMessage): boolean {
  let at = start
  if (bytes[at] === DASH && (at + 1 === end || bytes[at + 1] === SPACE)) at += 1
  else {
    at = readRfc3339(bytes, at, end, out.time, undefined)
    if (at === NO_TIME) return false
    out.hasTime = true
  }
  for (const part of [out.host, out.ident, out.pid, out.msgid]) {
    if (at >= end || bytes[at] !== SPACE) return false
    at = readField(bytes, at + 1, end, part)
  }
  at = readStructuredData(bytes, at, end, out)
  if (at < end && bytes[at] === SPACE) at += 1
  if (bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf && at + 3 <= end) at += 3
  setPart(out.message, Math.min(at, end), end)
  return true
}

/** A field of printable characters, up to the next space; `-` stands for none. @returns the position after it. */
function readField(bytes: Uint8Array, start: number, end: number, part: Part): number {
  let at = start
  while (at < end && bytes[at] !== SPACE) at += 1
  const isNil = at === start + 1 && bytes[start] === DASH
  setPart(part, start, isNil ? start : at)
  return at
}

/** A sender that leaves it out, or whose brackets do not close, is understood too: it is then part of the message. */
function readStructuredData(bytes: Uint8Array, at: number, end: number, out: SyslogMessage): number {
  const start = at + 1
  if (bytes[start] === DASH && (start + 1 === end || bytes[start + 1] === SPACE)) return start + 1
  if (bytes[start] !== OPEN) return at
  const stop = structuredDataEnd(bytes, start, end)
  if (stop < 0 || (stop < end && bytes[stop] !== SPACE)) return at
  setPart(out.structuredData, start, stop)
  return stop
}

function parse3164(
  bytes: Uint8Array,
  start: number,
  end: number,
  nowMs: number,
  bsdTime: BsdTime,
  out: SyslogMessage,
): boolean {
  let at = bsdTime.read(bytes, start, end, nowMs, out.time)
  if (at === NO_TIME) at = readRfc3339(bytes, start, end, out.time, undefined)
  if (at === NO_TIME || (at < end && bytes[at] !== SPACE)) return false
  out.hasTime = true
  at = Math.min(at + 1, end)
  const afterHost = readField(bytes, at, end, out.host)
  if (afterHost > at && bytes[afterHost - 1] === COLON) setPart(out.host, at, at)
  else at = Math.min(afterHost + 1, end)
  readTag(bytes, at, end, out)
  return true
}

/** `TAG[PID]: ` or `TAG: `; what does not end with a colon is the message's. */
function readTag(bytes: Uint8Array, start: number, end: number, out: SyslogMessage): void {
  let at = start
  while (at < end && bytes[at] !== SPACE && bytes[at] !== COLON && bytes[at] !== OPEN) at += 1
  const tagEnd = at
  setPart(out.message, start, end)
  if (tagEnd === start || at === end) return
  if (bytes[at] === OPEN) {
    while (at < end && bytes[at] !== CLOSE && bytes[at] !== SPACE) at += 1
    if (bytes[at] !== CLOSE || bytes[at + 1] !== COLON || at + 1 >= end) return
    setPart(out.pid, tagEnd + 1, at)
    at += 1
  }
  if (bytes[at] !== COLON) return
  setPart(out.ident, start, tagEnd)
  at += 1
  setPart(out.message, at < end && bytes[at] === SPACE ? at + 1 : at, end)
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
