/** The list of events as a value: what is shown, and what waits while the list is held. Pure; the page draws it. */
import type { Hit, Page } from './api.ts'

/** Events kept in memory; older ones are fetched again when scrolled to. */
export const ROWS_MAX = 5_000
/** And so many characters of JSON: a browser tab has little memory, and events may be large. */
export const CHARACTERS_MAX = 32 * 1024 * 1024

export interface Feed {
  /** Newest first, without gaps. */
  readonly rows: readonly Hit[]
  /** What came while the list was held: the newest of it, newest first, and how many in all. */
  readonly fresh: readonly Hit[]
  readonly freshCount: number
  /** Where older events go on; undefined: there are none. */
  readonly older: string | undefined
  /** No older page fits any more. */
  readonly full: boolean
}

export const EMPTY_FEED: Feed = { rows: [], fresh: [], freshCount: 0, older: undefined, full: false }

/** Puts newer before older. What is cut off at the end is in the store still, and found again from the last row on. */
function join(newer: readonly Hit[], rows: readonly Hit[], older: string | undefined): Pick<Feed, 'rows' | 'older'> {
  const all = [...newer, ...rows]
  let count = 0
  for (let characters = 0; count < Math.min(all.length, ROWS_MAX); count += 1) {
    characters += all[count]!.size
    if (count > 0 && characters > CHARACTERS_MAX) break
  }
  return count === all.length ? { rows: all, older } : { rows: all.slice(0, count), older: all[count - 1]!.cursor }
}

/** The first page of an answer. */
export function startFeed({ hits, next }: Page): Feed {
  return { ...EMPTY_FEED, rows: hits, older: next }
}

/** Events of the tail, oldest first. While the list is held they wait: the newest here, all in the store. */
export function arrive(feed: Feed, hits: readonly Hit[], held: boolean): Feed {
  const newer = [...hits].reverse()
  if (!held) return { ...feed, ...join(newer, feed.rows, feed.older) }
  return { ...feed, fresh: join(newer, feed.fresh, undefined).rows, freshCount: feed.freshCount + hits.length }
}

/** Shows what has waited. */
export function release(feed: Feed): Feed {
  if (feed.freshCount === 0) return feed
  const isWhole = feed.fresh.length === feed.freshCount
  // Where not all that came was kept, the rows from before would stand behind a gap.
  const joined = isWhole
    ? join(feed.fresh, feed.rows, feed.older)
    : { rows: feed.fresh, older: feed.fresh.at(-1)!.cursor }
  return { ...EMPTY_FEED, ...joined, full: isWhole && feed.full }
}

/** An older page. Where it does not fit whole, the list is full. */
export function extend(feed: Feed, { hits, next }: Page): Feed {
  const extended = join(feed.rows, hits, next)
  return { ...feed, ...extended, full: extended.rows.length < feed.rows.length + hits.length }
}

export function canExtend({ older, full }: Feed): boolean {
  return older !== undefined && !full
}
