/**
 * The fields of a form, `application/x-www-form-urlencoded`, as bytes: msgpack in it is no text. [WHATWG URL 5.1]
 */

const PERCENT = 0x25
const PLUS = 0x2b
const AMPERSAND = 0x26
const EQUALS = 0x3d

/** The first field with this name; undefined when there is none. */
export function formField(body: Buffer, name: string): Buffer | undefined {
  for (let start = 0; start < body.length; ) {
    const ampersand = body.indexOf(AMPERSAND, start)
    const end = ampersand === -1 ? body.length : ampersand
    const equals = body.subarray(start, end).indexOf(EQUALS)
    const nameEnd = equals === -1 ? end : start + equals
    if (decode(body, start, nameEnd).toString('latin1') === name) return decode(body, Math.min(nameEnd + 1, end), end)
    start = end + 1
  }
  return undefined
}

function decode(body: Buffer, start: number, end: number): Buffer {
  const decoded = Buffer.allocUnsafe(end - start)
  let length = 0
  for (let at = start; at < end; at += 1) {
    const byte = body[at]!
    const code = byte === PERCENT && at + 3 <= end ? hexByte(body[at + 1]!, body[at + 2]!) : -1
    if (code >= 0) at += 2
    decoded[length] = code >= 0 ? code : byte === PLUS ? 0x20 : byte
    length += 1
  }
  return decoded.subarray(0, length)
}

/** -1 when it is none. */
function hexByte(high: number, low: number): number {
  const value = Number.parseInt(String.fromCharCode(high, low), 16)
  return isHex(high) && isHex(low) ? value : -1
}

function isHex(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66)
}
