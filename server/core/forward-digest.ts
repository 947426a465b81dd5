/** The proofs of the Forward handshake, which both of its ends compute. [Forward spec v1, "Handshake Messages"] */
import { createHash } from 'node:crypto'

export interface KeyProof {
  readonly salt: Uint8Array
  /** Of the one who proves that he knows the key. */
  readonly hostname: Uint8Array
  readonly nonce: Uint8Array
  readonly sharedKey: string
}

/** 128 lower-case hex digits. */
export function keyDigest({ salt, hostname, nonce, sharedKey }: KeyProof): string {
  return createHash('sha512').update(salt).update(hostname).update(nonce).update(sharedKey).digest('hex')
}

export interface PasswordProof {
  readonly auth: Uint8Array
  readonly username: Uint8Array
  readonly password: string
}

/** 128 lower-case hex digits. */
export function passwordDigest({ auth, username, password }: PasswordProof): string {
  return createHash('sha512').update(auth).update(username).update(password).digest('hex')
}
