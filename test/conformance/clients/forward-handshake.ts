/** The client's side of the handshake, right or wrong as a test wants it. For tests only. */
import { createHash, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { Unpackr } from 'msgpackr'
import { array, bin8, str } from '../../protocols/forward/encoding.ts'

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })
const sha512 = (...parts: (string | Uint8Array)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha512')).digest('hex')

export interface Helo {
  readonly nonce: Buffer
  readonly auth: Buffer
  readonly keepalive: boolean
  readonly bytes: Buffer
}

export interface PingOptions {
  readonly key?: string
  readonly user?: string
  readonly password?: string
  readonly hostname?: string
  readonly salt?: Uint8Array
  readonly saltAs?: 'str' | 'bin'
}

export function ping({ nonce, auth }: Pick<Helo, 'nonce' | 'auth'>, options: PingOptions = {}): Buffer {
  const { key = 'secret', user = '', password = '', hostname = 'client.local', saltAs = 'str' } = options
  const salt = options.salt ?? Buffer.from(randomBytes(16).toString('hex'))
  const proof = str(sha512(salt, hostname, nonce, key))
  const userProof = str(sha512(auth, user, password))
  return array(str('PING'), str(hostname), saltAs === 'bin' ? bin8(salt) : str(salt), proof, str(user), userProof)
}

export interface Pong {
  readonly isIn: boolean
  readonly reason: string
  readonly hostname: string
  readonly digest: string
  readonly bytes: Buffer
}

/** What comes over a socket, read by read. */
export class Dialogue {
  readonly socket: Socket
  readonly reads: Buffer[] = []
  isOver = false
  #wake = Promise.withResolvers<void>()

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (read) => {
      this.reads.push(read)
      this.#turn()
    })
    for (const event of ['end', 'close', 'error']) {
      socket.on(event, () => {
        this.isOver = true
        this.#turn()
      })
    }
  }

  #turn(): void {
    this.#wake.resolve()
    this.#wake = Promise.withResolvers()
  }

  /** The next read as it came; undefined when the other side has ended. */
  async next(): Promise<Buffer | undefined> {
    while (this.reads.length === 0 && !this.isOver) await this.#wake.promise
    return this.reads.shift()
  }

  async helo(): Promise<Helo> {
    const bytes = await this.next()
    const [, { nonce, auth, keepalive }] = unpackr.unpack(Buffer.from(bytes!)) as [string, Omit<Helo, 'bytes'>]
    return { nonce: Buffer.from(nonce), auth: Buffer.from(auth), keepalive, bytes: bytes! }
  }

  async pong(): Promise<Pong | undefined> {
    const bytes = await this.next()
    if (bytes === undefined) return undefined
    const [, isIn, reason, hostname, digest] = unpackr.unpack(Buffer.from(bytes)) as [
      string,
      boolean,
      string,
      string,
      string,
    ]
    return { isIn, reason, hostname, digest, bytes }
  }

  async over(): Promise<void> {
    while (!this.isOver) await this.#wake.promise
  }
}

export const pongDigest = (salt: Uint8Array, hostname: string, nonce: Buffer, key: string) =>
  sha512(salt, hostname, nonce, key)
