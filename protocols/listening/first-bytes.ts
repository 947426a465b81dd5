/**
 * Which protocol a sender speaks, told by the first bytes of a connection or datagram. Pure; what is said of a stranger
 * is the doorbell's matter.
 *
 *   tls         16 03 00..04 LL LL 01            record of a ClientHello          [RFC 8446 5.1]
 *   http        METHOD SP, or PRI * HTTP/2.0                                      [RFC 9112 3, RFC 9113 3.4]
 *   ssh         SSH-                                                              [RFC 4253 4.2]
 *   proxy       PROXY SP, or 0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a                  [haproxy, proxy-protocol.txt]
 *   forward     array of 2 to 6, then a string or binary                          [Forward spec v1]
 *   json        { or [, maybe behind white space
 *   gelf-chunk  1e 0f        gzip  1f 8b        zlib  78 and 01, 5e, 9c or da
 *   syslog      <PRI>, or a length, SP, <PRI>                                     [RFC 5424 6, RFC 6587 3.4.1]
 */

export type Spoken = 'tls' | 'http' | 'ssh' | 'forward' | 'json' | 'gelf-chunk' | 'gzip' | 'zlib' | 'syslog' | 'proxy'

/** No protocol needs more of its first bytes to be known. */
export const FIRST_BYTES = 24

const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'TRACE']
const TEXTS: readonly (readonly [string, Spoken])[] = [
  ...METHODS.map((method) => [`${method} `, 'http'] as const),
  ['PRI * HTTP/2.0', 'http'],
  ['SSH-', 'ssh'],
  ['PROXY ', 'proxy'],
  ['\r\n\r\n\0\r\nQUIT\n', 'proxy'],
]
const SYSLOG = /^(?:[1-9]\d{0,8} )?<\d{1,3}>/

/** @returns undefined: not one of these, or not enough bytes to tell. */
export function recognise(bytes: Uint8Array): Spoken | undefined {
  const [first, second, third] = bytes
  if (first === undefined || second === undefined) return undefined
  if (first === 0x16) return isClientHello(bytes) ? 'tls' : undefined
  if (first === 0x1e) return second === 0x0f ? 'gelf-chunk' : undefined
  if (first === 0x1f) return second === 0x8b ? 'gzip' : undefined
  if (first === 0x78 && (second & 0x20) === 0 && (0x7800 + second) % 31 === 0) return 'zlib'
  if (first >= 0x92 && first <= 0x96) return isStringStart(second, third) ? 'forward' : undefined
  return recogniseText(Buffer.from(bytes.subarray(0, FIRST_BYTES)).toString('latin1'))
}

function isClientHello(bytes: Uint8Array): boolean {
  return bytes.length >= 6 && bytes[1] === 3 && bytes[2]! <= 4 && bytes[5] === 1
}

function isStringStart(first: number, second: number | undefined): boolean {
  if (first > 0xa0 && first < 0xc0) return true
  return second !== undefined && ((first >= 0xc4 && first <= 0xc6) || (first >= 0xd9 && first <= 0xdb))
}

function recogniseText(text: string): Spoken | undefined {
  const known = TEXTS.find(([start]) => text.startsWith(start))
  if (known !== undefined) return known[1]
  if (SYSLOG.test(text)) return 'syslog'
  return /^[ \t\r\n]*[{[]/.test(text) ? 'json' : undefined
}

/** The sender speaks another protocol than the port does: its connection is closed, and nothing of it is kept. */
export class StrangerError extends Error {
  override readonly name = 'StrangerError'
  readonly spoken: Spoken
  constructor(spoken: Spoken) {
    super(`it speaks ${spoken}`)
    this.spoken = spoken
  }
}

const EMPTY = new Uint8Array(0)

/** Recognises the protocol of one connection, however its first bytes are cut. */
export class FirstBytes {
  /** What came so far; undefined once nothing more can be told. */
  #seen: Uint8Array | undefined = EMPTY

  /** Looks at what was read next. @returns the protocol, once. */
  look(read: Uint8Array): Spoken | undefined {
    if (this.#seen === undefined) return undefined
    const seen = this.#seen.length === 0 ? read : Buffer.concat([this.#seen, read.subarray(0, FIRST_BYTES)])
    const spoken = recognise(seen)
    const isOver = spoken !== undefined || seen.length >= FIRST_BYTES
    this.#seen = isOver ? undefined : Uint8Array.from(seen)
    return spoken
  }
}
