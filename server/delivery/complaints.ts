/** What a delivery tells the operator, each complaint at most once in a while. Never an event's text. */
import type { Clock } from '../core/clock.ts'
import { LogboomError } from '../core/errors.ts'
import { createRateLimit, type Logger } from '../core/log.ts'

/** The same complaint is not repeated within this. */
const COMPLAINT_INTERVAL_MS = 30_000

export interface Complaints {
  retrying(reason: string, words: string, delayMs: number): void
  blocked(words: string): void
  /** @param reason the destination's name for the fault; its words may quote the event and are kept with it only. */
  died(reason: string, count: number): void
  /** Events went to the secondary. */
  handedOver(secondary: string, count: number): void
  recovered(words: string | undefined): void
}

/** @param log names the output in each line already. */
export function createComplaints(output: string, log: Logger, clock: Clock): Complaints {
  const limited = createRateLimit(COMPLAINT_INTERVAL_MS, () => clock.monotonic())
  const warn = (error: LogboomError, fields: object) =>
    log.warn({ code: error.code, ...fields }, `${error.message}. ${error.help}`)
  return {
    retrying(reason, words, delayMs) {
      limited(`retrying ${reason}`, (suppressed) =>
        warn(new LogboomError('LB-O002', { output, delay: inSeconds(delayMs), reason: words }), { reason, suppressed }),
      )
    },
    blocked(words) {
      limited(`blocked ${words}`, (suppressed) =>
        warn(new LogboomError('LB-O001', { output, reason: words }), { suppressed }),
      )
    },
    died(reason, count) {
      limited(`died ${reason}`, (suppressed) =>
        warn(new LogboomError('LB-O003', { output, reason }), { reason, count, suppressed }),
      )
    },
    handedOver(secondary, count) {
      limited(`handed over ${secondary}`, (suppressed) =>
        warn(new LogboomError('LB-P009', { output, secondary }), { secondary, count, suppressed }),
      )
    },
    recovered(words) {
      log.info({ after: words }, `output \`${output}\` delivers again`)
    },
  }
}

/** `0.4 s`, `12 s`. */
export function inSeconds(ms: number): string {
  const seconds = Math.max(0, ms) / 1000
  return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`
}
