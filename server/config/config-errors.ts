/** All that is wrong with a configuration, at once. */
import type { LogboomError } from '../core/errors.ts'

export class ConfigErrors extends Error {
  override readonly name = 'ConfigErrors'
  /** At least one; in the order of their lines. */
  readonly problems: readonly LogboomError[]
  constructor(problems: readonly LogboomError[]) {
    super(problems.map(({ code, message }) => `${code} ${message}`).join('; '))
    this.problems = problems.toSorted(byPlace)
  }
  readonly exitCode = 78
}

function byPlace({ place: a }: LogboomError, { place: b }: LogboomError): number {
  return (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0)
}
