/**
 * Who the instances are, which of them are there, and which one owns a message. No socket, no timer: it is told the
 * time.
 *
 * The owner of a message id is the present member with the highest score for it (rendezvous hashing): all that see the
 * same members agree without a word, and when one leaves, the ids of the others stay where they are. A member is
 * present while it is heard and says that it hears this one: where the network lets but one direction through, nothing
 * is handed into the void.
 */
import type { KeyObject } from 'node:crypto'
import { LIMITS } from '../limits.ts'
import { nameDigest, pairKey } from './envelope.ts'
import { ReplayWindow } from './replay-window.ts'

const ID = 2

export interface Identity {
  /** One of the names. */
  readonly self: string
  readonly sharedKey: string
  /** As `heard` and `sweep` are told the time. */
  readonly startedMs: number
}

export class Member {
  readonly name: string
  readonly digest: number
  readonly isSelf: boolean
  /** Of what this instance sends to it, and of what it sends here. */
  readonly sendKey: KeyObject
  readonly receiveKey: KeyObject
  readonly window = new ReplayWindow()
  /** `awaited`: it was not there yet, and it is not long since the start. */
  state: 'awaited' | 'present' | 'away' = 'awaited'
  /** Whether a sign of it came of late, and when the last one did. */
  isHeard = false
  heardMs = 0
  /** What this instance sends it next. */
  sequence = 0
  /** Chunks it was sent since it was heard last. */
  unanswered = 0

  constructor(name: string, { self, sharedKey }: Identity) {
    this.name = name
    this.digest = nameDigest(name)
    this.isSelf = name === self
    if (this.isSelf) this.state = 'present'
    this.sendKey = pairKey(sharedKey, self, name)
    this.receiveKey = pairKey(sharedKey, name, self)
  }
}

export class Membership {
  readonly self: Member
  readonly others: readonly Member[]
  /** By name, so that every instance breaks a tie in the same way. */
  readonly #members: readonly Member[]
  readonly #startedMs: number
  #sweptMs: number

  constructor(names: readonly string[], identity: Identity) {
    this.#members = [...names].sort().map((name) => new Member(name, identity))
    this.#startedMs = identity.startedMs
    this.#sweptMs = identity.startedMs
    this.self = this.#members.find(({ isSelf }) => isSelf)!
    this.others = this.#members.filter(({ isSelf }) => !isSelf)
  }

  /** The member to whom the message of a chunk belongs: this instance, or another one that is there. */
  ownerOf(chunk: Buffer): Member {
    const [high, low] = [chunk.readInt32BE(ID), chunk.readInt32BE(ID + 4)]
    let owner = this.self
    let best = -1
    for (const member of this.#members) {
      if (member.state !== 'present') continue
      const score = mix(mix(member.digest ^ high) ^ low)
      if (score <= best) continue
      best = score
      owner = member
    }
    return owner
  }

  byDigest(digest: number): Member | undefined {
    return this.others.find((member) => member.digest === digest)
  }

  /** A sign of a member. `hearsUs`: whether it said so. @returns whether it came, went, or neither. */
  heard(member: Member, nowMs: number, hearsUs: boolean): 'came' | 'went' | 'same' {
    const wasPresent = member.state === 'present'
    member.isHeard = true
    member.heardMs = nowMs
    if (hearsUs) {
      member.state = 'present'
      member.unanswered = 0
      return wasPresent ? 'same' : 'came'
    }
    if (!wasPresent) return 'same'
    member.state = 'away'
    return 'went'
  }

  /** It says itself that it goes. @returns whether it was there. */
  left(member: Member): boolean {
    const wasPresent = member.state === 'present'
    member.state = 'away'
    member.isHeard = false
    return wasPresent
  }

  /** @returns those that are away now by their silence, or did not come since the start; each once. */
  sweep(nowMs: number): Member[] {
    const { awayMs } = LIMITS.peers
    const hasSlept = nowMs - this.#sweptMs > awayMs
    this.#sweptMs = nowMs
    // This instance itself was stopped: what the others sent meanwhile is not read yet.
    if (hasSlept) return []
    for (const member of this.others) if (nowMs - member.heardMs > awayMs) member.isHeard = false
    const isLate = nowMs - this.#startedMs > awayMs
    const gone = this.others.filter(({ state, isHeard }) =>
      state === 'awaited' ? isLate : state === 'present' && !isHeard,
    )
    for (const member of gone) member.state = 'away'
    return gone
  }
}

/** The finalizer of MurmurHash3: each bit of the number changes half of the bits of what comes out. [0, 2^32) */
function mix(number: number): number {
  let bits = number
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
