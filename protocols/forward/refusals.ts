/** Counts what a connection did wrong and tells the operator, each complaint about a client once a minute at most. */
import { type ErrorCode, type ErrorDetails, LogboomError } from '../../server/core/errors.ts'
import { createRateLimit } from '../../server/core/log.ts'
import type { RejectReason } from '../../server/core/metrics.ts'
import { MalformedError } from '../../server/core/msgpack.ts'
import { createDoorbell } from '../listening/doorbell.ts'
import { StrangerError } from '../listening/first-bytes.ts'
import type { Knock } from '../listening/listen-stream.ts'
import type { InputContext } from '../protocol.ts'
import type { Refusal } from './handshake.ts'
import { BombError, LIMITS, OversizeError } from './limits.ts'

const INTERVAL_MS = 60_000

const HANDSHAKE_CODES = {
  key: 'LB-F004',
  user: 'LB-F009',
  source: 'LB-F010',
  ping: 'LB-F011',
  time: 'LB-F012',
} as const

export interface Refusals {
  /** The connection is closed because of this. */
  refused(peer: string, error: unknown): void
  /** A message or entries were left out; the connection stays. */
  leftOut(peer: string, reason: RejectReason, count: number, why: string): void
  /** The client ended within a message: it will send it again. */
  truncated(): void
  /** Closed, since it stalled within a message while memory was short. */
  stalled(peer: string): void
  /** It gets no more acks until it reads; its events are taken. */
  unreadAcks(peer: string): void
  /** Its events are kept, with the time of receipt. */
  farTime(peer: string): void
  /** Was not let in. */
  knocked(knock: Knock): void
  /** Did not pass the handshake. */
  notLetIn(peer: string, refusal: Refusal | 'time'): void
}

export function createRefusals(context: InputContext): Refusals {
  const { name, log, clock, stats } = context
  const doorbell = createDoorbell(context)
  const limited = createRateLimit(INTERVAL_MS, () => clock.monotonic())
  const say = (code: ErrorCode, details: ErrorDetails) => {
    limited(`${code} ${details.peer}`, (suppressed) => {
      const error = new LogboomError(code, { ...details, input: name })
      log.warn({ code, ...details, suppressed }, `${error.message}. ${error.help}`)
    })
  }
  return {
    refused(peer, error) {
      if (error instanceof StrangerError) {
        doorbell.stranger(peer, error.spoken, 'forward')
      } else if (error instanceof OversizeError) {
        stats.rejected.oversize += 1
        if (error.what === 'event') say('LB-F001', { peer, reason: error.message })
        else say('LB-F002', { peer, limit: sizeText(error.limitBytes) })
      } else if (error instanceof BombError) {
        stats.rejected.bomb += 1
        say('LB-F005', { peer, limit: sizeText(error.limitBytes) })
      } else if (error instanceof MalformedError) {
        stats.rejected.malformed += 1
        say('LB-F001', { peer, reason: error.message })
      } else {
        stats.rejected.buffer += 1
        say('LB-F006', { peer, reason: error instanceof Error ? error.message : String(error) })
      }
    },
    leftOut(peer, reason, count, why) {
      stats.rejected[reason] += count
      say('LB-F007', { peer, reason: why })
    },
    truncated() {
      stats.rejected.truncated += 1
    },
    stalled(peer) {
      stats.rejected.idle += 1
      say('LB-F008', { peer, reason: 'it stalled within a message while memory was short' })
    },
    unreadAcks(peer) {
      say('LB-F014', { peer, limit: sizeText(LIMITS.unreadAckBytes) })
    },
    farTime(peer) {
      say('LB-F013', { peer })
    },
    knocked({ peer, code, details }) {
      doorbell.knocked(peer, code, details)
    },
    notLetIn(peer, refusal) {
      doorbell.knocked(peer, HANDSHAKE_CODES[refusal], { limit: `${LIMITS.handshakeMs / 1000} s` })
    },
  }
}

function sizeText(bytes: number): string {
  return bytes % (1024 * 1024) === 0 ? `${bytes / (1024 * 1024)}MiB` : `${bytes} bytes`
}
