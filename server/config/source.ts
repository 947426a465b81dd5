/**
 * A configuration text as plain data that remembers where each value stands. Knows YAML and variables, and no
 * field.
 */
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  visit,
} from 'yaml'
import { LogboomError, type SourcePlace } from '../core/errors.ts'
import { isSecretName, type TextRange } from './secrecy.ts'
import { createPlaces, keyOf, type Place, rangeOf } from './source-places.ts'
import { substitute, type VariableFault } from './variables.ts'

export type KeyPath = readonly (string | number)[]

export interface Source {
  /** Plain data; a value that was one variable is a FromVariable, one that could not be made UNRESOLVED. */
  readonly value: unknown
  /** Faults of YAML and of variables. */
  readonly problems: readonly LogboomError[]
  /**
   * The place of a value, or of its key; of the nearest that exists, where it does not. Undefined for a text
   * without a file.
   */
  place(path: KeyPath, part?: 'key' | 'value'): SourcePlace | undefined
  /** How the value is written, where it is there. */
  written(path: KeyPath): string | undefined
}

export interface SourceOptions {
  /** Name for the operator; undefined: the text is not from a file. */
  readonly file: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
}

interface Found {
  readonly key: Node | undefined
  readonly value: Node | undefined
  /** Whether the path was followed to its end. */
  readonly whole: boolean
}

/** Never throws for what the text holds; its faults are in `problems`. */
export function parseSource(text: string, { file, environment }: SourceOptions): Source {
  const lines = new LineCounter()
  const problems: LogboomError[] = []
  let document: Document | undefined
  const place = createPlaces({ text, file, lines, document: () => document })
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, logLevel: 'error' })
    problems.push(...syntaxProblems(document, text, place))
    if (problems.length === 0) problems.push(...substituteAll(document, environment, { text, place }))
    const value = problems.some(({ code }) => code === 'LB-C005') ? undefined : document.toJS()
    return { value, problems, ...navigate(document, text, place) }
  } catch (error) {
    const reason = tooHard(error)
    if (reason === undefined) throw error
    const range = document !== undefined && error instanceof ReferenceError ? lostAlias(document) : undefined
    problems.push(new LogboomError('LB-C005', { reason }, { place: place(range ?? [0, 0]) }))
    return { value: undefined, problems, place: () => place([0, 0]), written: () => undefined }
  }
}

/** What the parser throws instead of reporting it, in words; undefined for all else, which is a fault of Logboom. */
function tooHard(error: unknown): string | undefined {
  if (error instanceof RangeError) return 'it is nested too deeply'
  if (error instanceof ReferenceError && /alias/i.test(error.message)) return shorten(error.message)
  return undefined
}

/** The first fault of syntax only, since the others follow from it; keys given twice are reported one by one. */
function syntaxProblems(document: Document, text: string, at: Place): LogboomError[] {
  const twice = document.errors.filter(({ code }) => code === 'DUPLICATE_KEY')
  const first = document.errors.find(({ code }) => code !== 'DUPLICATE_KEY') ?? document.warnings[0]
  return [...twice, ...(first === undefined ? [] : [first])].map((fault) => {
    const place = at(faultRange(fault, document, text))
    return new LogboomError('LB-C005', { reason: reasonOf(fault, text) }, { place })
  })
}

interface Fault {
  readonly code: string
  readonly message: string
  readonly pos: readonly [number, number]
}

/** A quote that is not closed is shown where it opens, since the parser misses it only at the end of the file. */
function faultRange({ code, pos }: Fault, document: Document, text: string): TextRange {
  if (code === 'DUPLICATE_KEY') return [pos[0], pos[0] + /^[\w-]*/.exec(text.slice(pos[0]))![0].length]
  let range: TextRange = pos
  if (code !== 'MISSING_CHAR') return range
  visit(document, {
    Scalar(_, { type, range: at }) {
      if (type?.startsWith('QUOTE') && at && at[0] < pos[0] && pos[0] <= at[2]) range = [at[0], at[0] + 1]
    },
  })
  return range
}

