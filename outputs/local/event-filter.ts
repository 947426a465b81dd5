/** Checks a document against the clauses that an index cannot decide. Pure: text in, yes or no out. */
import type { FieldClause, Pattern } from './query.ts'

/** What a JSON number is made of. Text with any other character is none, so that the fast way to parse will do. */
const NUMBER_TEXT = /^[-+.\deE]*$/

/** Whether all clauses hold for the document. */
export function passes(checks: readonly FieldClause[], json: string): boolean {
  const isExact = checks.some((check) => mayBeNumber(check.pattern))
  const document: unknown = isExact ? parseDocument(json) : JSON.parse(json)
  return checks.every(({ path, pattern, not }) => holds(document, path, pattern) !== not)
}

/** The document with its numbers as the text they are written in, so that 64 bits and `3.0` stay what they are. */
export function parseDocument(json: string): unknown {
  return JSON.parse(json, numberAsText as Parameters<typeof JSON.parse>[1])
}

function numberAsText(_key: string, value: unknown, context: { source: string }): unknown {
  return typeof value === 'number' ? context.source : value
}

function mayBeNumber(pattern: Pattern): boolean {
  return pattern.every((piece) => NUMBER_TEXT.test(piece))
}

/** A list holds when one of its items does, a map never. A key may hold dots: every way to read the path is tried. */
function holds(value: unknown, path: string | undefined, pattern: Pattern): boolean {
  if (Array.isArray(value)) return value.some((item) => holds(item, path, pattern))
  const isMap = typeof value === 'object' && value !== null
  if (path === undefined) return !isMap && matchesPattern(String(value), pattern)
  if (!isMap) return false
  const map = value as Record<string, unknown>
  if (Object.hasOwn(map, path) && holds(map[path], undefined, pattern)) return true
  for (let dot = path.indexOf('.'); dot !== -1; dot = path.indexOf('.', dot + 1)) {
    const key = path.slice(0, dot)
    if (Object.hasOwn(map, key) && holds(map[key], path.slice(dot + 1), pattern)) return true
  }
  return false
}

/** The pieces of the pattern in order, the first at the start of the text and the last at its end. */
export function matchesPattern(text: string, pattern: Pattern): boolean {
  const [first, ...rest] = pattern
  const last = rest.pop()
  if (last === undefined) return text === first
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  const end = text.length - last.length
  let at = first.length
  for (const piece of rest) {
    const found = text.indexOf(piece, at)
    if (found === -1 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}
