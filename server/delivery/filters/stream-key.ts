/** What tells one stream of events from another, as a short text: what events hold may be long and is not kept. */
import { createHash } from 'node:crypto'

/** Characters; a longer key is replaced by its hash. */
const KEY_LENGTH_MAX = 256

export function streamKey(parts: readonly string[]): string {
  const key = parts.join('\0')
  return key.length <= KEY_LENGTH_MAX ? key : createHash('sha256').update(key).digest('base64')
}
