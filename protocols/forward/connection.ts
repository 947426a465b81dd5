/**
 * One client's socket: when it is read, when it is not, how it is closed. What the bytes mean is the decoder's matter,
 * and what becomes of a message the intake's.
 */
import type { Socket } from 'node:net'
import { MalformedError } from '../../server/core/msgpack.ts'
import type { BufferPool } from '../encoding/buffer-pool.ts'
import { peerAddress } from '../listening/allow-list.ts'
import { FirstBytes, type Spoken, StrangerError } from '../listening/first-bytes.ts'
import { peerName } from '../listening/listen-stream.ts'
import type { InputContext } from '../protocol.ts'
import type { Budget, Spender } from './budget.ts'
import { ForwardDecoder } from './decoder.ts'
import { Gate, type GateKeeper } from './gate.ts'
import { isPing } from './handshake.ts'
import { InFlight } from './in-flight.ts'
import { Intake } from './intake.ts'
import { isJsonStart, JsonDecoder } from './json-decoder.ts'
import { LargeMessage } from './large-message.ts'
import { LIMITS } from './limits.ts'
import { createMessage } from './message.ts'
import type { Refusals } from './refusals.ts'
import { readShared } from './shared-read.ts'

export interface ConnectionOptions {
  readonly context: InputContext
  readonly budget: Budget
  readonly refusals: Refusals
  readonly pool: BufferPool
  readonly messageBytes: number
  readonly decompressionBytes: number
  /** Who asks for a key first; undefined: nobody. */
  readonly keeper?: GateKeeper | undefined
  /** Close after the first message. */
  readonly denyKeepalive?: boolean
}

const NO_BYTES = Buffer.alloc(0)
/** What a client of this port may speak. */
const TAKEN: ReadonlySet<Spoken> = new Set(['forward', 'json'])

/** `open`: reads. `ending`: no more is read, what was emitted is acknowledged first. `ended`: our side is closed. */
type State = 'open' | 'ending' | 'ended'

export class Connection implements Spender {
  lastRead = 0
  /** Resolves when the socket is closed. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #peer: string
  readonly #inFlight: InFlight
  readonly #intake: Intake
  readonly #message = createMessage()
  readonly #firstBytes = new FirstBytes()
  readonly #isStrict: boolean
  /** Until the client has shown the key that is asked for. */
  #gate: Gate | undefined
  #decoder: ForwardDecoder | JsonDecoder | undefined
  #large: LargeMessage | undefined
  #state: State = 'open'
  /** The client has ended its side, after everything that we have read. */
  #peerEnded = false
  /** A message is being worked on; the next ones wait for it. */
  #busy = false
  #held = 0
  #ackTimer: NodeJS.Timeout | undefined
  /** The client is taken for one that asks for acks and reads none: it is given no more, until it reads. */
  #isDeaf = false
  #discardedBytes = 0

