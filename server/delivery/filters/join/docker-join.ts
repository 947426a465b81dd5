/**
 * Docker cuts lines at 16,384 bytes. Its log driver sends each piece as an event whose record holds, all as strings,
 * `partial_message` "true", `partial_id`, `partial_ordinal` "1" … and `partial_last`; the cut is by bytes, so that a
 * character may be cut too [moby daemon/logger/fluentd/fluentd.go, copier.go]. Here the pieces become one event again:
 * the first with the whole `log`, its id, time and position, without the partial keys.
 */
import type { FilterReason } from '../../../core/metrics.ts'
import { fieldName } from '../field-path.ts'
import type { FilterContext, Passage, Stage } from '../filter.ts'
import type { FilterEvent } from '../filter-event.ts'
import { packLike, stringBytes } from '../packed-value.ts'
import { streamKey } from '../stream-key.ts'
import { WaitingGroup, WaitingGroups } from './waiting-groups.ts'

export interface DockerJoinOptions {
  readonly timeoutMs: number
  /** Bytes of a joined `log`; a longer one is handed on in parts of this. */
  readonly maxSize: number
  readonly waitingSize: number
}

const LOG = [fieldName('log')] as const
const CONTAINER_ID = [fieldName('container_id')] as const
const SOURCE = [fieldName('source')] as const
const MESSAGE = [fieldName('partial_message')] as const
const ID = [fieldName('partial_id')] as const
const ORDINAL = [fieldName('partial_ordinal')] as const
const LAST = [fieldName('partial_last')] as const

/** Stands for the ordinal of a piece that came before; it sorts behind all others. */
const TWIN = Number.MAX_SAFE_INTEGER

/** Lines that were handed on before their end, with where they go on; more are forgotten. */
const CONTINUED_MAX = 1_000

interface Piece {
  readonly key: string
  readonly ordinal: number
  readonly isLast: boolean
  readonly text: Uint8Array
}

class Line extends WaitingGroup {
  /** Ordinal of the first piece that belongs here: 1, but where the start of the line was handed on already. */
  readonly begin: number
  /** One for each event; TWIN for a piece that was here already. */
  readonly ordinals: number[] = []
  /** Ordinal of the last piece, once it is here. */
  last: number | undefined
  #pieces = 0

  constructor(key: string, begin: number) {
    super(key)
    this.begin = begin
  }

  get isWhole(): boolean {
    return this.last !== undefined && this.#pieces === this.last - this.begin + 1
  }

  note(ordinal: number, isLast: boolean): void {
    this.ordinals.push(ordinal)
    if (ordinal === TWIN) return
    this.#pieces++
    if (isLast) this.last = ordinal
  }
}

export class DockerJoin implements Stage {
  readonly #maxSize: number
  readonly #count: FilterContext['count']
  readonly #lines: WaitingGroups<Line>
  /** By the line's key, the ordinal that it goes on with. */
  readonly #continued = new Map<string, number>()
  #out: Passage | undefined

