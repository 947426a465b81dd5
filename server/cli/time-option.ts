/** Times on the command line: an age such as `1h`, or a time as ISO 8601 writes it. */
import { DURATION_PATTERN, parseDuration } from '../config/units.ts'
import { LogboomError } from '../core/errors.ts'

/** ms since 1970. Throws LB-S006 for what is neither. */
export function parseTime(text: string, nowMs: number): number {
  if (DURATION_PATTERN.test(text)) return Math.max(0, nowMs - parseDuration(text))
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time) && time >= 0) return time
  throw new LogboomError('LB-S006', { reason: `not a time: ${text} (1h, 30m, 7d or 2026-01-31T12:00:00Z)` })
}

/** A whole number within limits. Throws LB-S006. */
export function parseCount(option: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new LogboomError('LB-S006', { reason: `${option} must be ${min} to ${max}, not ${text}` })
}