  /** Takes the place of `accepted`. */
  constructor(accepted: Socket, options: ConnectionOptions) {
    const { context, budget } = options
    const socket = readShared(accepted, (read) => this.#read(read))
    this.#socket = socket
    this.#options = options
    this.#peer = peerName(socket)
    this.#inFlight = new InFlight({
      emit: context.emit,
      budget,
      stored: (events) => {
        context.stats.events += events
      },
      acknowledge: (ack) => this.#write(ack),
      failed: (error) => this.#refuse(error),
      settled: () => this.#settled(),
    })
    this.#intake = new Intake({
      inFlight: this.#inFlight,
      pool: options.pool,
      openSpool: context.spool,
      decompressionBytes: options.decompressionBytes,
      peer: this.#peer,
      takesEventIds: options.keeper !== undefined,
      leftOut: (reason, count, why) => options.refusals.leftOut(this.#peer, reason, count, why),
    })
    budget.spenders.add(this)
    socket.on('end', () => this.#peerEnd())
    socket.on('drain', () => this.#drained())
    // A reset is no news: what was not acknowledged comes again.
    socket.on('error', (error) => context.log.debug({ peer: this.#peer, reason: error.message }, 'connection error'))
    this.closed = new Promise((resolve) =>
      socket.on('close', () => {
        this.#close()
        resolve()
      }),
    )
    this.#isStrict = options.keeper !== undefined || options.denyKeepalive === true
    if (options.keeper !== undefined) this.#gate = this.#openGate(options.keeper)
  }

  get heldBytes(): number {
    return this.#held
  }

  /** Stops reading, lets what was emitted be acknowledged, then closes. */
  end(): void {
    if (this.#state !== 'open') return
    this.#state = 'ending'
    this.#gate?.close()
    this.#abandon()
    this.steer()
    this.#endIfSettled()
  }

  /** For when time is up. */
  destroy(): void {
    this.#socket.destroy()
  }

  evict(): void {
    this.#options.refusals.stalled(this.#peer)
    this.end()
  }

  steer(): void {
    if (this.#state === 'ended') return
    const { budget } = this.#options
    const unread = this.#socket.writableLength > LIMITS.unreadAckBytes && !this.#isDeaf
    const wait = this.#state === 'ending' || this.#busy || unread || budget.isFull || this.#inFlight.isFull
    if (wait && !this.#socket.isPaused()) this.#socket.pause()
    else if (!wait && this.#socket.isPaused()) this.#socket.resume()
  }

  #read(read: Buffer): void {
    if (this.#state !== 'open') {
      this.#discard(read.length)
      return
    }
    this.#options.context.stats.bytes += read.length
    this.lastRead = this.#options.budget.nextRead()
    const spoken = this.#firstBytes.look(read)
    if (spoken !== undefined && !TAKEN.has(spoken)) {
      this.#refuse(new StrangerError(spoken))
      return
    }
    if (this.#gate === undefined) this.#take(read)
    else this.#pass(this.#gate, read)
  }

  #take(read: Buffer): void {
    this.#decoder ??= isJsonStart(read[0]!)
      ? new JsonDecoder()
      : new ForwardDecoder({
          messageBytes: this.#options.messageBytes,
          mayHold: (bytes) => this.#options.budget.mayHold(bytes),
          pool: this.#options.pool,
        })
    this.#decoder.push(read)
    this.#run(read.length)
  }

  #openGate(keeper: GateKeeper): Gate {
    return new Gate({
      keeper,
      address: peerAddress(this.#socket),
      write: (bytes) => this.#write(bytes),
      refused: (refusal) => {
        this.#options.refusals.notLetIn(this.#peer, refusal)
        this.end()
      },
    })
  }

  /** What comes behind PING is taken once PONG has said yes. */
  #pass(gate: Gate, read: Buffer): void {
    const rest = gate.read(read)
    if (rest === undefined) return
    this.#gate = undefined
    if (rest.length > 0) this.#take(rest)
  }

  /** Takes the messages of what was read, until there are no more or one has to be waited for. */
  #run(room: number): void {
    try {
      for (;;) {
        const wait = this.#step(room)
        if (wait === 'more') break
        if (wait !== undefined) {
          this.#await(wait, room)
          break
        }
      }
      this.#intake.flush()
    } catch (error) {
      this.#intake.flush()
      this.#refuse(error)
    }
    this.#account()
    this.steer()
  }

  #step(room: number): Promise<void> | 'more' | undefined {
    const decoder = this.#decoder
    if (decoder === undefined || this.#state !== 'open') return 'more'
    if (this.#large !== undefined) {
      // Its pieces are written while other sockets are read.
      decoder.keep()
      const step = this.#large.advance()
      if (step !== 'done') return step
      this.#intake.takeLarge(this.#large, this.#message)
      this.#large = undefined
      if (this.#options.denyKeepalive === true) this.end()
      return undefined
    }
    const step = decoder.next(this.#message)
    if (step === 'more') return 'more'
    if (step === 'message') {
      return this.#isStrict ? this.#takeStrictly(room) : this.#intake.take(this.#message, room)
    }
    const { context, decompressionBytes } = this.#options
    this.#large = new LargeMessage(decoder as ForwardDecoder, this.#message, {
      openSpool: context.spool,
      decompressionBytes,
    })
    return undefined
  }

  /** Refuses a second PING, and ends after the first message where that is asked for. */
  #takeStrictly(room: number): Promise<void> | undefined {
    const { keeper, denyKeepalive } = this.#options
    if (keeper !== undefined && isPing(this.#message)) throw new MalformedError('a second PING')
    const wait = this.#intake.take(this.#message, room)
    if (denyKeepalive !== true || this.#message.mode === 'heartbeat') return wait
    this.#intake.flush()
    if (wait === undefined) this.end()
    // Called before those that go on behind it.
    else wait.then(() => this.end()).catch(() => {})
    return wait
  }

  #await(work: Promise<void>, room: number): void {
    this.#busy = true
    this.#decoder?.keep()
    const done = (error?: unknown) => {
      this.#busy = false
      if (error !== undefined) this.#refuse(error)
      if (this.#state !== 'open') this.#abandon()
      this.#run(room)
      this.#settled()
    }
    work.then(() => done(), done)
  }

  /** Lets go of what is not needed until the next read, and tells the budget how much an unfinished message holds. */
  #account(): void {
    if (this.#large === undefined) {
      this.#message.bytes = NO_BYTES
      this.#message.lent = undefined
    }
    const held = this.#state === 'open' ? (this.#decoder?.heldBytes ?? 0) + (this.#large?.heldBytes ?? 0) : 0
    const more = held - this.#held
    this.#held = held
    if (more !== 0) this.#options.budget.addHeld(more)
  }

  #settled(): void {
    this.steer()
    this.#endIfSettled()
  }

  /** One write each: clients take what a single read gives them for one ack. */
  #write(bytes: Uint8Array): void {
    if (this.#state === 'ended' || this.#socket.destroyed || this.#isDeaf) return
    this.#socket.write(bytes)
    if (this.#socket.writableLength <= LIMITS.unreadAckBytes || this.#ackTimer !== undefined) return
    this.#ackTimer = setTimeout(() => this.#turnDeaf(), LIMITS.unreadAckMs)
  }

  #turnDeaf(): void {
    if (this.#state === 'ended') {
      this.#socket.destroy()
      return
    }
    this.#options.refusals.unreadAcks(this.#peer)
    this.#isDeaf = true
    this.steer()
  }

  #drained(): void {
    clearTimeout(this.#ackTimer)
    this.#ackTimer = undefined
    this.#isDeaf = false
    this.steer()
  }

  #peerEnd(): void {
    this.#peerEnded = true
    if (this.#state === 'ended') {
      this.#socket.destroySoon()
      return
    }
    if (this.#state === 'open' && this.#decoder?.midMessage === true && !this.#busy) this.#options.refusals.truncated()
    this.end()
  }

  /** Closes without acknowledging the message that is at fault; what came before it still is. */
  #refuse(error: unknown): void {
    if (this.#state === 'open') this.#options.refusals.refused(this.#peer, error)
    this.end()
  }

  /** Gives an unfinished message up; one that is being worked on, when that step is over. */
  #abandon(): void {
    if (!this.#busy) {
      this.#large?.discard().catch(() => {})
      this.#large = undefined
      this.#decoder = undefined
    }
    this.#account()
  }

  #endIfSettled(): void {
    if (this.#state !== 'ending' || this.#busy || !this.#inFlight.isEmpty) return
    this.#state = 'ended'
    this.#socket.end()
    if (this.#peerEnded && !this.#isDeaf) return
    // What the client still sends is read and thrown away: closing before it is read would reset the connection,
    // and the acks on their way would be lost with it.
    this.#socket.resume()
    setTimeout(() => this.#socket.destroy(), LIMITS.lingerMs).unref()
  }

  #discard(bytes: number): void {
    this.#discardedBytes += bytes
    if (this.#discardedBytes > LIMITS.lingerBytes) this.#socket.destroy()
  }

  #close(): void {
    clearTimeout(this.#ackTimer)
    this.#gate?.close()
    this.#state = 'ended'
    this.#abandon()
    this.#options.budget.spenders.delete(this)
  }
}