function reasonOf(fault: Fault, text: string): string {
  const before = text.slice(text.lastIndexOf('\n', fault.pos[0] - 1) + 1, fault.pos[0])
  if (fault.code === 'DUPLICATE_KEY') return 'this key is given twice'
  if (fault.code === 'TAB_AS_INDENT') return 'a tab; indent with spaces'
  if (fault.code === 'MULTIPLE_DOCS') return 'a second document begins here'
  if (fault.code === 'MISSING_CHAR' && fault.message.endsWith('quote')) return 'this quote is not closed'
  if (before.endsWith('$')) return `between braces a variable needs quotes, as in "\${VAR}"`
  return shorten(fault.message)
}

/** The parser's words without the text that it quotes, which may be a part of a secret; the caret shows it. */
function shorten(message: string): string {
  const words = message.split(/\n|: /, 1)[0]!
  return words.charAt(0).toLowerCase() + words.slice(1)
}

function lostAlias(document: Document): TextRange | undefined {
  let range: TextRange | undefined
  visit(document, {
    Alias(_, node) {
      if (node.resolve(document) !== undefined) return
      range = rangeOf(node)
      return visit.BREAK
    },
  })
  return range
}

interface Substitution {
  readonly text: string
  readonly place: Place
}

/** Changes the scalars of the document in place. */
function substituteAll(
  document: Document,
  environment: SourceOptions['environment'],
  at: Substitution,
): LogboomError[] {
  const problems: LogboomError[] = []
  visit(document, {
    Scalar(part, node, ancestors) {
      if (part === 'key' || typeof node.value !== 'string' || !node.value.includes('$')) return
      const { value, faults } = substitute(node.value, environment)
      node.value = value
      const isSecret = ancestors.some((it) => isPair(it) && isSecretName(keyOf(it) ?? ''))
      for (const fault of faults) {
        const place = at.place(rangeWithin(node, fault.written, at.text))
        problems.push(variableProblem(fault, place, isSecret))
      }
    },
  })
  return problems
}

const WRITTEN_LENGTH_MAX = 60

function variableProblem(fault: VariableFault, place: SourcePlace | undefined, isSecret: boolean): LogboomError {
  if (fault.kind === 'missing') return new LogboomError('LB-C004', { variable: fault.name }, { place })
  const written = isSecret ? `\${…}` : fault.written.slice(0, WRITTEN_LENGTH_MAX)
  return new LogboomError('LB-C011', { written }, { place })
}

function rangeWithin(node: Scalar, written: string, text: string): TextRange {
  const [start, end] = node.range ?? [0, 0]
  const offset = text.slice(start, end).indexOf(written)
  return offset < 0 ? [start, end] : [start + offset, start + offset + written.length]
}

function navigate(document: Document, text: string, place: Place): Pick<Source, 'place' | 'written'> {
  return {
    place(path, part = 'value') {
      const { key, value, whole } = find(document, path)
      const range =
        rangeOf(whole && part === 'value' ? value : key) ?? rangeOf(key) ?? rangeOf(whole ? value : undefined)
      return place(range ?? [0, 0])
    },
    written(path) {
      const { value, whole } = find(document, path)
      const range = whole ? rangeOf(value) : undefined
      return range && text.slice(...range)
    },
  }
}

/** Follows the path as far as it goes. */
function find(document: Document, path: KeyPath): Found {
  let value = (document.contents ?? undefined) as Node | undefined
  let key: Node | undefined
  for (const step of path) {
    const inside = isAlias(value) ? value.resolve(document) : value
    if (isSeq(inside)) {
      value = inside.items[Number(step)] as Node | undefined
      if (value === undefined) return { key, value: inside, whole: false }
      key = value
      continue
    }
    const pair = isMap(inside) ? inside.items.find((item) => keyOf(item) === String(step)) : undefined
    if (pair === undefined) return { key, value: inside, whole: false }
    key = pair.key as Node
    value = (pair.value ?? undefined) as Node | undefined
  }
  return { key, value, whole: true }
}
