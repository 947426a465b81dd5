/** The few msgpack heads that the client's messages are made of. */

/** A text of at most 65,535 bytes. */
export function str(text: string): Buffer {
  const bytes = Buffer.from(text)
  const { length } = bytes
  if (length < 32) return Buffer.concat([Buffer.of(0xa0 | length), bytes])
  if (length < 256) return Buffer.concat([Buffer.of(0xd9, length), bytes])
  return Buffer.concat([Buffer.of(0xda, length >> 8, length & 0xff), bytes])
}

/** The type, and 32 bits: a number, or the length of what follows. */
export function wide(type: number, value: number): Buffer {
  const bytes = Buffer.of(type, 0, 0, 0, 0)
  bytes.writeUInt32BE(value, 1)
  return bytes
}
