/**
 * Where a socket listens that somebody else has opened: the tables of the kernel, found by the socket's inode.
 *
 *   /proc/net/tcp, udp    sl  local_address rem_address   st … inode          st 0A: listening
 *                          0: 0100007F:5EA0 00000000:0000 0A … 20994
 *   /proc/net/tcp6, udp6   the address is four words of 32 bits: 00000000000000000000000001000000:5EA0
 *   /proc/net/unix        Num RefCount Protocol Flags Type St Inode Path    Type 0001: stream, Flags 00010000: listens
 *                                              [Linux, proc(5); the words are in the byte order of the machine]
 */
import { SocketAddress } from 'node:net'
import type { Address, HostPort } from '../../server/core/fields.ts'

/** A stream socket that listens, or a datagram socket. */
export interface ListeningSocket {
  readonly kind: 'stream' | 'datagram'
  readonly address: Address
}

const LISTEN_STATE = '0A'
const UNIX_LISTENING = 0x1_00_00
const UNIX_STREAM = '0001'
const WORD_DIGITS = 8

/** inode → where it listens, of the text of /proc/net/tcp or tcp6. */
export function readTcpTable(text: string): Map<string, ListeningSocket> {
  const rows = rowsOf(text).filter(([, , , state]) => state === LISTEN_STATE)
  return new Map(rows.map((row) => [row[9]!, { kind: 'stream', address: readAddress(row[1]!) }]))
}

/** The same of /proc/net/udp or udp6. */
export function readUdpAddresses(text: string): Map<string, ListeningSocket> {
  return new Map(rowsOf(text).map((row) => [row[9]!, { kind: 'datagram', address: readAddress(row[1]!) }]))
}

/** The stream sockets of /proc/net/unix that listen at a path. */
export function readUnixTable(text: string): Map<string, ListeningSocket> {
  const pattern = /^[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]+) ([0-9A-F]+) [0-9A-F]+ +(\d+) (\/.*)$/gm
  const rows = [...text.matchAll(pattern)].filter(
    ([, flags, type]) => (Number.parseInt(flags!, 16) & UNIX_LISTENING) !== 0 && type === UNIX_STREAM,
  )
  return new Map(rows.map(([, , , inode, path]) => [inode!, { kind: 'stream', address: { path: path! } }]))
}

/** The columns of the rows that begin with a number, as the heading does not. */
function rowsOf(text: string): string[][] {
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/))
  return rows.filter((row) => /^\d+:$/.test(row[0]!) && row.length > 9)
}

function readAddress(text: string): HostPort {
  const [words = '', port = ''] = text.split(':')
  const bytes = words.match(/.{8}/g)!.flatMap(bytesOfWord)
  return { host: bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes), port: Number.parseInt(port, 16) }
}

/** Of a word that a little-endian machine wrote: all that Node runs on are. */
function bytesOfWord(word: string): number[] {
  const pairs = Array.from({ length: WORD_DIGITS / 2 }, (_, index) => word.slice(index * 2, index * 2 + 2))
  return pairs.map((pair) => Number.parseInt(pair, 16)).reverse()
}

function formatIpv6(bytes: readonly number[]): string {
  const group = (index: number) => ((bytes[index * 2]! << 8) | bytes[index * 2 + 1]!).toString(16)
  return canonicalIpv6(Array.from({ length: 8 }, (_, index) => group(index)).join(':'))
}

/** Zeros left out, as everybody writes it: `0:0:0:0:0:0:0:1` is `::1`. */
export function canonicalIpv6(address: string): string {
  return new SocketAddress({ address, family: 'ipv6' }).address
}
