/**
 * Who the instances are, which of them are there, and which one owns a message. No socket, no timer: it is told the
 * time.
 *
 * The owner of a message id is the present member with the highest score for it (rendezvous hashing): all that see the
 * same members agree without a word, and when one leaves, the ids of the others stay where they are. A member is away
 * until it is heard, and when it was not heard for a while.
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
  /** `awaited`: nothing was heard of it yet, and it is not long since the start. */
  state: 'awaited' | 'present' | 'away' = 'awaited'
  heardMs: number
  /** What this instance sends it next. */
  sequence = 0
  /** Chunks it was sent since it was heard last. */
  unanswered = 0

  constructor(name: string, { self, sharedKey, startedMs }: Identity) {
    this.name = name
    this.digest = nameDigest(name)
    this.isSelf = name === self
    if (this.isSelf) this.state = 'present'
    this.heardMs = startedMs
    this.sendKey = pairKey(sharedKey, self, name)
    this.receiveKey = pairKey(sharedKey, name, self)
  }
}

export class Membership {
  readonly self: Member
  readonly others: readonly Member[]
  /** By name, so that every instance breaks a tie in the same way. */
  readonly #members: readonly Member[]

  constructor(names: readonly string[], identity: Identity) {
    this.#members = [...names].sort().map((name) => new Member(name, identity))
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

  /** @returns whether it was not there before. */
  heard(member: Member, nowMs: number): boolean {
    const wasAway = member.state !== 'present'
    member.state = 'present'
    member.heardMs = nowMs
    member.unanswered = 0
    return wasAway
  }

  /** It says itself that it goes. @returns whether it was there. */
  left(member: Member): boolean {
    const wasPresent = member.state === 'present'
    member.state = 'away'
    return wasPresent
  }

  /** @returns those that are away now by their silence, each once. */
  sweep(nowMs: number): Member[] {
    const { awayMs } = LIMITS.peers
    const silent = this.others.filter(({ state, heardMs }) => state !== 'away' && nowMs - heardMs > awayMs)
    for (const member of silent) member.state = 'away'
    return silent
  }
}

/** The finalizer of MurmurHash3: each bit of the number changes half of the bits of what comes out. [0, 2^32) */
function mix(number: number): number {
  let bits = number
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
