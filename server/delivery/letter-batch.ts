/** Letters become a batch again, each event under the id and the position it had. */
import type { Batch } from '../core/event.ts'
import { batchOfStreams } from './batch-selection.ts'
import type { StoredLetter } from './dead-letter-files.ts'
import type { DeadLetter } from './dead-letter-format.ts'

/** In the order of the buffer. After a crash a letter may be there twice: the later one counts. */
export function distinctLetters(found: readonly StoredLetter[]): DeadLetter[] {
  const byId = new Map(found.map(({ letter }) => [letter.id, letter]))
  return [...byId.values()].sort((a, b) => a.position - b.position)
}

/** One letter at least. */
export function batchOfLetters(letters: readonly DeadLetter[]): Batch {
  const streams = letters.map(({ tag, entry: packed, position, id, receivedMs }) => {
    const dot = id.lastIndexOf('.')
    return { tag, packed, count: 1, position, idBase: id.slice(0, dot), idIndex: Number(id.slice(dot + 1)), receivedMs }
  })
  return batchOfStreams(streams)
}
