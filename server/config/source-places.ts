/** From offsets in a configuration text to the place that is shown, with the secrets of its line masked. */
import { type Document, isScalar, type LineCounter, type Node, type Pair, visit } from 'yaml'
import type { SourcePlace } from '../core/errors.ts'
import { isSecretName, maskRanges, type TextRange } from './secrecy.ts'

export type Place = (range: TextRange) => SourcePlace | undefined

interface SourceText {
  readonly text: string
  /** Undefined: the text is not from a file, and there are no places. */
  readonly file: string | undefined
  readonly lines: LineCounter
  /** What the text became; undefined until it is parsed. */
  readonly document: () => Document | undefined
}

/** Secrets are masked character by character, so that columns stay true. */
export function createPlaces({ text, file, lines, document }: SourceText): Place {
  let secrets: readonly TextRange[] | undefined
  if (file === undefined) return () => undefined
  return ([start, end]) => {
    secrets ??= secretRanges(document(), text)
    const { line, col } = lines.lineStarts.length === 0 ? { line: 1, col: 1 } : lines.linePos(start)
    const column = Math.max(col, 1)
    const lineStart = start - (column - 1)
    const lineEnd = endOfLine(text, lineStart)
    const source = maskRanges(text.slice(lineStart, lineEnd), lineStart, secrets)
    return { file, line: Math.max(line, 1), column, length: Math.min(end, lineEnd) - start, source }
  }
}

/** The end of the range is that of the value, without the comment and the blank after it. */
export function rangeOf(node: Node | undefined): TextRange | undefined {
  const range = node?.range
  return range && range[1] > range[0] ? [range[0], range[1]] : undefined
}

export function keyOf(pair: Pair): string | undefined {
  return isScalar(pair.key) ? String(pair.key.value) : undefined
}

function endOfLine(text: string, from: number): number {
  const newline = text.indexOf('\n', from)
  const end = newline < 0 ? text.length : newline
  return text[end - 1] === '\r' ? end - 1 : end
}

/** All of the text where it cannot be told. */
function secretRanges(document: Document | undefined, text: string): readonly TextRange[] {
  try {
    if (document !== undefined) return findSecrets(document, text)
  } catch {
    // Nested deeper than the stack.
  }
  return [[0, text.length]]
}

/** Where values stand whose keys say that they are secret; one that is only a variable may be shown. */
function findSecrets(document: Document, text: string): TextRange[] {
  const isBroken = document.errors.length > 0
  const ranges: TextRange[] = []
  visit(document, {
    Pair(_, pair) {
      const key = rangeOf(pair.key as Node)
      const value = rangeOf((pair.value ?? undefined) as Node | undefined)
      if (key === undefined || value === undefined || !isSecretName(keyOf(pair) ?? '')) return
      if (/^["']?\$\{\w+\}["']?$/.test(text.slice(...value))) return
      // From the colon on, since a tag or an anchor is not part of the value; to the end of a line that is not YAML.
      const start = key[1] + (/^\s*:\s*/.exec(text.slice(key[1], value[0]))?.[0].length ?? 0)
      ranges.push([start, isBroken ? Math.max(value[1], endOfLine(text, start)) : value[1]])
    },
  })
  return ranges
}
