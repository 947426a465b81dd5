/**
 * A batch as lines, sorted by the object they belong to. Pure.
 *
 *   json       {"log":"…","@timestamp":"2026-11-20T12:00:00.123456789Z","tag":"docker.web","sequence":34}\n
 *              with `eventId` it ends in ,"event_id":"…"}
 *   fluentd    2026-11-20T12:00:00+00:00\tdocker.web\t{"log":"…"}\n      [formatter_out_file.rb, TZ=UTC]
 *
 * A batch with many windows or tags becomes several rounds, so that what is held at a time is bounded.
 */
import type { Batch, Position, Sequence, StoredStream } from '../../server/core/event.ts'
import { nextEntry } from '../../server/core/packed-entries.ts'
import { type ByteSink, createByteSink, emptySink, reserve, writeAscii } from '../encoding/byte-sink.ts'
import {
  createDocumentCursor,
  type DocumentCursor,
  enterStream,
  leaveStream,
  readEventTime,
  writeDocument,
  writeRecord,
} from '../encoding/document.ts'
import { SECOND_LENGTH, writeSecond } from '../encoding/iso-time.ts'
import { type KeyTemplate, renderStem } from './object-key.ts'

/** A round ends with the event that reaches so many bytes of lines, or before the group that would be one too many. */
const ROUND_BYTES = 8 * 1024 * 1024
export const ROUND_GROUPS_MAX = 128
/** Memory of lines that is kept for the next round, bytes. */
const SPARE_BYTES_MAX = 16 * 1024 * 1024
const SINK_BYTES = 16 * 1024
const DAY = 86_400
/**
 * How far an event's time may lie from the time it was received to choose the window, seconds: clocks that are wrong
 * would otherwise make an object for each hour of the last fifty years.
 */
const PAST_MAX = 400 * DAY
const AHEAD_MAX = 2 * DAY
const NEWLINE = 0x0a

export interface LineOptions {
  readonly format: 'json' | 'fluentd'
  /** With `json`: whether a line has the event's id, by which a reader can tell what two instances have stored. */
  readonly eventId: boolean
  readonly key: KeyTemplate
  /** Seconds. */
  readonly window: number
  readonly sequence: Sequence
}

/** Lines of one object. */
export interface Group {
  /** The key with `{index}` still in it. */
  readonly stem: string
  /** Seconds since 1970. */
  readonly windowStart: number
  readonly sink: ByteSink
  events: number
}

/** Events of the batch from `first` on, `count` of them; those that were staged before count and are in no group. */
export interface Round {
  readonly first: number
  count: number
  bytes: number
  readonly groups: Map<string, Group>
  /** Positions of the events in the groups: from, to (excluded), from, to… */
  readonly positions: Position[]
  /** The group that was asked for last, and for which tag. */
  last: Group | undefined
  lastTag: string | undefined
}

export type WriteLine = (cursor: DocumentCursor, record: number, position: Position, sink: ByteSink) => number

/** What lines are made with: once for each output. */
export interface LineCursor {
  readonly options: LineOptions
  readonly document: DocumentCursor
  readonly write: WriteLine
  readonly spare: ByteSink[]
}

/** Where a round ended within a stream; an object that is used again. */
interface Place {
  event: number
  pos: number
}

export function createLineCursor(options: LineOptions): LineCursor {
  const write = options.format === 'fluentd' ? createFluentdLine() : writeDocument
  return { options, document: createDocumentCursor(options.sequence), write, spare: [] }
}

/**
 * Each round is valid until the next is asked for.
 * @param isStaged whether the event at a position is in an object or a part already; undefined: none is.
 */
export function* encodeRounds(
  cursor: LineCursor,
  batch: Batch,
  isStaged: ((position: Position) => boolean) | undefined,
): Generator<Round> {
  let round = emptyRound(0)
  for (const stream of batch.streams) {
    const place: Place = { event: 0, pos: stream.packed.byteOffset }
    while (place.event < stream.count) {
      const before = place.event
      const isFull = writeLines(cursor, stream, place, round, isStaged)
      round.count += place.event - before
      if (!isFull) continue
      leaveStream(cursor.document)
      yield round
      recycle(cursor, round)
      round = emptyRound(round.first + round.count)
    }
  }
  leaveStream(cursor.document)
  if (round.count > 0) yield round
  recycle(cursor, round)
}

