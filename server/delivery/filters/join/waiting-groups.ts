/**
 * Groups of events that wait for more of their kind, oldest first, within a time and a size. What is joined to what is
 * their filter's matter.
 */
import type { FilterReason } from '../../../core/metrics.ts'
import type { FilterEvent } from '../filter-event.ts'

/** Groups that may wait at a time. */
const GROUPS_MAX = 10_000
/** Events that may wait at a time: each is a hole in what the cursor file has to say. */
const EVENTS_MAX = 20_000
/** What an event costs in memory beside its entry, bytes. */
const EVENT_BYTES = 512

export interface WaitingEvent {
  readonly event: FilterEvent
  /** What it adds to the joined text. */
  readonly text: Uint8Array
}

export class WaitingGroup {
  readonly key: string
  readonly events: WaitingEvent[] = []
  /** Of their texts. */
  bytes = 0
  /** Bytes that they take in memory. */
  memory = 0
  /** When the newest of them was received, ms since 1970. */
  receivedMs = 0
  /** Monotonic ms. */
  due = 0

  constructor(key: string) {
    this.key = key
  }
}

export interface GroupLimits {
  readonly timeoutMs: number
  /** Bytes of memory of all groups. */
  readonly waitingBytes: number
}

export class WaitingGroups<G extends WaitingGroup> {
  /** In the order in which they were touched last, which is that of their `due`. */
  readonly #groups = new Map<string, G>()
  readonly #limits: GroupLimits
  readonly #monotonic: () => number
  /** Hands a group on as it is; it is no longer here. */
  readonly #giveUp: (group: G, reason: FilterReason) => void
  #bytes = 0
  #events = 0

  constructor(limits: GroupLimits, monotonic: () => number, giveUp: (group: G, reason: FilterReason) => void) {
    this.#limits = limits
    this.#monotonic = monotonic
    this.#giveUp = giveUp
  }

  get(key: string): G | undefined {
    return this.#groups.get(key)
  }

  /**
   * Whether too much time lies between the group's newest event and one received now. By the time of receipt, which is
   * stored, so that the same events are joined in the same way when they are read again.
   */
  isOver(group: G, receivedMs: number): boolean {
    return receivedMs - group.receivedMs > this.#limits.timeoutMs
  }

  add(group: G, waiting: WaitingEvent): void {
    group.events.push(waiting)
    group.bytes += waiting.text.byteLength
    group.receivedMs = waiting.event.receivedMs
    group.due = this.#monotonic() + this.#limits.timeoutMs
    this.#groups.delete(group.key)
    this.#groups.set(group.key, group)
    const memory = waiting.event.end - waiting.event.start + EVENT_BYTES
    group.memory += memory
    this.#bytes += memory
    this.#events++
  }

  /** Gives up the oldest groups while too much waits. */
  makeRoom(): void {
    for (const group of this.#groups.values()) {
      const isTooMuch = this.#bytes > this.#limits.waitingBytes || this.#events > EVENTS_MAX
      if (!isTooMuch && this.#groups.size <= GROUPS_MAX) return
      this.remove(group)
      this.#giveUp(group, 'join_limit')
    }
  }

  remove(group: G): void {
    if (!this.#groups.delete(group.key)) return
    this.#bytes -= group.memory
    this.#events -= group.events.length
  }

  due(): number | undefined {
    for (const group of this.#groups.values()) return group.due
    return undefined
  }

  expire(nowMs: number): void {
    for (const group of this.#groups.values()) {
      if (group.due > nowMs) return
      this.remove(group)
      this.#giveUp(group, 'join_timeout')
    }
  }

  clear(): void {
    this.#groups.clear()
    this.#bytes = 0
    this.#events = 0
  }
}
