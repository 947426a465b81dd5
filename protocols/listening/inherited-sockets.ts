/**
 * Sockets that were handed over at the start (socket activation): which of them serves which input. The kernel keeps
 * who connects and what is sent while the program restarts, since the one who handed them over holds them too.
 *
 * They belong to the program and not to an input: an input that a reload ends leaves its socket open for the next one.
 */
import { lookup } from 'node:dns/promises'
import { readFile, readlink } from 'node:fs/promises'
import { isIP, isIPv6 } from 'node:net'
import { formatAddress } from '../../server/core/address.ts'
import type { Address, HostPort } from '../../server/core/fields.ts'
import type { Logger } from '../../server/core/log.ts'
import { InheritedDatagrams } from './inherited-datagrams.ts'
import { InheritedStream } from './inherited-stream.ts'
import type { HandedOver } from './listen-fds.ts'
import { canonicalIpv6, type ListeningSocket, readTcpTable, readUdpAddresses, readUnixTable } from './socket-tables.ts'

const TABLES = [
  ['/proc/net/tcp', readTcpTable],
  ['/proc/net/tcp6', readTcpTable],
  ['/proc/net/udp', readUdpAddresses],
  ['/proc/net/udp6', readUdpAddresses],
  ['/proc/net/unix', readUnixTable],
] as const

type Adopted = InheritedStream | InheritedDatagrams

export class InheritedSockets {
  readonly #sockets: readonly Adopted[]
  /** Handed over, and nothing that an input could listen on. */
  readonly #others: readonly HandedOver[]

  constructor(sockets: readonly Adopted[], others: readonly HandedOver[]) {
    this.#sockets = sockets
    this.#others = others
  }

  /** The one that listens for connections at this address; undefined: the input opens its own. */
  async stream(listen: Address): Promise<InheritedStream | undefined> {
    const streams = this.#sockets.filter((socket) => socket instanceof InheritedStream)
    return bestOf(streams, await resolved(listen))
  }

  /** The one that gets the datagrams for this address. */
  async datagrams(listen: HostPort): Promise<InheritedDatagrams | undefined> {
    const datagrams = this.#sockets.filter((socket) => socket instanceof InheritedDatagrams)
    return bestOf(datagrams, await resolved(listen))
  }

  /** For the operator: those that no input has taken, `[::]:514 udp (logboom.socket)`. */
  unused(): readonly string[] {
    const idle = this.#sockets.filter((socket) => !socket.isTaken)
    return [
      ...idle.map(({ address, kind, name }) => `${formatAddress(address)} ${kind}${nameOf(name)}`),
      ...this.#others.map(({ fd, name }) => `descriptor ${fd}${nameOf(name)}`),
    ]
  }

  /** From now on what comes waits in the kernel, for the next start. Connections that are open stay open. */
  async close(): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => socket.close()))
  }
}

const nameOf = (name: string) => (name === '' ? '' : ` (${name})`)

/** Looks up where each socket listens; none is read yet. */
export async function inheritSockets(handedOver: readonly HandedOver[], log: Logger): Promise<InheritedSockets> {
  if (handedOver.length === 0) return new InheritedSockets([], [])
  const tables = await Promise.all(
    TABLES.map(async ([file, read]) => read(await readFile(file, 'latin1').catch(() => ''))),
  )
  const found = new Map(tables.flatMap((table) => [...table]))
  const sockets: Adopted[] = []
  const others: HandedOver[] = []
  for (const one of handedOver) {
    const socket = found.get((await inodeOf(one.fd)) ?? '')
    if (socket === undefined) others.push(one)
    else sockets.push(adopt(socket, one, log))
  }
  return new InheritedSockets(sockets, others)
}

function adopt({ kind, address }: ListeningSocket, { fd, name }: HandedOver, log: Logger): Adopted {
  const options = { fd, name, log }
  return kind === 'stream' || 'path' in address
    ? new InheritedStream({ ...options, address })
    : new InheritedDatagrams({ ...options, address })
}

async function inodeOf(fd: number): Promise<string | undefined> {
  const target = await readlink(`/proc/self/fd/${fd}`).catch(() => '')
  return /^socket:\[(\d+)\]$/.exec(target)?.[1]
}

/** Names are looked up as they are when an input opens its own socket: the first address counts. */
async function resolved(listen: Address): Promise<Address> {
  if ('path' in listen) return listen
  const { host, port } = listen
  if (isIPv6(host)) return { host: canonicalIpv6(host), port }
  if (isIP(host) !== 0) return listen
  // What does not resolve cannot be listened on; that is said when it is tried.
  return {
    host: await lookup(host).then(
      ({ address }) => address,
      () => host,
    ),
    port,
  }
}

/** One at this very address, else one at `::`, which is `0.0.0.0` too. [systemd.socket(5), BindIPv6Only=] */
function bestOf<T extends Adopted>(sockets: readonly T[], listen: Address): T | undefined {
  const free = sockets.filter((socket) => !socket.isTaken)
  const exact = free.find(({ address }) => formatAddress(address) === formatAddress(listen))
  if (exact !== undefined || 'path' in listen || listen.host !== '0.0.0.0') return exact
  const both = formatAddress({ host: '::', port: listen.port })
  return free.find(({ address }) => formatAddress(address) === both)
}
