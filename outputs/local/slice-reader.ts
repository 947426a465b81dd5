/** Asks one slice: only here a search becomes SQL. Every statement is fixed; what is searched for is bound to it. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Position } from '../../server/core/event.ts'
import { BLOCK_EVENTS_MAX, type Block, eventAt, type StoredEvent, unpackBlock } from './block.ts'
import { matchesPattern } from './event-filter.ts'
import type { Plan } from './match-expression.ts'
import type { TagClause } from './query.ts'
import { newestPosition, readState, type SliceState } from './schema.ts'

/** Which events are asked for: positions within (above, below), times within [fromMs, toMs). */
export interface Window {
  readonly above: Position
  readonly below: Position
  readonly fromMs: number
  readonly toMs: number
}

export interface EventRow {
  readonly position: Position
  readonly timeMs: number
  readonly place: number
}

export interface TimeSpan {
  readonly oldestMs: number
  readonly newestMs: number
}

/** What the rows of a plan are taken from; CROSS JOIN makes the index of words the outer loop. */
const SOURCES = {
  all: { from: 'events e', where: '', key: 'e.position' },
  match: {
    from: 'words CROSS JOIN events e ON e.position = words.rowid',
    where: 'words MATCH :match AND',
    key: 'words.rowid',
  },
  except: {
    from: 'events e',
    where: 'e.position NOT IN (SELECT rowid FROM words WHERE words MATCH :match) AND',
    key: 'e.position',
  },
} as const

/** Which tags are wanted is looked up first, so that rows compare numbers. */
const OF_TAGS = 'AND e.tag IN (SELECT value FROM json_each(:tags))'

const COLUMNS = {
  newest: 'e.position, e.time_ms AS timeMs, e.place',
  oldest: 'e.position, e.time_ms AS timeMs, e.place',
  span: 'min(e.time_ms) AS oldestMs, max(e.time_ms) AS newestMs',
  count: 'CAST((e.time_ms - :start) / :width AS INTEGER) AS bucket, count(*) AS count',
} as const
type Question = keyof typeof COLUMNS

const ENDINGS: Record<Question, (key: string) => string> = {
  newest: (key) => `ORDER BY ${key} DESC`,
  oldest: (key) => `ORDER BY ${key}`,
  span: () => '',
  count: () => 'GROUP BY bucket',
}

export class SliceReader {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #readBlock: StatementSync
  readonly #allTags: StatementSync
  /** The block that was read last: neighbours are asked for one after the other. */
  #block: { readonly id: number; readonly block: Block } | undefined

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#allTags = db.prepare('SELECT id, tag FROM tags')
    this.#readBlock = db.prepare('SELECT body FROM blocks WHERE id = ?')
  }

  state(): SliceState {
    return readState(this.#db)
  }

  newest(): Position | undefined {
    return newestPosition(this.#db)
  }

  /** Events that the index finds, in the order that is asked for, found as they are taken. One walk at a time. */
  find(plan: Plan, window: Window, newestFirst: boolean): Iterable<EventRow> {
    const values = this.#bind(plan, window)
    if (values === undefined) return []
    const statement = this.#statement(plan, newestFirst ? 'newest' : 'oldest')
    return statement.iterate(values) as unknown as Iterable<EventRow>
  }

  /** Times between which the events lie that the index finds; undefined when there are none. */
  span(plan: Plan, window: Window): TimeSpan | undefined {
    const { oldestMs, newestMs } = this.state()
    const isAll =
      sourceOf(plan) === 'all' && plan.tags.length === 0 && window.above < 0 && window.below === Number.MAX_SAFE_INTEGER
    if (isAll && oldestMs !== null && newestMs !== null && oldestMs >= window.fromMs && newestMs < window.toMs) {
      return { oldestMs, newestMs }
    }
    const values = this.#bind(plan, window)
    if (values === undefined) return undefined
    const row = this.#statement(plan, 'span').get(values) as unknown as TimeSpan
    return row.oldestMs === null ? undefined : row
  }

  /** Adds to `counts` how many events the index finds in each bucket. */
  count(plan: Plan, window: Window, buckets: { start: number; width: number; counts: number[] }): void {
    const { start, width, counts } = buckets
    const values = this.#bind(plan, window)
    if (values === undefined) return
    const rows = this.#statement(plan, 'count').all({ ...values, start, width })
    for (const { bucket, count } of rows as { bucket: number; count: number }[]) counts[bucket]! += count
  }

  /** The event of a row; undefined when its slice was deleted just now. */
  read({ place }: EventRow): StoredEvent | undefined {
    const id = Math.floor(place / BLOCK_EVENTS_MAX)
    if (this.#block?.id !== id) {
      const row = this.#readBlock.get(id) as { body: Uint8Array } | undefined
      if (row === undefined) return undefined
      this.#block = { id, block: unpackBlock(row.body) }
    }
    return eventAt(this.#block.block, place % BLOCK_EVENTS_MAX)
  }

  /** Lets the last block go. */
  rest(): void {
    this.#block = undefined
  }

  close(): void {
    this.#db.close()
  }

  #statement(plan: Plan, question: Question): StatementSync {
    const name = sourceOf(plan)
    const ofTags = plan.tags.length > 0 ? OF_TAGS : ''
    const kind = `${question} ${name} ${ofTags}`
    const known = this.#statements.get(kind)
    if (known !== undefined) return known
    const { from, where, key } = SOURCES[name]
    const statement = this.#db.prepare(
      `SELECT ${COLUMNS[question]} FROM ${from} WHERE ${where} ${key} > :above AND ${key} < :below
         AND e.time_ms >= :fromMs AND e.time_ms < :toMs ${ofTags} ${ENDINGS[question](key)}`,
    )
    this.#statements.set(kind, statement)
    return statement
  }

  /** Undefined: no tag of the slice is wanted. */
  #bind(plan: Plan, { above, below, fromMs, toMs }: Window): Record<string, number | string> | undefined {
    const { match, except, tags } = plan
    const bound: Record<string, number | string> = { above, below, fromMs, toMs }
    if (match !== undefined) bound.match = except === undefined ? match : `(${match}) NOT (${except})`
    else if (except !== undefined) bound.match = except
    if (tags.length === 0) return bound
    const ids = this.#tagIds(tags)
    return ids.length === 0 ? undefined : { ...bound, tags: JSON.stringify(ids) }
  }

  #tagIds(clauses: readonly TagClause[]): number[] {
    const ids: number[] = []
    for (const { id, tag } of this.#allTags.iterate() as Iterable<unknown> as Iterable<{ id: number; tag: string }>) {
      if (clauses.every(({ pattern, not }) => matchesPattern(tag, pattern) !== not)) ids.push(id)
    }
    return ids
  }
}

function sourceOf({ match, except }: Plan): keyof typeof SOURCES {
  if (match !== undefined) return 'match'
  return except === undefined ? 'all' : 'except'
}
