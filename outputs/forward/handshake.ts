/**
 * The handshake that a server with a `shared_key` asks for, as the client sees it. Pure. What the messages look like
 * stands in answers.ts; PING is
 *
 *   ["PING", hostname, salt, key digest, username, password digest]
 *
 * with a salt of 32 hex digits, as fluentd's, and empty user and password where HELO brings no `auth`.
 * [Forward spec v1, "Handshake Messages"]
 */
import { timingSafeEqual } from 'node:crypto'
import { keyDigest, passwordDigest } from '../../server/core/forward-digest.ts'
import { OutputError } from '../output.ts'
import type { Answer, Pong } from './answers.ts'
import { str } from './msgpack.ts'

export interface HandshakeOptions {
  readonly selfHostname: string
  readonly sharedKey: string
  readonly username: string
  readonly password: string
  /** 32 hex digits, fresh. */
  readonly salt: string
}

export class ClientHandshake {
  readonly #options: HandshakeOptions
  #nonce: Buffer | undefined

  constructor(options: HandshakeOptions) {
    this.#options = options
  }

  /**
   * @returns PING, to be sent, or `done`: events may follow.
   * @throws OutputError: `blocked` where only an operator can mend it.
   */
  take(answer: Answer): Buffer | 'done' {
    if (answer.kind === 'helo' && this.#nonce === undefined) {
      this.#nonce = answer.nonce
      return this.#ping(answer.nonce, answer.auth)
    }
    if (answer.kind !== 'pong' || this.#nonce === undefined) {
      throw new OutputError('retry', 'other', `${answer.kind} out of turn in the handshake`)
    }
    this.#check(answer, this.#nonce)
    return 'done'
  }

  #ping(nonce: Uint8Array, auth: Uint8Array): Buffer {
    const { selfHostname, sharedKey, salt, username, password } = this.#options
    const key = keyDigest({ salt: Buffer.from(salt), hostname: Buffer.from(selfHostname), nonce, sharedKey })
    const proof = { auth, username: Buffer.from(username), password }
    const user = auth.length === 0 ? ['', ''] : [username, passwordDigest(proof)]
    return Buffer.concat([Buffer.of(0x96), ...['PING', selfHostname, salt, key, ...user].map(str)])
  }

  #check({ isWelcome, reason, hostname, digest }: Pong, nonce: Uint8Array): void {
    if (!isWelcome) throw new OutputError('blocked', 'blocked', `the server refuses: ${reason}`)
    const { selfHostname, sharedKey, salt } = this.#options
    if (hostname === selfHostname) {
      throw new OutputError('blocked', 'blocked', 'the server has the hostname of this end; set `self_hostname`')
    }
    const expected = Buffer.from(
      keyDigest({ salt: Buffer.from(salt), hostname: Buffer.from(hostname), nonce, sharedKey }),
    )
    const given = Buffer.from(digest)
    if (expected.length === given.length && timingSafeEqual(expected, given)) return
    throw new OutputError('blocked', 'blocked', 'the server does not know the shared_key')
  }
}
