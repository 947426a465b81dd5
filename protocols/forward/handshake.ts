/**
 * The handshake that a `shared_key` asks for, as the server sees it: bytes in, HELO and PONG out, no socket, no clock.
 *
 *   HELO  server  ["HELO", {nonce: 16 B, auth: 16 B, keepalive}]          nonce and auth as bin
 *   PING  client  ["PING", hostname, salt, key digest, username, password digest]
 *   PONG  server  ["PONG", true, "", hostname, key digest] | ["PONG", false, reason, "", ""]
 *
 *   key digest       sha512(salt + hostname of the sender + nonce + shared_key), lower-case hex
 *   password digest  sha512(auth + username + password), the same
 *
 * Salts are raw bytes: fluentd's are hex digits, fluent-bit's are 16 random bytes in a str. [Forward spec v1,
 * "Handshake Messages"]
 */
import { timingSafeEqual } from 'node:crypto'
import { keyDigest, passwordDigest } from '../../server/core/forward-digest.ts'
import { NEED_MORE, readContainerHeader, readStringHeader, type Span, ValueScan } from '../../server/core/msgpack.ts'
import { LIMITS } from './limits.ts'
import type { ForwardMessage } from './message.ts'

/** What a client at some address has to know. */
export interface Demand {
  readonly sharedKey: string
  /** Passwords by user, of those who may come from there; undefined: no user is asked for. */
  readonly users: ReadonlyMap<string, string> | undefined
}

export interface HandshakeOptions {
  readonly selfHostname: string
  readonly keepalive: boolean
  /** Undefined: nobody may come from there. */
  readonly demand: Demand | undefined
  /** As the reason for a source that is denied names it. */
  readonly peer: string
  /** Fresh random bytes, 16 each. */
  readonly nonce: Uint8Array
  readonly auth: Uint8Array
}

export type Refusal = 'ping' | 'source' | 'key' | 'user'

/** `more`: feed the next read. Else PONG, and `rest`, what was sent behind PING. */
export type Verdict = 'more' | { readonly pong: Buffer; readonly refusal: Refusal | undefined; readonly rest: Buffer }

interface Ping {
  readonly hostname: Buffer
  readonly salt: Buffer
  readonly keyDigest: Buffer
  readonly username: Buffer
  readonly passwordDigest: Buffer
}

const EMPTY = Buffer.alloc(0)
const PING_ITEMS = 6

export class Handshake {
  readonly #options: HandshakeOptions
  readonly #scan = new ValueScan()
  #held: Buffer = EMPTY

  constructor(options: HandshakeOptions) {
    this.#options = options
    this.#scan.start(0)
  }

  /** To be sent at once, in one write. */
  get helo(): Buffer {
    const { nonce, auth, keepalive } = this.#options
    return Buffer.concat([
      Buffer.of(0x92),
      str('HELO'),
      Buffer.of(0x83),
      ...[str('nonce'), bin16(nonce), str('auth'), bin16(auth), str('keepalive')],
      Buffer.of(keepalive ? 0xc3 : 0xc2),
    ])
  }

