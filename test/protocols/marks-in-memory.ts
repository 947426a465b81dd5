/** A mark store that forgets with the process, for inputs under test. */
import type { Mark, MarkStore } from '../../server/core/event.ts'

export interface MemoryMarks extends MarkStore {
  readonly places: Map<string, string>
  /** As the buffer does when a stream is durable. */
  stored(mark: Mark | undefined): void
}

export function marksInMemory(): MemoryMarks {
  const places = new Map<string, string>()
  return {
    places,
    stored: (mark) => void (mark !== undefined && places.set(mark.source, mark.place)),
    find: (prefix) => new Map([...places].filter(([source]) => source.startsWith(prefix))),
    set: async (marks) => {
      for (const { source, place } of marks) {
        if (place === undefined) places.delete(source)
        else places.set(source, place)
      }
    },
  }
}
