/** One connection of the load generator, from its first event to its last ack. Prints nothing but what went wrong. */
import { connect, type Socket } from 'node:net'
import { ACK_BYTES, createMessageSource, type Mode } from './forward-messages.ts'

/** Small messages are written together, up to this many bytes. */
const WRITE_BYTES = 64 * 1024
/** Writes that the kernel has not taken, per connection. */
const WRITES_MAX = 4
const RECONNECT_PAUSE_MS = 50
const TICK_MS = 5

export interface Plan {
  readonly host: string
  readonly port: number
  readonly mode: Mode
  readonly batch: number
  readonly ack: boolean
  readonly window: number
  /** Events per second of one connection; 0: as fast as possible. */
  readonly rate: number
  readonly startSeconds: number
  readonly lineBytes: number
  readonly tag: string
  readonly reconnectMs: number
}

/** Events `first` to `last` of a connection were acknowledged, so long after they were written. */
export interface Ack {
  readonly connection: number
  readonly first: number
  readonly last: number
  readonly ms: number
}

export interface LaneOptions {
  /** Two digits at most: it stands in every event's id. */
  readonly number: number
  /** Infinity: until `end`. */
  readonly events: number
  readonly onAck: (ack: Ack) => void
}

/** One connection, from its first event to its last ack. */
export class Lane {
  readonly #plan: Plan
  readonly #events: number
  readonly #source: ReturnType<typeof createMessageSource>
  readonly #number: number
  readonly #onAck: (ack: Ack) => void
  /** Spare write buffers; what is missing is with the kernel. */
  readonly #buffers: Buffer[] = []
  readonly #sentAt: Float64Array
  #socket: Socket | undefined
  #rest = Buffer.alloc(0)
  #began = 0
  #lostAt = 0
  #finish: () => void = () => {}
  #isEnding = false
  sent = 0
  acked = 0
  bytes = 0
  resent = 0
  reconnects = 0
  hasFailed = false

  constructor(plan: Plan, { number, events, onAck }: LaneOptions) {
    this.#plan = plan
    this.#number = number
    this.#events = events
    this.#onAck = onAck
    this.#source = createMessageSource({ ...plan, connection: number })
    const bytes = Math.max(WRITE_BYTES, this.#source.maxBytes)
    for (let i = 0; i < WRITES_MAX; i += 1) this.#buffers.push(Buffer.allocUnsafe(bytes))
    this.#sentAt = new Float64Array(plan.window)
  }

  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#finish = resolve
      this.#began = performance.now()
      this.#lostAt = this.#began
      this.#connect()
      if (this.#plan.rate > 0) {
        const timer = setInterval(() => this.#send(), TICK_MS)
        this.#finish = () => {
          clearInterval(timer)
          resolve()
        }
      }
    })
  }

  /** Nothing new is sent; the acks of what was are waited for. */
  end(): void {
    this.#isEnding = true
    this.#send()
  }

  /** Gives up what is not acknowledged. */
  abandon(): void {
    if (!this.#isDone()) this.#fail('abandoned')
  }

  #connect(): void {
    if (this.hasFailed) return
    const socket = connect({ host: this.#plan.host, port: this.#plan.port, noDelay: true })
    this.#socket = socket
    this.#rest = Buffer.alloc(0)
    socket.on('connect', () => this.#send())
    socket.on('data', (data) => this.#onData(data))
    socket.on('error', () => {})
    socket.on('end', () => socket.destroy())
    socket.on('close', () => this.#onClose(socket))
  }

  #onClose(socket: Socket): void {
    if (socket !== this.#socket) return
    this.#socket = undefined
    this.#lostAt ||= performance.now()
    if (this.#isDone()) this.#finish()
    else if (performance.now() - this.#lostAt > this.#plan.reconnectMs) this.#fail('connection lost')
    else this.#comeBack()
  }

  #comeBack(): void {
    this.reconnects += 1
    this.resent += this.sent - this.acked
    this.sent = this.acked
    setTimeout(() => this.#connect(), RECONNECT_PAUSE_MS)
  }

  #fail(reason: string): void {
    process.stderr.write(`forward-load: connection ${this.#number}: ${reason}, ${this.sent - this.acked} unacked\n`)
    this.hasFailed = true
    this.#socket?.destroy()
    this.#socket = undefined
    this.#finish()
  }

  #isDone(): boolean {
    const isAllSent = this.#isEnding || this.sent >= this.#events
    return isAllSent && (!this.#plan.ack || this.acked >= this.sent)
  }

  /** Sends what window, rate and kernel allow. */
  #send(): void {
    const socket = this.#socket
    if (socket === undefined || socket.connecting) return
    while (this.#mayBegin()) {
      const buffer = this.#buffers.pop()!
      const end = this.#fill(buffer)
      this.bytes += end
      socket.write(buffer.subarray(0, end), () => {
        this.#buffers.push(buffer)
        this.#send()
      })
    }
    if (this.#isDone()) this.#socket?.end()
  }

  #mayBegin(): boolean {
    return this.#buffers.length > 0 && this.#nextCount() > 0
  }

  /** As many messages as fit. */
  #fill(buffer: Buffer): number {
    let at = 0
    for (let count = this.#nextCount(); count > 0; count = this.#nextCount()) {
      if (at > 0 && at + this.#source.maxBytes > buffer.length) break
      at = this.#source.write(buffer, at, this.sent, count)
      this.#sentAt[(this.sent / this.#plan.batch) % this.#plan.window] = performance.now()
      this.sent += count
    }
    return at
  }

  /** Events of the next message; 0: not now. */
  #nextCount(): number {
    const { ack, batch, window, rate } = this.#plan
    if (this.#isEnding) return 0
    if (ack && this.sent - this.acked >= window * batch) return 0
    if (rate > 0 && this.sent >= ((performance.now() - this.#began) / 1000) * rate) return 0
    return Math.min(batch, this.#events - this.sent)
  }

  #onData(data: Buffer): void {
    const from = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data])
    const first = this.acked
    const now = performance.now()
    let at = 0
    for (; at + ACK_BYTES <= from.length; at += ACK_BYTES) {
      if (this.acked >= this.sent || !this.#source.isAck(from, at, this.acked)) {
        this.#fail(`not the ack of event ${this.acked}: ${from.toString('hex', at, at + ACK_BYTES)}`)
        return
      }
      this.#countAck(now)
    }
    this.#rest = Buffer.from(from.subarray(at))
    if (this.acked > first) this.#lostAt = 0
    this.#send()
  }

  #countAck(now: number): void {
    const { batch, window } = this.#plan
    const count = Math.min(batch, this.sent - this.acked)
    const ms = now - this.#sentAt[(this.acked / batch) % window]!
    this.#onAck({ connection: this.#number, first: this.acked, last: this.acked + count - 1, ms })
    this.acked += count
  }
}
