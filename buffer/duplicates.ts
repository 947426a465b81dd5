/** The messages stored lately, by id base, so that one that is sent again is acknowledged and not stored twice. */

/** Messages that are remembered; at some 100 bytes each. */
export const REMEMBERED_MESSAGES_MAX = 100_000

const stored = Promise.resolve()

export class Duplicates {
  /** What to wait for: the group that holds the message. In order of arrival. */
  readonly #messages = new Map<string, Promise<void>>()
  readonly #max: number
  constructor(max: number = REMEMBERED_MESSAGES_MAX) {
    this.#max = max
  }

  /** The promise of the group that holds this message, or undefined when it is new. */
  find(idBase: string): Promise<void> | undefined {
    return this.#messages.get(idBase)
  }

  /** Remembers a message that is durable once `group` resolves. */
  remember(idBase: string, group: Promise<void> = stored): void {
    this.#messages.set(idBase, group)
    if (this.#messages.size <= this.#max) return
    const [oldest] = this.#messages.keys()
    this.#messages.delete(oldest!)
  }

  /** The message was not stored after all. */
  forget(idBase: string): void {
    this.#messages.delete(idBase)
  }
}
