/** How a verb ends: what is said on stderr, and the exit code. Only `main.ts` ends the process with it. */
import type { Writable } from 'node:stream'
import type { WriteStream } from 'node:tty'
import { CommanderError } from 'commander'
import { ConfigErrors } from '../config/config-errors.ts'
import { explain } from '../config/explain.ts'
import { LogboomError } from '../core/errors.ts'

/** All is said already; only the exit code is left. */
export class Said extends Error {
  override readonly name = 'Said'
  readonly exitCode: number
  constructor(exitCode: number) {
    super(`exit code ${exitCode}`)
    this.exitCode = exitCode
  }
}

const USAGE = 64
const INTERNAL = 70

/**
 * Explains the error to the operator and returns the exit code: 0, 1, 64 usage, 69 unreachable, 70 internal, 78
 * configuration.
 */
export function endOf(error: unknown, talk: Writable): number {
  if (error instanceof Said) return error.exitCode
  // Commander has said it: 0 is for help and version, all else is wrong usage.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE
  talk.write(explain(error, { isColored: isColored(talk) }))
  return error instanceof LogboomError || error instanceof ConfigErrors ? error.exitCode : INTERNAL
}

/** Whether a stream is a terminal with colours; NO_COLOR is honoured. */
function isColored(stream: Writable): boolean {
  const terminal = stream as Partial<WriteStream>
  return terminal.isTTY === true && terminal.hasColors?.() === true
}
