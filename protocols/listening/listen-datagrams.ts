/**
 * Receives datagrams: binds the sockets, gives them memory, counts what the kernel had to drop. What a datagram means
 * is the matter of the one who listens.
 */
import { createSocket, type Socket } from 'node:dgram'
import { formatAddress } from '../../server/core/address.ts'
import { LogboomError } from '../../server/core/errors.ts'
import type { HostPort } from '../../server/core/fields.ts'
import type { InputContext } from '../protocol.ts'
import { type AllowList, peerAddress } from './allow-list.ts'
import type { Receive } from './inherited-datagrams.ts'
import { KernelDrops } from './kernel-drops.ts'

export interface DatagramListenOptions {
  readonly listen: HostPort
  /** `inputs.<name>.listen`, for errors. */
  readonly key: string
  readonly allow: AllowList | undefined
  readonly context: InputContext
  /** Memory that the kernel is asked to keep for each socket. */
  readonly receiveBufferBytes: number
  /** More than one share the address (SO_REUSEPORT), each with its memory; the kernel spreads senders over them. */
  readonly sockets: number
  readonly receive: Receive
}

export interface DatagramListener {
  readonly address: HostPort
  /** `127.0.0.1:12201 udp` */
  readonly addresses: readonly string[]
  /** What was sent and is not with the kernel yet. */
  readonly unsentBytes: number
  /** Sends from the first socket, to a literal address. `failed` is called at most once. */
  send(datagram: Uint8Array, to: HostPort, failed: (error: Error) => void): void
  /** Stops receiving; resolves when what was sent is out, the sockets are closed and the last drops counted. */
  close(): Promise<void>
}

/** How often the kernel is asked what it dropped. */
const DROPS_INTERVAL_MS = 1_000

/** Throws LogboomError LB-S001 when the address is taken, LB-S002 when it may not be opened. */
export async function listenDatagrams(options: DatagramListenOptions): Promise<DatagramListener> {
  const { listen, context } = options
  const { sockets, port, drops, leave } = (await takeInherited(options)) ?? (await openOwn(options))
  const address = { host: listen.host, port }
  for (const socket of sockets) socket.setRecvBufferSize(options.receiveBufferBytes)
  warnOfSmallMemory(sockets[0]!, options)
  const counting = countDrops(drops, context)
  const close = async () => {
    await counting.stop()
    await leave()
  }
  let closing: Promise<void> | undefined
  return {
    ...{ address, addresses: [`${formatAddress(address)} udp`] },
    get unsentBytes() {
      return sockets[0]!.getSendQueueSize()
    },
    send(datagram, { host, port }, failed) {
      sockets[0]!.send(datagram, port, host, (error) => {
        if (error !== null) failed(error)
      })
    },
    close: () => (closing ??= close()),
  }
}

interface Receiving {
  readonly sockets: readonly Socket[]
  readonly port: number
  readonly drops: KernelDrops
  leave(): Promise<void>
}

/** One socket, however many were asked for: no other could share an address that was opened without. */
async function takeInherited(options: DatagramListenOptions): Promise<Receiving | undefined> {
  const { listen, context } = options
  const inherited = await context.inherited?.datagrams(listen)
  if (inherited === undefined) return undefined
  const dropped = await inherited.take(receiver(options)).catch((error: unknown) => refuse(error, options))
  context.stats.rejected.buffer += dropped
  const leave = async () => inherited.leave()
  return { sockets: [inherited.socket], port: listen.port, drops: inherited.drops, leave }
}

async function openOwn(options: DatagramListenOptions): Promise<Receiving> {
  const sockets = await open(options)
  const receive = receiver(options)
  for (const socket of sockets) {
    socket.on('error', (error) =>
      options.context.log.warn({ reason: error.message }, 'a datagram could not be received'),
    )
    socket.on('message', receive)
  }
  const { port } = sockets[0]!.address()
  const leave = async () => void (await Promise.all(sockets.map(closeSocket)))
  return { sockets, port, drops: new KernelDrops(port), leave }
}

async function open(options: DatagramListenOptions): Promise<Socket[]> {
  const { listen, sockets } = options
  const opened: Socket[] = []
  try {
    if (sockets > 1 && listen.port !== 0) await closeSocket(await bind(listen, false))
    for (let port = listen.port; opened.length < sockets; port = opened[0]!.address().port) {
      opened.push(await bind({ host: listen.host, port }, sockets > 1))
    }
    return opened
  } catch (error) {
    await Promise.all(opened.map(closeSocket))
    return refuse(error, options)
  }
}

function refuse(error: unknown, { listen, key }: DatagramListenOptions): never {
  const { code, message } = error as NodeJS.ErrnoException
  const details = { address: formatAddress(listen), key, reason: message }
  throw new LogboomError(code === 'EADDRINUSE' ? 'LB-S001' : 'LB-S002', details, { cause: error })
}

/** A port that is shared is never refused as taken: that is why it is tried alone before. */
async function bind({ host, port }: HostPort, isShared: boolean): Promise<Socket> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', reusePort: isShared })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ address: host, port, exclusive: true }, () => {
        socket.off('error', reject)
        resolve()
      })
    })
    return socket
  } catch (error) {
    await closeSocket(socket)
    throw error
  }
}

/** Counts what comes, and lets in who is allowed. */
function receiver({ allow, context, receive }: DatagramListenOptions): Receive {
  const { stats } = context
  return (datagram, from) => {
    stats.bytes += datagram.length
    if (allow !== undefined && !allow.has(peerAddress({ remoteAddress: from.address }))) stats.rejected.denied += 1
    else receive(datagram, from)
  }
}

/** Linux gives at most net.core.rmem_max, and reports twice of what it gives: half of it is for its own use. */
function warnOfSmallMemory(socket: Socket, { context, receiveBufferBytes }: DatagramListenOptions): void {
  const given = socket.getRecvBufferSize() / (process.platform === 'linux' ? 2 : 1)
  if (given >= receiveBufferBytes) return
  const details = { wanted: receiveBufferBytes, given }
  const error = new LogboomError('LB-S011', details)
  context.log.warn({ code: error.code, ...details }, `${error.message}. ${error.help}`)
}

function countDrops(drops: KernelDrops, { stats, log }: InputContext) {
  let hasWarned = false
  const count = async () => {
    const more = await drops.since()
    stats.rejected.kernel_drop += more
    if (more === 0 || hasWarned) return
    hasWarned = true
    const error = new LogboomError('LB-S012', { count: more })
    log.warn({ code: error.code, count: more }, `${error.message}. ${error.help}`)
  }
  // The first look finds out which sockets are ours.
  let last = count()
  const timer = setInterval(() => {
    last = last.then(count)
  }, DROPS_INTERVAL_MS).unref()
  return {
    stop: (): Promise<void> => {
      clearInterval(timer)
      return last.then(count)
    },
  }
}

function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()))
}