function emptyRound(first: number): Round {
  return { first, count: 0, bytes: 0, groups: new Map(), positions: [], last: undefined, lastTag: undefined }
}

/** Writes lines of a stream from `place` on and moves it. True: the round is full. */
function writeLines(
  cursor: LineCursor,
  stream: StoredStream,
  place: Place,
  round: Round,
  isStaged: ((position: Position) => boolean) | undefined,
): boolean {
  const { document, options, write } = cursor
  enterStream(document, stream)
  let group: Group | undefined
  let windowEnd = 0
  for (; place.event < stream.count; place.event += 1) {
    if (round.bytes >= ROUND_BYTES) return true
    const position = stream.position + place.event
    if (isStaged?.(position) === true) {
      place.pos = nextEntry(document.bytes, place.pos, document.end)
      continue
    }
    const record = readEventTime(document, place.pos)
    const seconds = windowTime(document)
    if (group === undefined || seconds < group.windowStart || seconds >= windowEnd) {
      const windowStart = Math.floor(seconds / options.window) * options.window
      windowEnd = windowStart + options.window
      group = groupOf(cursor, round, windowStart, stream.tag)
      if (group === undefined) return true
    }
    const { sink } = group
    const before = sink.at
    place.pos = write(document, record, position, sink)
    if (options.eventId && options.format === 'json') addEventId(sink, stream, place.event)
    reserve(sink, 1)
    sink.view.setUint8(sink.at++, NEWLINE)
    round.bytes += sink.at - before
    group.events += 1
    addPosition(round.positions, position)
  }
  return false
}

/** In the place of the closing brace, which a document with a time always has something before. */
function addEventId(sink: ByteSink, { idBase, idIndex }: StoredStream, event: number): void {
  sink.at -= 1
  writeAscii(sink, `,"event_id":"${idBase}.${idIndex + event}"}`)
}

/** What decides on the window: a function of this event alone, whatever stands around it. */
function windowTime({ seconds, receivedSeconds }: DocumentCursor): number {
  const isNear = seconds >= receivedSeconds - PAST_MAX && seconds <= receivedSeconds + AHEAD_MAX
  return isNear ? seconds : receivedSeconds
}

/** Undefined: it would be one too many for this round. Streams of one event are many: the last answer is kept. */
function groupOf({ options, spare }: LineCursor, round: Round, windowStart: number, tag: string): Group | undefined {
  const { last } = round
  if (last?.windowStart === windowStart && (options.key.isSameForTags || round.lastTag === tag)) return last
  const stem = renderStem(options.key, windowStart, tag)
  const name = groupName(windowStart, stem)
  let group = round.groups.get(name)
  if (group === undefined) {
    if (round.groups.size >= ROUND_GROUPS_MAX) return undefined
    group = { stem, windowStart, sink: spare.pop() ?? createByteSink(SINK_BYTES), events: 0 }
    emptySink(group.sink)
    round.groups.set(name, group)
  }
  round.last = group
  round.lastTag = tag
  return group
}

/** One name for each window and stem: a template may give several windows one stem. */
export const groupName = (windowStart: number, stem: string) => `${windowStart} ${stem}`

function addPosition(positions: Position[], position: Position): void {
  const last = positions.length - 1
  if (last >= 0 && positions[last] === position) positions[last] = position + 1
  else positions.push(position, position + 1)
}

function recycle({ spare }: LineCursor, { groups }: Round): void {
  let kept = spare.reduce((sum, sink) => sum + sink.limit, 0)
  for (const { sink } of groups.values()) {
    kept += sink.limit
    if (kept > SPARE_BYTES_MAX) break
    spare.push(sink)
  }
}

/** `2026-11-20T12:00:00+00:00`, a tab, the tag, a tab and the record. */
function createFluentdLine(): WriteLine {
  let tag: string | undefined
  let part = new Uint8Array(0)
  return (cursor, record, _position, sink) => {
    if (tag !== cursor.tag) {
      tag = cursor.tag
      // A tab or a newline in a tag would be another column or line.
      part = new TextEncoder().encode(`+00:00\t${tag?.replace(/[\t\r\n]/g, '_')}\t`)
    }
    reserve(sink, SECOND_LENGTH + part.length)
    writeSecond(cursor.seconds, 0x54, sink.view, sink.at)
    sink.bytes.set(part, sink.at + SECOND_LENGTH)
    sink.at += SECOND_LENGTH + part.length
    return writeRecord(cursor, record, sink)
  }
}
