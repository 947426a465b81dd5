/**
 * Unpacks gzip into memory that is there already, with one inflater for all messages. Nothing is decided here: what is
 * not the plain case is left to zlib's own functions.
 *
 * `gunzipSync` makes an inflater and fresh memory each time, and V8 takes memory outside its heap for a reason to
 * collect the old generation: for compressed messages that was half of the CPU. Node gives zlib's handle to its own
 * classes only, so it is taken from one of them; where a future Node has no such handle, nothing is unpacked here.
 */
import { constants, createGunzip } from 'node:zlib'

/** What of a Gunzip is used. `_writeState`: bytes of the output and of the input that were left. */
interface Inflating {
  readonly _handle?: {
    onerror: () => void
    reset(): void
    writeSync(...args: readonly (number | Uint8Array)[]): void
  }
  readonly _writeState?: Uint32Array
}

let hasFailed = false
const { _handle: handle, _writeState: state } = createGunzip() as unknown as Inflating
const isThere = typeof handle?.writeSync === 'function' && typeof handle.reset === 'function' && state?.length === 2
if (isThere) handle.onerror = () => (hasFailed = true)

/**
 * @returns how many bytes it is; undefined when `into` is not larger than that, when the body is not whole or not gzip,
 * or when something follows it.
 */
export function gunzipInto(body: Uint8Array, into: Uint8Array): number | undefined {
  if (!isThere) return undefined
  hasFailed = false
  handle.reset()
  handle.writeSync(constants.Z_FINISH, body, 0, body.length, into, 0, into.length)
  const [left, unread] = state as unknown as [number, number]
  return hasFailed || left === 0 || unread > 0 ? undefined : into.length - left
}
