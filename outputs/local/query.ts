/** The language of a search: text in, clauses out. Nothing here knows of SQL, files or events. */
import { LogboomError } from '../../server/core/errors.ts'

/** Characters of a query, clauses of it, and parts of a field's name between dots. */
export const QUERY_LIMITS = { characters: 4_096, clauses: 64, fieldParts: 16 } as const

/** All clauses must hold. None: every event. */
export type Query = readonly Clause[]

export type Clause = WordsClause | FieldClause | TagClause

/** Words that stand next to each other in one value, whatever the case and the characters between them. */
export interface WordsClause {
  readonly kind: 'words'
  readonly not: boolean
  readonly text: string
  /** The last word may go on. */
  readonly prefix: boolean
}

/** A key of the record whose value is, as text, what the pattern says. */
export interface FieldClause {
  readonly kind: 'field'
  readonly not: boolean
  /** Keys with dots between them; a key may hold dots itself. */
  readonly path: string
  readonly pattern: Pattern
}

export interface TagClause {
  readonly kind: 'tag'
  readonly not: boolean
  readonly pattern: Pattern
}

/** Texts with anything between them: `['abc']` is equality, `['docker.', '']` is `docker.*`. */
export type Pattern = readonly [string, ...string[]]

/** What begins a field: a letter, `_`, `@` or `$`. So `10.0.0.4:80` and `12:00:01` are words. */
const FIELD_NAME = /[\p{L}_@$][^\s:"]*:/uy
const BARE = /[^\s]*/uy
const SPACE = /\s*/uy
const WORD_CHARACTER = /[\p{L}\p{N}]/u
const ENDS_IN_WORD = /[\p{L}\p{N}]\p{M}*$/u

/**
 * `word  "a phrase"  word*  -not  field:value  "odd field":"odd value"  tag:docker.*`
 * Within quotes `\"` and `\\` stand for `"` and `\`, and `*` for itself. A word without letter or digit is passed over.
 * @throws LogboomError LB-Q001 with the position, counted from 1.
 */
export function parseQuery(text: string): Query {
  if (text.length > QUERY_LIMITS.characters) {
    throw badQuery(QUERY_LIMITS.characters, `longer than ${QUERY_LIMITS.characters} characters`)
  }
  const clauses: Clause[] = []
  let at = skip(SPACE, text, 0)
  while (at < text.length) {
    const item = readItem(text, at)
    if (item.clause !== undefined) clauses.push(item.clause)
    if (clauses.length > QUERY_LIMITS.clauses) throw badQuery(at, `more than ${QUERY_LIMITS.clauses} words`)
    at = skip(SPACE, text, item.end)
  }
  if (clauses.length === 0 && text.trim() !== '') throw badQuery(0, 'no letter and no digit to search for')
  return clauses
}

interface Item {
  readonly clause: Clause | undefined
  readonly end: number
}

function readItem(text: string, start: number): Item {
  // `--verbose` comes from a command line and is a word; `-` alone comes from an access log.
  const not = text[start] === '-' && /[^\s-]/.test(text[start + 1] ?? ' ')
  const at = not ? start + 1 : start
  if (text[at] === '"') return readQuotedItem(text, at, not)
  const nameEnd = fieldNameEnd(text, at)
  if (nameEnd === undefined) {
    const end = skip(BARE, text, at)
    return { clause: words(text.slice(at, end), not), end }
  }
  const name = text.slice(at, nameEnd - 1)
  const value = readValue(text, nameEnd)
  if (name === 'tag') return { clause: { kind: 'tag', not, pattern: value.pattern }, end: value.end }
  return { clause: field(name, not, value.pattern, at), end: value.end }
}

/** `"a phrase"`, or `"odd field":value`. */
function readQuotedItem(text: string, at: number, not: boolean): Item {
  const quoted = readQuoted(text, at)
  if (text[quoted.end] !== ':' || !/\S/.test(text[quoted.end + 1] ?? ' ')) {
    return { clause: phrase(quoted.text, not, false), end: quoted.end }
  }
  const value = readValue(text, quoted.end + 1)
  return { clause: field(quoted.text, not, value.pattern, at), end: value.end }
}

/** Position after the colon, or undefined: `error:` at the end of a word, `http://host` and `fe80::1` are no fields. */
function fieldNameEnd(text: string, at: number): number | undefined {
  const end = skip(FIELD_NAME, text, at)
  if (end === at || end === text.length) return undefined
  return /\s|:/.test(text[end] ?? ' ') || text.startsWith('//', end) ? undefined : end
}

function readValue(text: string, at: number): { pattern: Pattern; end: number } {
  if (text[at] === '"') {
    const quoted = readQuoted(text, at)
    return { pattern: [quoted.text], end: quoted.end }
  }
  const end = skip(BARE, text, at)
  return { pattern: text.slice(at, end).split('*') as [string, ...string[]], end }
}

function readQuoted(text: string, start: number): { text: string; end: number } {
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') return { text: value, end: at + 1 }
    if (text[at] === '\\' && (text[at + 1] === '"' || text[at + 1] === '\\')) at++
    value += text[at]
  }
  throw badQuery(start, 'the quotation mark is not closed')
}

function words(bare: string, not: boolean): WordsClause | undefined {
  const stem = bare.replace(/\*+$/, '')
  return phrase(stem, not, stem !== bare && ENDS_IN_WORD.test(stem))
}

function phrase(text: string, not: boolean, prefix: boolean): WordsClause | undefined {
  return hasWord(text) ? { kind: 'words', not, text, prefix } : undefined
}

/** Whether the text has a letter or a digit: else there is nothing that an index of words could find. */
export function hasWord(text: string): boolean {
  return WORD_CHARACTER.test(text)
}

/** Whether a word at the end of the text could go on in what follows it. */
export function endsInWord(text: string): boolean {
  return ENDS_IN_WORD.test(text)
}

function field(path: string, not: boolean, pattern: Pattern, at: number): FieldClause {
  if (path.split('.').length > QUERY_LIMITS.fieldParts) {
    throw badQuery(at, `a field of more than ${QUERY_LIMITS.fieldParts} parts`)
  }
  return { kind: 'field', not, path, pattern }
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

function badQuery(index: number, reason: string): LogboomError {
  return new LogboomError('LB-Q001', { position: index + 1, reason })
}
