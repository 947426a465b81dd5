/** Turns syslog messages into entries, each under the tag of its facility and severity. No socket here. */
import type { GatherEntries } from '../encoding/gather-entries.ts'
import type { Doorbell } from '../listening/doorbell.ts'
import { recognise, type Spoken } from '../listening/first-bytes.ts'
import type { FrameIntake } from '../listening/frame-input.ts'
import { SyslogEntries } from './entry.ts'
import type { SyslogFraming } from './framing.ts'
import { createSyslogMessage, parseSyslog, type SyslogRules } from './message.ts'
import { DEFAULT_PRIORITY, tagsOf } from './priorities.ts'

export interface SyslogIntakeOptions extends SyslogRules {
  /** What the tags begin with. */
  readonly tag: string
  /** Bytes of a message that are kept. */
  readonly messageBytes: number
  readonly gather: GatherEntries
  readonly doorbell: Doorbell
  /** ms since 1970. */
  readonly now: () => number
}

/** What begins so is no syslog message, also when it has no PRI. */
export const FOREIGN: ReadonlySet<Spoken> = new Set([
  ...(['tls', 'http', 'ssh', 'proxy', 'forward', 'gelf-chunk', 'gzip'] as const),
])

export class SyslogIntake implements FrameIntake<SyslogFraming> {
  readonly #options: SyslogIntakeOptions
  readonly #tags: readonly Buffer[]
  readonly #entries: SyslogEntries
  readonly #message = createSyslogMessage()

  constructor(options: SyslogIntakeOptions) {
    this.#options = options
    this.#tags = tagsOf(options.tag)
    this.#entries = new SyslogEntries(this.#tags.length)
  }

  takeFrame(framing: SyslogFraming, peer: string): void {
    this.#take(framing.bytes, framing.start, framing.end, peer, framing.cut)
  }

  /** A datagram is one message, whatever is in it. [RFC 5426 3.1] */
  takeDatagram(datagram: Buffer, peer: string): void {
    const { messageBytes, doorbell } = this.#options
    const isStrange = datagram[0] !== LESS
    const spoken = isStrange ? recognise(datagram) : undefined
    if (spoken !== undefined && FOREIGN.has(spoken)) doorbell.stranger(peer, spoken, 'syslog')
    else this.#take(datagram, 0, Math.min(datagram.length, messageBytes), peer, datagram.length > messageBytes)
  }

  #take(bytes: Buffer, start: number, end: number, peer: string, cut: boolean): void {
    const { gather, doorbell, messageBytes, now } = this.#options
    const message = this.#message
    const nowMs = now()
    parseSyslog(bytes, start, end, nowMs, this.#options, message)
    // White space alone is no message: some senders keep the connection alive with line ends.
    if (!message.isParsed && isBlank(bytes, message.message.start, message.message.end)) return
    const priority = message.priority < 0 ? DEFAULT_PRIORITY : message.priority
    const tag = this.#tags[priority]!
    this.#entries.write(bytes, message, priority, nowMs, gather.begin(tag))
    gather.commit()
    if (cut) doorbell.knocked(peer, 'LB-L003', { limit: messageBytes })
    if (!message.isParsed) doorbell.knocked(peer, 'LB-L001', { tag: tag.toString() })
  }
}

const LESS = 0x3c

function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at]! > 0x20) return false
  return true
}
