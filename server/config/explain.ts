/**
 * Faults for a human: what and where, the line with a caret under the fault, and what to do. Pure: error in,
 * text out.
 */
import { styleText } from 'node:util'
import { LogboomError, type SourcePlace } from '../core/errors.ts'
import { visibleText } from '../core/event-text.ts'
import { ConfigErrors } from './config-errors.ts'

export interface ExplainOptions {
  readonly isColored: boolean
}

/** Wider lines are cut around the caret. */
const LINE_WIDTH_MAX = 120
/** What of a line stands before the caret when it is cut. */
const LEAD_WIDTH = 40

type Style = (format: 'bold' | 'dim' | 'red' | 'cyan', text: string) => string

/**
 * Ends with a newline. An error that is neither LogboomError nor ConfigErrors is shown with its stack: it is a
 * fault of Logboom.
 */
export function explain(error: unknown, { isColored }: ExplainOptions): string {
  const style: Style = (format, text) => (isColored ? styleText(format, text, { validateStream: false }) : text)
  if (error instanceof ConfigErrors) return error.problems.map((problem) => explainOne(problem, style)).join('\n')
  if (error instanceof LogboomError) return explainOne(error, style)
  return `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`
}

function explainOne(error: LogboomError, style: Style): string {
  const { place } = error
  const at = place === undefined ? '' : `${style('bold', `${place.file}:${place.line}:${place.column}`)}  `
  const head = `${at}${style('red', error.code)}  ${shown(error.message)}`
  const help = error.help === '' ? [] : [`    ${style('cyan', shown(error.help))}`]
  return `${[head, ...(place === undefined ? [] : sourceLines(place, style)), ...help].join('\n')}\n`
}

/** A place without length is only a position: there is nothing to point at. */
function sourceLines(place: SourcePlace, style: Style): string[] {
  if (place.length <= 0) return []
  const { text, column } = cut(place)
  const number = String(place.line).padStart(5)
  const lead = ' '.repeat(shown(text.slice(0, column - 1)).length)
  const width = Math.max(1, shown(text.slice(column - 1, column - 1 + place.length)).length)
  return [
    `${style('dim', `${number} |`)} ${shown(text)}`,
    `${style('dim', '      |')} ${lead}${style('red', '^'.repeat(width))}`,
  ]
}

function cut({ source, column }: SourcePlace): { text: string; column: number } {
  if (source.length <= LINE_WIDTH_MAX) return { text: source.trimEnd(), column }
  const from = Math.max(0, Math.min(column - 1 - LEAD_WIDTH, source.length - LINE_WIDTH_MAX))
  const before = from > 0 ? '…' : ''
  const after = from + LINE_WIDTH_MAX < source.length ? '…' : ''
  return { text: before + source.slice(from, from + LINE_WIDTH_MAX) + after, column: column - from + before.length }
}

/** Control characters could move the cursor or forge lines of the terminal. */
function shown(text: string): string {
  return visibleText(text.replaceAll('\t', '  '))
}
