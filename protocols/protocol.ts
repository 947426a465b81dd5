/** The contract of an input protocol: it listens, decodes, emits, and acknowledges what `emit` resolved. */
import type { Clock } from '../server/core/clock.ts'
import type { Emit, MarkStore, Spool } from '../server/core/event.ts'
import type { ConfigOf, Described, Fields } from '../server/core/fields.ts'
import type { Logger } from '../server/core/log.ts'
import type { InputStats } from '../server/core/metrics.ts'
import type { InheritedSockets } from './listening/inherited-sockets.ts'

/** All a protocol knows of the rest. */
export interface InputContext {
  /** The input's name in the configuration. */
  readonly name: string
  readonly emit: Emit
  /** Opens a file for the entries of one message that is too large for memory. */
  readonly spool: () => Promise<Spool>
  /** How far inputs have come in sources that keep their events; this one's names begin with `<name>/`. */
  readonly marks: MarkStore
  readonly stats: InputStats
  readonly log: Logger
  readonly clock: Clock
  /** Sockets that were handed over to the program; left out where there are none. */
  readonly inherited?: InheritedSockets
  /**
   * Where an input of this type listens (`127.0.0.1:9880`), so that one who is at the wrong port can be told; undefined
   * when there is none. Left out where there is nobody to ask.
   */
  readonly addressOf?: (type: string) => string | undefined
}

export interface Listener {
  /** What it listens on, for the operator: `127.0.0.1:24224 tcp`, `127.0.0.1:24224 udp`. */
  readonly addresses: readonly string[]
  /** Reads again what it took from files, its configuration being the same; at HUP. */
  reload?(): Promise<void>
  /** Stops accepting and reading, waits for what was emitted to be acknowledged, closes the sockets. */
  close(): Promise<void>
}

export interface Protocol<F extends Fields> extends Described<F> {
  /** Throws LogboomError LB-S001 when the address is taken, LB-S002 when it may not be opened. */
  listen(config: ConfigOf<F>, context: InputContext): Promise<Listener>
}
