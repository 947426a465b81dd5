/** Times in which an output delivers, and the moments between them in which nothing is in flight. */
import { LogboomError } from '../core/errors.ts'

export interface Rounds {
  /**
   * Runs a change as soon as nothing is in flight; what is, is left in the buffer. Rejects with what the change throws,
   * and with LogboomError LB-P002 when there is no such moment any more.
   */
  whileIdle<T>(change: () => Promise<T>): Promise<T>
  /** A new round; the signal aborts when something waits for its end. */
  begin(): AbortSignal
  /** Runs what waits. */
  end(): Promise<void>
  /** There are no more rounds. */
  close(): void
}

interface Change {
  run(): Promise<void>
  giveUp(): void
}

export function createRounds(output: string): Rounds {
  let round = new AbortController()
  let waiting: Change[] = []
  let isClosed = false
  return {
    whileIdle<T>(change: () => Promise<T>): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        const giveUp = () => reject(new LogboomError('LB-P002', { output }))
        if (isClosed) return giveUp()
        waiting.push({ run: () => change().then(resolve, reject), giveUp })
        round.abort()
      })
    },
    begin() {
      round = new AbortController()
      if (waiting.length > 0) round.abort()
      return round.signal
    },
    async end() {
      for (let change = waiting.shift(); change !== undefined; change = waiting.shift()) await change.run()
    },
    close() {
      isClosed = true
      for (const { giveUp } of waiting) giveUp()
      waiting = []
    },
  }
}
