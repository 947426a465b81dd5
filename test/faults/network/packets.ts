/**
 * The parts of IPv4 packets that the link reads and turns round. Pure.
 *
 *    0 version, header length   9 protocol   12 source   16 destination                     [RFC 791, 3.1]
 *    TCP: 0 source port   2 destination port   4 sequence   8 acknowledged   12 length   13 flags   16 checksum
 *                                                                                            [RFC 9293, 3.1]
 */

const TCP = 6
const UDP = 17
const IPV4_BYTES = 20
const TCP_BYTES = 20
const FIN = 0x01
const SYN = 0x02
const RST = 0x04
const ACK = 0x10

export interface Ports {
  readonly source: number
  readonly destination: number
}

const headerBytes = (packet: Buffer) => (packet[0]! & 15) * 4

/** Undefined: neither TCP nor UDP over IPv4. */
export function portsOf(packet: Buffer): Ports | undefined {
  const at = headerBytes(packet)
  if (packet[0]! >> 4 !== 4 || (packet[9] !== TCP && packet[9] !== UDP) || packet.length < at + 4) return undefined
  return { source: packet.readUInt16BE(at), destination: packet.readUInt16BE(at + 2) }
}

const flagsOf = (packet: Buffer) => (packet[9] === TCP ? packet[headerBytes(packet) + 13]! : 0)

/** Whether it asks for a connection. */
export function isConnect(packet: Buffer): boolean {
  return (flagsOf(packet) & (SYN | ACK)) === SYN
}

/** Source and destination change places; the checksums are sums and stay right. */
export function turnRound(packet: Buffer): Buffer {
  const turned = Buffer.from(packet)
  packet.copy(turned, 12, 16, 20)
  packet.copy(turned, 16, 12, 16)
  return turned
}

/** What a machine answers on whose port nobody listens; undefined where it answers nothing. [RFC 9293, 3.5.2] */
export function refusalOf(packet: Buffer): Buffer | undefined {
  const flags = flagsOf(packet)
  if (packet[9] !== TCP || (flags & RST) !== 0) return undefined
  const at = headerBytes(packet)
  const dataBytes = packet.readUInt16BE(2) - at - (packet[at + 12]! >> 4) * 4
  const next = packet.readUInt32BE(at + 4) + dataBytes + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0)
  const answer = Buffer.alloc(IPV4_BYTES + TCP_BYTES)
  answer.writeUInt16BE(0x4500, 0)
  answer.writeUInt16BE(answer.length, 2)
  answer[8] = 64
  answer[9] = TCP
  packet.copy(answer, 12, 16, 20)
  packet.copy(answer, 16, 12, 16)
  packet.copy(answer, IPV4_BYTES, at + 2, at + 4)
  packet.copy(answer, IPV4_BYTES + 2, at, at + 2)
  if (flags & ACK) packet.copy(answer, IPV4_BYTES + 4, at + 8, at + 12)
  answer.writeUInt32BE(next >>> 0, IPV4_BYTES + 8)
  answer[IPV4_BYTES + 12] = (TCP_BYTES / 4) << 4
  answer[IPV4_BYTES + 13] = flags & ACK ? RST : RST | ACK
  answer.writeUInt16BE(checksum(answer.subarray(0, IPV4_BYTES), 0), 10)
  const pseudo = sum16(answer.subarray(12, 20)) + TCP + TCP_BYTES
  answer.writeUInt16BE(checksum(answer.subarray(IPV4_BYTES), pseudo), IPV4_BYTES + 16)
  return answer
}

function sum16(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at)
  return sum
}

/** [RFC 1071] */
function checksum(bytes: Buffer, start: number): number {
  let sum = start + sum16(bytes)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
