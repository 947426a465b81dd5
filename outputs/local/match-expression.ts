/** From clauses to what a slice is asked: an expression for its index, and what is left to check event by event. */
import { KEY_MARK, keyToken } from './key-token.ts'
import { type Clause, endsInWord, type FieldClause, hasWord, type Query, type TagClause } from './query.ts'

export interface Plan {
  /** FTS5 expressions: what must match, and what must not. Undefined: nothing to ask. */
  readonly match: string | undefined
  readonly except: string | undefined
  /** What the tag must be, and what not. */
  readonly tags: readonly TagClause[]
  /** The index only narrows these down: each event that it finds must be checked. */
  readonly checks: readonly FieldClause[]
}

/** Keys of a document that need not come from the record, so the index may not know them. */
const ADDED_FIELDS: readonly string[] = ['@timestamp', 'tag', 'sequence']

/** Every piece of the text is within quotation marks: nothing of it can be taken for syntax. */
export function planQuery(query: Query): Plan {
  const must: string[] = []
  const mustNot: string[] = []
  for (const clause of query) {
    const term = indexTerm(clause)
    if (term === undefined) continue
    if (!clause.not) must.push(term)
    else if (clause.kind === 'words') mustNot.push(term)
  }
  return {
    match: must.length === 0 ? undefined : must.join(' AND '),
    except: mustNot.length === 0 ? undefined : mustNot.join(' OR '),
    tags: query.filter((clause) => clause.kind === 'tag'),
    checks: query.filter((clause) => clause.kind === 'field'),
  }
}

/** What the index must hold for the clause to be true; undefined: it cannot tell. */
function indexTerm(clause: Clause): string | undefined {
  if (clause.kind === 'words') return quote(clean(clause.text), clause.prefix)
  if (clause.kind === 'tag' || ADDED_FIELDS.includes(clause.path)) return undefined
  return valueTerm(clause)
}

/** The key's word and right behind it the words of the value, as far as the pattern says how it begins. */
function valueTerm({ path, pattern }: FieldClause): string {
  const key = keyToken(path)
  const start = clean(pattern[0])
  if (!hasWord(start)) return quote(key, false)
  return quote(`${key} ${start}`, pattern.length > 1 && endsInWord(start))
}

/** NUL would end the expression, and the mark would make a word of a key. */
function clean(text: string): string {
  return text.replaceAll('\0', ' ').replaceAll(KEY_MARK, ' ')
}

function quote(text: string, prefix: boolean): string {
  return `"${text.replaceAll('"', '""')}"${prefix ? ' *' : ''}`
}
