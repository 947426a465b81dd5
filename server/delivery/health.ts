/** How an output does, in a word and a sentence. Is told of troubles by their source and keeps the worst in front. */
import type { Writer } from '../../outputs/output.ts'

export type DeliveryState = 'ok' | 'retrying' | 'blocked'

export interface Health {
  readonly state: DeliveryState
  /** What the destination said, or which part of it is missing while the output goes on; undefined when all is well. */
  readonly lastError: string | undefined
}

/** The worst first. */
const RANKS: readonly DeliveryState[] = ['blocked', 'retrying', 'ok']

/** Where a trouble can come from; each has at most one at a time. */
export type TroubleSource = 'destination' | 'secondary' | 'dead letters' | 'parts'

export interface HealthBoard {
  /** A later trouble of the same source replaces the one before. `ok`: the output goes on all the same. */
  trouble(source: TroubleSource, state: DeliveryState, words: string): void
  /** @returns the trouble that is over, if there was one. */
  recovered(source: TroubleSource): Health | undefined
  health(): Health
}

/**
 * @param changed is called with each new health, and not when nothing changed.
 * @param writer whose parts are watched, where it has parts.
 */
export function createHealthBoard(
  changed: (health: Health) => void,
  writer: Pick<Writer, 'watchParts'> = {},
): HealthBoard {
  const troubles = new Map<TroubleSource, Health>()
  let shown: Health = { state: 'ok', lastError: undefined }

  function show(): void {
    const all = [...troubles.values()]
    const byRank = RANKS.flatMap((state) => all.filter((it) => it.state === state))
    const worst = byRank[0] ?? { state: 'ok', lastError: undefined }
    if (worst.state === shown.state && worst.lastError === shown.lastError) return
    shown = worst
    changed(worst)
  }

  const board: HealthBoard = {
    trouble(source, state, words) {
      troubles.set(source, { state, lastError: words })
      show()
    },
    recovered(source) {
      const over = troubles.get(source)
      troubles.delete(source)
      show()
      return over
    },
    health: () => shown,
  }
  writer.watchParts?.((words) => {
    if (words === undefined) board.recovered('parts')
    else board.trouble('parts', 'ok', words)
  })
  return board
}
