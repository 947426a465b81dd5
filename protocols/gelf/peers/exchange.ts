/**
 * Hands chunks to the instances that own their messages, and takes what those hand on. No socket, no timer: `send` and
 * `isAddressOf` are given, and `beat` is called at an interval.
 *
 * UDP answers nothing, so each instance tells the others that it is there. Who is away owns nothing: its ids are those
 * of the ones that are there. What it was sent between its last word and then is counted as lost, since it may be.
 */
import { randomBytes } from 'node:crypto'
import type { InputStats } from '../../../server/core/metrics.ts'
import type { Doorbell } from '../../listening/doorbell.ts'
import { Fault, LIMITS, malformed } from '../limits.ts'
import { isAuthentic, isSealedChunk, KINDS, type Kind, readEnvelope, sealEnvelope } from './envelope.ts'
import type { Member, Membership } from './membership.ts'

export interface ExchangeOptions {
  readonly membership: Membership
  readonly doorbell: Doorbell
  readonly stats: InputStats
  /** ms since 1970. */
  readonly now: () => number
  readonly monotonic: () => number
  /** Hands bytes to the network, or says why it cannot. It must not throw. */
  readonly send: (member: Member, bytes: Buffer) => string | undefined
  readonly isAddressOf: (member: Member, address: string) => boolean
  /** Takes a chunk that stays here; it is the receiver's own. It must not throw. */
  readonly take: (chunk: Buffer, sender: string) => void
  /** A member came (true) or went. */
  readonly changed: (member: Member, isPresent: boolean) => void
}

const NOTHING = Buffer.alloc(0)
const SEQUENCES = 2 ** 32

export class PeerExchange {
  readonly #options: ExchangeOptions
  #session = newSession()

  constructor(options: ExchangeOptions) {
    this.#options = options
  }

  /** @returns false when the chunk belongs to this instance; else it was sent to its owner, or counted as lost. */
  handOn(chunk: Buffer, sender: string): boolean {
    const { membership, stats } = this.#options
    const owner = membership.ownerOf(chunk)
    if (owner.isSelf) return false
    const reason =
      chunk.length > LIMITS.peers.chunkBytes
        ? `a chunk of ${chunk.length} bytes does not go into a datagram with what proves it`
        : this.#send(owner, KINDS.chunk, sender, chunk)
    if (reason === undefined) {
      stats.peerChunks.handed_on += 1
      owner.unanswered += 1
    } else this.#lost(owner, reason, 1)
    return true
  }

  /** Takes a datagram of another instance, or of whoever says so. What is in it is never handed on again. */
  receive(datagram: Buffer, address: string): void {
    try {
      this.#receive(datagram, address)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      this.#options.doorbell.knocked(address, error.code, error.details)
    }
  }

  /** Tells the others that this one is there, and finds out who is not. */
  beat(): void {
    const { membership, changed, monotonic } = this.#options
    for (const member of membership.others) this.#greet(member)
    for (const member of membership.sweep(monotonic())) {
      changed(member, false)
      this.#lostUnanswered(member, `nothing was heard of it for ${LIMITS.peers.awayMs} ms`)
    }
  }

  /** Says that this instance takes nothing more. */
  leave(): void {
    for (const member of this.#options.membership.others) this.#send(member, KINDS.leaving, '', NOTHING)
  }

  /** What was sent did not go out. A sign of being there that is lost is followed by the next one. */
  failed(member: Member, bytes: Buffer, { message }: Error): void {
    if (isSealedChunk(bytes)) this.#lost(member, message, 1)
  }

  #lost(member: Member, reason: string, chunks: number): void {
    if (chunks > 0) this.#options.doorbell.knocked(member.name, 'LB-G010', { reason }, chunks)
  }

  #lostUnanswered(member: Member, reason: string): void {
    this.#lost(member, reason, member.unanswered)
    member.unanswered = 0
  }

  #receive(datagram: Buffer, address: string): void {
    const { membership, now, isAddressOf } = this.#options
    const envelope = readEnvelope(datagram)
    if (envelope === undefined) throw malformed('it is nothing that a peer sends')
    const member = membership.byDigest(envelope.from)
    if (member === undefined) throw new Fault('LB-G007', { reason: 'it is in no list of members' })
    if (!isAddressOf(member, address)) {
      throw new Fault('LB-G007', { reason: `the address of \`${member.name}\` is another` })
    }
    if (!isAuthentic(datagram, member.receiveKey)) throw new Fault('LB-G008', { member: member.name })
    const { kind, session, sequence, sentMs, sender, chunk } = envelope
    const isSameStart = session === member.window.session
    if (!member.window.accept(session, sequence, sentMs, now())) throw new Fault('LB-G009', { member: member.name })
    if (!isSameStart) this.#lostUnanswered(member, 'it has started again')
    if (kind === KINDS.leaving) this.#left(member)
    else this.#heard(member, kind !== KINDS.calling, isSameStart)
    if (kind === KINDS.chunk) this.#take(chunk as Buffer, sender)
  }

  #heard(member: Member, hearsUs: boolean, isSameStart: boolean): void {
    const { membership, monotonic, changed } = this.#options
    const what = membership.heard(member, monotonic(), hearsUs)
    if (what !== 'same') changed(member, what === 'came')
    if (what === 'went') this.#lostUnanswered(member, 'it hears nothing from here')
    // So that it need not wait for the next beat.
    if (what === 'came' || !hearsUs || !isSameStart) this.#greet(member)
  }

  #greet(member: Member): void {
    this.#send(member, member.isHeard ? KINDS.here : KINDS.calling, '', NOTHING)
  }

  #take(chunk: Buffer, sender: string): void {
    this.#options.stats.peerChunks.received += 1
    this.#options.take(chunk, sender)
  }

  #left(member: Member): void {
    const { membership, changed } = this.#options
    if (membership.left(member)) changed(member, false)
  }

  #send(member: Member, kind: Kind, sender: string, chunk: Buffer): string | undefined {
    const { membership, now, send } = this.#options
    if (member.sequence === SEQUENCES) this.#beginSession()
    const [from, sentMs] = [membership.self.digest, now()]
    const envelope = { kind, from, session: this.#session, sequence: member.sequence, sentMs, sender, chunk }
    member.sequence += 1
    return send(member, sealEnvelope(envelope, member.sendKey))
  }

  #beginSession(): void {
    this.#session = newSession()
    for (const member of this.#options.membership.others) member.sequence = 0
  }
}

const newSession = () => randomBytes(4).readUInt32BE(0)
