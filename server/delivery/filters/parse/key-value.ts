/** Lines of keys and values: logfmt, LTSV, and pairs with delimiters of one's own. */
import type { LineParser } from './line-parser.ts'

const SPACE = 0x20
const QUOTE = 0x22
const EQUALS = 0x3d
const BACKSLASH = 0x5c
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

/** `level=info msg="a \"b\"" debug`: a key alone is true. Without any `=` it is no logfmt. */
export const parseLogfmt: LineParser = (text) => {
  const pairs: [string, unknown][] = []
  let hasValue = false
  for (let at = skipSpace(text, 0); at < text.length; at = skipSpace(text, at)) {
    const keyEnd = endOfKey(text, at)
    const key = text.slice(at, keyEnd)
    if (key === '') return undefined
    if (text.charCodeAt(keyEnd) !== EQUALS) {
      pairs.push([key, true])
      at = keyEnd
      continue
    }
    hasValue = true
    const isQuoted = text.charCodeAt(keyEnd + 1) === QUOTE
    const end = isQuoted ? endOfQuoted(text, keyEnd + 2) : endOfWord(text, keyEnd + 1)
    if (end === -1) return undefined
    pairs.push([key, isQuoted ? unescaped(text.slice(keyEnd + 2, end)) : text.slice(keyEnd + 1, end)])
    at = isQuoted ? end + 1 : end
  }
  return hasValue ? pairs : undefined
}

/** Parts between `delimiter`s, each a key, `label` and a value; at least one must be such a pair. */
export function createPairsParser(delimiter: string, label: string): LineParser {
  return (text) => {
    const pairs: [string, unknown][] = []
    for (const part of text.split(delimiter)) {
      const at = part.indexOf(label)
      if (at > 0) pairs.push([part.slice(0, at).trim(), part.slice(at + label.length)])
    }
    return pairs.length > 0 ? pairs : undefined
  }
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) <= SPACE) at++
  return at
}

function endOfWord(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) > SPACE) at++
  return at
}

function endOfKey(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) > SPACE && text.charCodeAt(at) !== EQUALS) at++
  return at
}

/** Where the closing quote stands; -1: there is none. */
function endOfQuoted(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) return at
    if (unit === BACKSLASH) at++
  }
  return -1
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/gs, (_, char: string) => ESCAPES[char] ?? char)
}
