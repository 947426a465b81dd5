/**
 * Lines that belong together, such as a stack trace, joined into one event: a line that matches `start` begins a new
 * one, all others go on with what came before under the same tag and stream key.
 */
import type { FieldPath } from '../field-path.ts'
import type { FilterContext, Passage, Stage } from '../filter.ts'
import type { FilterEvent } from '../filter-event.ts'
import { packLike, stringBytes, textOf } from '../packed-value.ts'
import type { Pattern } from '../pattern.ts'
import { streamKey } from '../stream-key.ts'
import { WaitingGroup, WaitingGroups } from './waiting-groups.ts'

export interface MultilineOptions {
  readonly start: Pattern
  /** Holds the line. */
  readonly field: FieldPath
  /** Their values, with the tag, tell one stream from another. */
  readonly key: readonly FieldPath[]
  /** Between lines. */
  readonly separator: string
  readonly timeoutMs: number
  readonly maxSize: number
  readonly waitingSize: number
}

export function createMultilineJoin(options: MultilineOptions, { monotonic, count }: FilterContext): Stage {
  const { start, field, key } = options
  const separator = Buffer.from(options.separator)
  let out: Passage | undefined
  const limits = { timeoutMs: options.timeoutMs, waitingBytes: options.waitingSize }
  // That the time is up is how the last lines of a stream come to an end: no fault, and not counted as one.
  const groups = new WaitingGroups<WaitingGroup>(limits, monotonic, (group, reason) => {
    if (reason === 'join_limit') count(reason)
    out!.pass(joined(group))
  })

  function end(group: WaitingGroup): void {
    groups.remove(group)
    out!.pass(joined(group))
  }

  /** The group that the line goes on with; undefined: it begins one. */
  function goesOnWith(group: WaitingGroup | undefined, line: Uint8Array, receivedMs: number): WaitingGroup | undefined {
    if (group === undefined || groups.isOver(group, receivedMs) || start.test(startOf(line))) return undefined
    const size = group.bytes + group.events.length * separator.length + line.byteLength
    if (size <= options.maxSize) return group
    count('join_limit')
    return undefined
  }

  function joined({ events }: WaitingGroup): FilterEvent {
    const [first, ...rest] = events
    if (rest.length === 0) return first!.event
    const parts = events.flatMap(({ text }, index) => (index === 0 ? [text] : [separator, text]))
    first!.event.record.set(field, packLike(first!.event.record.get(field)!, Buffer.concat(parts)))
    const more = rest.flatMap(({ event }) => [event.position, ...event.joined])
    first!.event.joined = [...first!.event.joined, ...more]
    return first!.event
  }

  return {
    take(event, passage) {
      const value = event.record.get(field)
      const line = value && stringBytes(value)
      if (line === undefined) {
        passage.pass(event)
        return
      }
      out = passage
      const stream = streamKey([event.tag, ...key.map((path) => textOf(event.record.get(path)) ?? '')])
      const open = groups.get(stream)
      const group = goesOnWith(open, line, event.receivedMs)
      if (group === undefined && open !== undefined) end(open)
      const kept = passage.hold(event)
      groups.add(group ?? new WaitingGroup(stream), { event: kept, text: stringBytes(kept.record.get(field)!)! })
      groups.makeRoom()
    },
    due: () => groups.due(),
    expire(nowMs, passage) {
      out = passage
      groups.expire(nowMs)
    },
    forget: () => groups.clear(),
  }
}

/** Only the begin of a line is looked at, so that a long one costs no more, bytes. */
const LOOKED_AT = 4_096

function startOf(line: Uint8Array): string {
  return Buffer.from(line.buffer, line.byteOffset, Math.min(line.byteLength, LOOKED_AT)).toString('utf8')
}
