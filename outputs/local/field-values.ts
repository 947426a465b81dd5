/** Counts the values of fields over some documents. Pure: documents in, the most frequent values out. */
import type { FieldValues } from '../../server/core/search.ts'

/** Fields that are shown, and values of each. */
const FIELDS_MAX = 100
const TOP_MAX = 10
/** Fields that are counted, values of each, and maps within maps: what is beyond is passed over. */
const COUNTED_FIELDS_MAX = 1_000
const COUNTED_VALUES_MAX = 2_000
const DEPTH_MAX = 8
/** A longer value, in characters, is no value to filter by; its field is still listed. */
const VALUE_LENGTH_MAX = 200

/** They differ from event to event. */
const UNIQUE_FIELDS: readonly string[] = ['@timestamp', 'sequence']

interface Tally {
  events: number
  readonly values: Map<string, number>
}

export class FieldCount {
  readonly #fields = new Map<string, Tally>()

  /** Counts one document, which `parseDocument` made. */
  add(document: unknown): void {
    const seen = new Set<string>()
    for (const [key, value] of Object.entries(document as object)) {
      if (!UNIQUE_FIELDS.includes(key)) this.#visit(key, value, DEPTH_MAX, seen)
    }
  }

  /** The fields that most documents have come first; equal ones by name. */
  result(): FieldValues[] {
    return [...this.#fields]
      .sort(([nameA, a], [nameB, b]) => b.events - a.events || (nameA < nameB ? -1 : 1))
      .slice(0, FIELDS_MAX)
      .map(([field, { values }]) => ({ field, top: top(values) }))
  }

  /** `seen`: what the document was counted for already, since a list may hold a value twice. */
  #visit(path: string, value: unknown, depth: number, seen: Set<string>): void {
    if (Array.isArray(value)) {
      for (const item of value) this.#visit(path, item, depth - 1, seen)
    } else if (typeof value === 'object' && value !== null) {
      if (depth <= 0) return
      for (const [key, inner] of Object.entries(value)) this.#visit(`${path}.${key}`, inner, depth - 1, seen)
    } else {
      this.#count(path, String(value), seen)
    }
  }

  #count(path: string, value: string, seen: Set<string>): void {
    const tally = this.#tally(path)
    if (tally === undefined) return
    if (isNew(seen, path)) tally.events++
    if (value.length > VALUE_LENGTH_MAX || !isNew(seen, `${path}\0${value}`)) return
    const count = tally.values.get(value)
    if (count !== undefined || tally.values.size < COUNTED_VALUES_MAX) tally.values.set(value, (count ?? 0) + 1)
  }

  #tally(path: string): Tally | undefined {
    const known = this.#fields.get(path)
    if (known !== undefined || this.#fields.size >= COUNTED_FIELDS_MAX) return known
    const made: Tally = { events: 0, values: new Map() }
    this.#fields.set(path, made)
    return made
  }
}

function isNew(seen: Set<string>, key: string): boolean {
  if (seen.has(key)) return false
  seen.add(key)
  return true
}

function top(values: Map<string, number>): FieldValues['top'] {
  return [...values]
    .sort(([valueA, a], [valueB, b]) => b - a || (valueA < valueB ? -1 : 1))
    .slice(0, TOP_MAX)
    .map(([value, count]) => ({ value, count }))
}
