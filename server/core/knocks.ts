/** Who knocked in vain of late: a short list that no number of strangers makes longer. */
import type { ErrorCode } from './errors.ts'

export interface Knock {
  /** When it was last, in ms since 1970. */
  atMs: number
  readonly peer: string
  readonly code: ErrorCode
  /** What was wrong and how to mend it; may hold words of the peer, so whoever shows it escapes it. */
  text: string
  /** How often, since it is in the list. */
  count: number
}

/** Knocks that are remembered. */
export const KNOCKS_MAX = 32
/** Characters of a text that are kept. */
const TEXT_MAX = 500
/** A text is made anew at most so often, in ms: a flood costs a count each. */
const TEXT_MS = 1_000

interface KeptKnock extends Knock {
  /** When its text was made. */
  textMs: number
}

export class Knocks {
  /** The latest one last. */
  readonly #list: KeptKnock[] = []

  /** A peer that knocks again for the same reason is the same knock, once more. */
  note(atMs: number, peer: string, code: ErrorCode, textOf: () => string): void {
    const at = this.#list.findIndex((knock) => knock.peer === peer && knock.code === code)
    const known = at === -1 ? undefined : this.#list.splice(at, 1)[0]
    const knock = known ?? { atMs, peer, code, text: '', count: 0, textMs: Number.NEGATIVE_INFINITY }
    if (Math.abs(atMs - knock.textMs) >= TEXT_MS) {
      knock.text = textOf().slice(0, TEXT_MAX)
      knock.textMs = atMs
    }
    knock.atMs = atMs
    knock.count += 1
    this.#list.push(knock)
    if (this.#list.length > KNOCKS_MAX) this.#list.shift()
  }

  get list(): readonly Readonly<Knock>[] {
    return this.#list
  }
}
