/** The messages stored lately, by id base, so that one that is sent again is acknowledged and not stored twice. */

/** Messages that are remembered at least, and at most twice as many; at some 100 bytes each. */
export const REMEMBERED_MESSAGES_MIN = 50_000

const stored = Promise.resolve()

type Generation = Map<string, Promise<void>>

/**
 * Two generations: when the younger is full the older is forgotten as a whole. One map whose oldest entry is deleted
 * each time would do the same, but looking for its oldest entry steps over all that were deleted before.
 */
export class Duplicates {
  /** What to wait for: the group that holds the message. */
  #young: Generation = new Map()
  #old: Generation = new Map()
  readonly #min: number
  constructor(min: number = REMEMBERED_MESSAGES_MIN) {
    this.#min = min
  }

  /** The promise of the group that holds this message, or undefined when it is new. */
  find(idBase: string): Promise<void> | undefined {
    return this.#young.get(idBase) ?? this.#old.get(idBase)
  }

  /** Remembers a message that is durable once `group` resolves. */
  remember(idBase: string, group: Promise<void> = stored): void {
    if (this.#young.size >= this.#min) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(idBase, group)
  }

  /** The message was not stored after all. */
  forget(idBase: string): void {
    this.#young.delete(idBase)
    this.#old.delete(idBase)
  }
}