  constructor({ timeoutMs, maxSize, waitingSize }: DockerJoinOptions, { monotonic, count }: FilterContext) {
    this.#maxSize = maxSize
    this.#count = count
    const limits = { timeoutMs, waitingBytes: waitingSize }
    this.#lines = new WaitingGroups(limits, monotonic, (line, reason) => {
      const newest = Math.max(...line.ordinals.filter((ordinal) => ordinal !== TWIN))
      this.#giveUp(line, reason, newest + 1)
    })
  }

  take(event: FilterEvent, out: Passage): void {
    const piece = pieceOf(event)
    if (piece === undefined) {
      out.pass(event)
      return
    }
    this.#out = out
    this.#add(event, piece)
    this.#lines.makeRoom()
  }

  due(): number | undefined {
    return this.#lines.due()
  }

  expire(nowMs: number, out: Passage): void {
    this.#out = out
    this.#lines.expire(nowMs)
  }

  forget(): void {
    this.#lines.clear()
    this.#continued.clear()
  }

  #add(event: FilterEvent, piece: Piece): void {
    const line = this.#lineOf(piece, event.receivedMs)
    const { ordinal, text, isLast } = piece
    const twin = line.ordinals.indexOf(ordinal)
    if (twin !== -1 && Buffer.compare(text, line.events[twin]!.text) !== 0) {
      this.#out!.pass(event)
      return
    }
    const kept = this.#out!.hold(event)
    if (twin === -1) {
      line.note(ordinal, isLast)
      this.#lines.add(line, { event: kept, text: stringBytes(kept.record.get(LOG)!)! })
    } else {
      // Sent twice, as a client does that got no ack: a part of the line that adds nothing to it.
      line.note(TWIN, false)
      this.#lines.add(line, { event: kept, text: NO_TEXT })
    }
    if (!line.isWhole) return
    this.#lines.remove(line)
    this.#continued.delete(line.key)
    this.#out!.pass(joined(line))
  }

  /** The line that the piece belongs to, after what cannot go on has been handed on. */
  #lineOf({ key, ordinal, text }: Piece, receivedMs: number): Line {
    const open = this.#lines.get(key)
    if (open !== undefined) {
      const isOver = this.#lines.isOver(open, receivedMs)
      if (!isOver && open.bytes + text.byteLength <= this.#maxSize) return open
      this.#lines.remove(open)
      this.#giveUp(open, isOver ? 'join_timeout' : 'join_limit', ordinal)
    }
    return new Line(key, this.#continued.get(key) ?? 1)
  }

  /** Hands on what is there of a line; pieces of it that come later begin with the ordinal `next`. */
  #giveUp(line: Line, reason: FilterReason, next: number): void {
    this.#count(reason)
    this.#continued.delete(line.key)
    this.#continued.set(line.key, next)
    if (this.#continued.size > CONTINUED_MAX) this.#continued.delete(this.#continued.keys().next().value!)
    this.#out!.pass(joined(line))
  }
}

const NO_TEXT = new Uint8Array(0)
const TRUE = Buffer.from('true')

/** Undefined: the event is no piece of a line. Most are none, and one look tells. */
function pieceOf({ record }: FilterEvent): Piece | undefined {
  const isPiece = record.get(MESSAGE)
  if (isPiece === undefined || !isTrue(isPiece)) return undefined
  const ordinal = Number(latin1(record.get(ORDINAL)))
  const id = latin1(record.get(ID))
  const log = record.get(LOG)
  const text = log && stringBytes(log)
  if (id === '' || text === undefined || !Number.isSafeInteger(ordinal) || ordinal < 1) return undefined
  const key = streamKey([record.get(CONTAINER_ID), record.get(SOURCE), record.get(ID)].map(latin1))
  const last = record.get(LAST)
  return { key, ordinal, isLast: last !== undefined && isTrue(last), text }
}

function isTrue(value: Uint8Array): boolean {
  const bytes = stringBytes(value)
  return bytes !== undefined && TRUE.equals(bytes)
}

function latin1(value: Uint8Array | undefined): string {
  const bytes = value && stringBytes(value)
  return bytes === undefined ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** The first piece, with what all of them said in the order of their ordinals. */
function joined({ events, ordinals }: Line): FilterEvent {
  const order = events.map((_, index) => index).sort((a, b) => ordinals[a]! - ordinals[b]!)
  const [first, ...rest] = order.map((index) => events[index]!.event)
  const event = first!
  const text = Buffer.concat(order.map((index) => events[index]!.text))
  event.record.set(LOG, packLike(event.record.get(LOG)!, text))
  for (const path of [MESSAGE, ID, ORDINAL, LAST]) event.record.remove(path)
  event.joined = [...event.joined, ...rest.flatMap((it) => [it.position, ...it.joined])]
  return event
}