  /** Takes what was read; the first value is PING or nothing. What it returns does not change with the memory read. */
  push(read: Uint8Array): Verdict {
    this.#held = Buffer.concat([this.#held, read])
    const end = this.#endOfPing()
    if (end === NEED_MORE) return this.#scan.need > LIMITS.pingBytes ? this.#refuse('ping') : 'more'
    const ping = end > LIMITS.pingBytes ? undefined : readPing(this.#held, end)
    if (ping === undefined) return this.#refuse('ping')
    const { demand } = this.#options
    if (demand === undefined) return this.#refuse('source')
    if (!isKey(ping, this.#options.nonce, demand)) return this.#refuse('key')
    if (!isUser(ping, this.#options.auth, demand)) return this.#refuse('user')
    return { pong: this.#welcome(ping, demand), refusal: undefined, rest: this.#held.subarray(end) }
  }

  /** What is no array is not waited for. */
  #endOfPing(): number {
    if ((this.#held[0]! & 0xf0) !== 0x90 && this.#held[0] !== 0xdc && this.#held[0] !== 0xdd) return this.#held.length
    try {
      return this.#scan.advance(this.#held, this.#held.length)
    } catch {
      return this.#held.length
    }
  }

  #welcome({ hostname, salt }: Ping, { sharedKey }: Demand): Buffer {
    const { nonce, selfHostname } = this.#options
    // Clients refuse a server of their own name, which is what they find on their own machine.
    const own = hostname.equals(Buffer.from(selfHostname)) ? `logboom.${selfHostname}` : selfHostname
    const digest = keyDigest({ salt, hostname: Buffer.from(own), nonce, sharedKey })
    return Buffer.concat([Buffer.of(0x95), str('PONG'), Buffer.of(0xc3), str(''), str(own), str(digest)])
  }

  #refuse(refusal: Refusal): Verdict {
    const reason = REASONS[refusal].replace('{peer}', this.#options.peer)
    const pong = Buffer.concat([Buffer.of(0x95), str('PONG'), Buffer.of(0xc2), str(reason), str(''), str('')])
    return { pong, refusal, rest: EMPTY }
  }
}

/** fluentd's words. [in_forward.rb, check_ping] */
const REASONS: Readonly<Record<Refusal, string>> = {
  ping: 'invalid ping message',
  source: "anonymous source host '{peer}' denied",
  key: 'shared_key mismatch',
  user: 'username/password mismatch',
}

/** `["PING", str | bin ×5]`, and nothing else. */
function readPing(bytes: Buffer, end: number): Ping | undefined {
  const span: Span = { start: 0, end: 0 }
  if (!readContainerHeader(bytes, 0, end, 'array', span) || span.end !== PING_ITEMS) return undefined
  const items: Buffer[] = []
  for (let at = span.start; items.length < PING_ITEMS; at = span.end) {
    if (at >= end || !readStringHeader(bytes, at, end, span) || span.end > end) return undefined
    items.push(bytes.subarray(span.start, span.end))
  }
  const [word, hostname, salt, keyDigest, username, passwordDigest] = items as [Buffer, ...Five]
  return word.equals(PING) ? { hostname, salt, keyDigest, username, passwordDigest } : undefined
}

type Five = [Buffer, Buffer, Buffer, Buffer, Buffer]
const PING = Buffer.from('PING')

/** Whether a message is one more PING: `["PING", str | bin, …]` of six, which a message of events never is. */
export function isPing({ bytes, mode, tagStart, tagEnd }: ForwardMessage): boolean {
  if (mode !== 'packed' || tagEnd - tagStart !== PING.length) return false
  const items = bytes[tagStart - 2] === 0x96 || (bytes[tagStart - 4] === 0xdc && bytes[tagStart - 2] === PING_ITEMS)
  return items && PING.equals(bytes.subarray(tagStart, tagEnd))
}

function isKey({ salt, hostname, keyDigest: given }: Ping, nonce: Uint8Array, { sharedKey }: Demand): boolean {
  return isSame(keyDigest({ salt, hostname, nonce, sharedKey }), given)
}

/** As long for a user that does not exist as for a wrong password. */
function isUser({ username, passwordDigest: given }: Ping, auth: Uint8Array, { users }: Demand): boolean {
  if (users === undefined) return true
  const password = users.get(username.toString())
  return isSame(passwordDigest({ auth, username, password: password ?? '' }), given) && password !== undefined
}

function isSame(expected: string, given: Buffer): boolean {
  const bytes = Buffer.from(expected)
  return bytes.length === given.length && timingSafeEqual(bytes, given)
}

/** A text of at most 255 bytes. */
function str(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([bytes.length < 32 ? Buffer.of(0xa0 + bytes.length) : Buffer.of(0xd9, bytes.length), bytes])
}

function bin16(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(0xc4, bytes.length), bytes])
}
