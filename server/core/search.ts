/** The question a searchable store answers; the console, the API and the CLI ask through it. */

export interface SearchQuery {
  /**
   * Words that must all occur, `"a phrase"`, `word*`, `-not`, `field:value` (record key, dots for nesting),
   * `tag:docker.*`. Words are found whatever their case and accents, `10.0.0.4` as a phrase of four. A field or tag is
   * compared as text, exactly; `*` in it stands for anything, unless in quotation marks; of a list one item must match.
   * `"odd name":"odd value"` names any key, also one called `tag`. Empty: every event.
   */
  readonly text: string
  /** Event time in ms since 1970, from included, to excluded. */
  readonly fromMs?: number
  readonly toMs?: number
  /** Only events after this cursor, oldest first: the live tail. Else the newest first. */
  readonly after?: string
  /** Only events before this cursor, newest first: the next page. */
  readonly before?: string
  /** 1 to 1,000. */
  readonly limit: number
}

export interface SearchHit {
  /** Opaque, orders hits as they were stored; for `after` and `before`. */
  readonly cursor: string
  readonly id: string
  readonly timeMs: number
  readonly tag: string
  /** The document: record keys, `@timestamp`, `tag`, `sequence`; a JSON object as text, so that int64 survives. */
  readonly json: string
}

export interface SearchPage {
  readonly hits: readonly SearchHit[]
  /** The newest cursor of the store when it was asked: where a tail begins. */
  readonly newest: string
  /**
   * Where to go on: the `before` of the next page (absent: this was the last), or the `after` of the tail's next
   * question (always there). A page may hold fewer hits than `limit` and not be the last: large events make it short.
   */
  readonly next?: string
  /** The time limit or a damaged file cut the search short; `next`, where there is one, goes on. */
  readonly partial?: true
}

export interface Histogram {
  readonly fromMs: number
  readonly bucketMs: number
  readonly counts: readonly number[]
  /** A limit cut the counting short: what is missing is the oldest, where fields or tags had to be compared. */
  readonly partial?: true
}

export interface FieldValues {
  readonly field: string
  /** Most frequent first, at most 10, among the newest matching events. */
  readonly top: readonly { readonly value: string; readonly count: number }[]
}

/** Throws LogboomError LB-Q001 with the position when the text is not a query. */
export interface EventSearch {
  search(query: SearchQuery): Promise<SearchPage>
  histogram(query: SearchQuery, buckets: number): Promise<Histogram>
  fields(query: SearchQuery): Promise<readonly FieldValues[]>
  close(): Promise<void>
}
