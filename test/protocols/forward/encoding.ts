/** Builds msgpack by hand, so that every header form can be chosen. For tests only. */
export const str = (text: string | Uint8Array): Buffer => {
  const body = Buffer.from(text as Uint8Array)
  const n = body.length
  if (n < 32) return Buffer.concat([Buffer.of(0xa0 | n), body])
  if (n < 256) return Buffer.concat([Buffer.of(0xd9, n), body])
  return n < 65_536 ? str16(body) : str32(body)
}
export const str16 = (text: string | Uint8Array): Buffer => wide(0xda, 2, Buffer.from(text as Uint8Array))
export const str32 = (text: string | Uint8Array): Buffer => wide(0xdb, 4, Buffer.from(text as Uint8Array))
export const bin8 = (body: Uint8Array): Buffer => wide(0xc4, 1, body)
export const bin16 = (body: Uint8Array): Buffer => wide(0xc5, 2, body)
export const bin32 = (body: Uint8Array): Buffer => wide(0xc6, 4, body)

function wide(first: number, width: number, body: Uint8Array): Buffer {
  return Buffer.concat([header(first, width, body.length), body])
}

/** A header that may lie about what follows. */
export function header(first: number, width: number, count: number): Buffer {
  const bytes = Buffer.alloc(1 + width, first)
  bytes.writeUIntBE(count, 1, width)
  return bytes
}

export const array = (...items: Uint8Array[]): Buffer => Buffer.concat([arrayHeader(items.length), ...items])
export function arrayHeader(count: number): Buffer {
  return count < 16 ? Buffer.of(0x90 | count) : count < 65_536 ? header(0xdc, 2, count) : header(0xdd, 4, count)
}
export function map(pairs: Readonly<Record<string, Uint8Array>>): Buffer {
  const items = Object.entries(pairs).flatMap(([key, value]) => [str(key), value])
  const count = items.length / 2
  return Buffer.concat([count < 16 ? Buffer.of(0x80 | count) : header(0xde, 2, count), ...items])
}

export const nil = Buffer.of(0xc0)
export const uint32 = (value: number): Buffer => header(0xce, 4, value)
export const int32 = (value: number): Buffer => header(0xd2, 4, value >>> 0)
export function float64(value: number): Buffer {
  const bytes = Buffer.alloc(9, 0xcb)
  bytes.writeDoubleBE(value, 1)
  return bytes
}
export function eventTime(seconds: number, nanoseconds: number): Buffer {
  return Buffer.concat([Buffer.of(0xd7, 0), header(0, 4, seconds).subarray(1), header(0, 4, nanoseconds).subarray(1)])
}

export const record = (log: string): Buffer => map({ source: str('stdout'), log: str(log) })
export const entry = (log: string): Buffer => array(eventTime(1_700_000_000, 42), record(log))
export const entries = (...logs: string[]): Buffer => Buffer.concat(logs.map(entry))
