/**
 * Logboom's own log on stderr: JSON lines, or short ones for a person at a terminal. The same in the main thread
 * and in others.
 */
import { isatty } from 'node:tty'
import { styleText } from 'node:util'
import { destination, pino, stdTimeFunctions } from 'pino'
import { visibleText } from './core/event-text.ts'
import type { Logger } from './core/log.ts'

const STDERR = 2

export interface LoggerOptions {
  /** Least level that is written: debug, info, warn or error. */
  readonly level: string
  /** Takes each line; stderr by default. */
  readonly write?: (line: string) => void
  /** Lines for a person instead of JSON; by default when stderr is a terminal. */
  readonly isHuman?: boolean
  readonly isColored?: boolean
}

export function createLogger(options: LoggerOptions): Logger {
  const {
    level,
    write = writeStderr(),
    isHuman = isatty(STDERR),
    isColored = isHuman && hasColors(process.env),
  } = options
  const settings = {
    level,
    base: null,
    messageKey: 'message',
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: plainError },
  }
  return pino(settings, { write: isHuman ? (line) => write(formatLine(line, isColored)) : write })
}

/** Synchronous, so that the last words before an end are there. A reader of the log that is gone stops nothing. */
function writeStderr(): (line: string) => void {
  const stderr = destination({ fd: STDERR, sync: true })
  stderr.on('error', () => {})
  return (line) => stderr.write(line)
}

function hasColors(environment: NodeJS.ProcessEnv): boolean {
  return !environment.NO_COLOR && environment.TERM !== 'dumb'
}

/** The stack only where the error has no code: it is a fault of Logboom then. */
function plainError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const cause = error.cause instanceof Error ? error.cause.message : undefined
  const { message, stack } = error
  return { message, ...(code ? { code } : { stack }), ...(cause ? { cause } : {}) }
}

const LEVEL_STYLES: Readonly<Record<string, 'dim' | 'green' | 'yellow' | 'red'>> = {
  debug: 'dim',
  info: 'green',
  warn: 'yellow',
  error: 'red',
}

/** `10:42:07 warn  message  key=value key=value`: a line of JSON for the eye. */
export function formatLine(json: string, isColored: boolean): string {
  const { time, level, message, ...fields } = JSON.parse(json) as Record<string, unknown>
  const style = (format: 'dim' | 'green' | 'yellow' | 'red', text: string) =>
    isColored ? styleText(format, text, { validateStream: false }) : text
  const clock = new Date(String(time)).toTimeString().slice(0, 8)
  const label = String(level)
  const pairs = Object.entries(fields).map(([key, value]) => `${key}=${fieldText(value)}`)
  const tail = pairs.length === 0 ? '' : `  ${style('dim', pairs.join(' '))}`
  const head = `${style('dim', clock)} ${style(LEVEL_STYLES[label] ?? 'dim', label.padEnd(5))}`
  return `${head} ${visibleText(String(message ?? ''))}${tail}\n`
}

function fieldText(value: unknown): string {
  if (isErrorText(value)) return fieldText(value.stack ?? value.message)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return visibleText(/^[^\s"=]+$/.test(text) || typeof value !== 'string' ? text : JSON.stringify(text))
}

function isErrorText(value: unknown): value is { message: string; stack?: string } {
  return typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string'
}
