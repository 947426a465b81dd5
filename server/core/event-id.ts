/** Reads event ids from text, as documents and the option `event_id` of the Forward protocol have them. */
import type { EventId } from './event.ts'

/** `<base>.<index>`: 16 characters of base64url, which are 12 bytes, a dot, a decimal number. */
const ID = /^([\w-]{16})\.(\d{1,10})$/
const INDEX_MAX = 2 ** 32 - 1

/** Undefined when it is none. */
export function readEventId(text: string): EventId | undefined {
  const [, base, digits] = ID.exec(text) ?? []
  const index = Number(digits)
  if (base === undefined || index > INDEX_MAX) return undefined
  return { base: Buffer.from(base, 'base64url'), index }
}
