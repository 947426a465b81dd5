/**
 * An input whose clients only send: frames over TCP, TLS or a Unix socket, and over UDP on the same address. The wiring
 * of sockets, gathering and doorbell; what a frame means is the protocol's matter.
 *
 * With TLS there is no UDP: it would be a way in for those who have no certificate.
 */
import type { Address } from '../../server/core/fields.ts'
import { BufferPool } from '../encoding/buffer-pool.ts'
import { GatherEntries } from '../encoding/gather-entries.ts'
import type { InputContext, Listener } from '../protocol.ts'
import { createAllowList, peerAddress } from './allow-list.ts'
import { createDoorbell, type Doorbell } from './doorbell.ts'
import type { Spoken } from './first-bytes.ts'
import { FrameConnections, type Framing } from './frame-connections.ts'
import { listenDatagrams } from './listen-datagrams.ts'
import { listenStream, type StreamListener } from './listen-stream.ts'
import type { TlsConfig } from './tls.ts'

export interface FrameInputConfig {
  readonly listen: Address
  readonly tls: TlsConfig | undefined
  readonly allow: readonly string[] | undefined
  readonly connection_limit: number
  /** Memory that the kernel keeps for datagrams, in bytes. */
  readonly receive_buffer: number
}

/** Turns what came into entries. Neither may throw, but for StrangerError by `takeFrame`. */
export interface FrameIntake<F extends Framing> {
  takeFrame(framing: F, peer: string): void
  takeDatagram(datagram: Buffer, peer: string): void
}

export interface FrameInputOptions<F extends Framing> {
  readonly config: FrameInputConfig
  readonly context: InputContext
  /** What the port takes, in the operator's words: `syslog`. */
  readonly takes: string
  readonly foreign: ReadonlySet<Spoken>
  readonly createFraming: () => F
  readonly createIntake: (gather: GatherEntries, doorbell: Doorbell) => FrameIntake<F>
}

/** Bytes of entries that are not durable yet, at most: then TCP is not read, and datagrams are dropped and counted. */
const IN_FLIGHT_BYTES = 32 * 1024 * 1024
/** Why a datagram is dropped then, for LB-L004. */
export const TOO_FAST = 'datagrams come faster than the disk takes them'
/** Tries at a port that the system chooses until its UDP side is free too. */
const FREE_PORT_TRIES = 5

/**
 * Throws LogboomError: LB-S001 the address is taken, LB-S002 it may not be opened, LB-S010 the certificates cannot be
 * used.
 */
export async function listenForFrames<F extends Framing>(options: FrameInputOptions<F>): Promise<Listener> {
  const { context, takes, foreign, createFraming, createIntake } = options
  const doorbell = createDoorbell(context)
  const gather = new GatherEntries({
    emit: context.emit,
    pool: new BufferPool(),
    inFlightBytes: IN_FLIGHT_BYTES,
    stored: (events) => {
      context.stats.events += events
    },
    lost: (events, error) =>
      doorbell.knocked('several clients', 'LB-L004', { reason: (error as Error).message }, events),
    drained: () => connections.steer(),
  })
  const intake = createIntake(gather, doorbell)
  const connections = new FrameConnections({
    ...{ context, doorbell, takes, foreign, createFraming },
    take: (framing, peer) => intake.takeFrame(framing, peer),
    isFull: () => gather.isFull,
  })
  const receive = (datagram: Buffer, peer: string) => {
    if (gather.isFull) doorbell.knocked(peer, 'LB-L004', { reason: TOO_FAST })
    else intake.takeDatagram(datagram, peer)
  }
  const listeners = await openBoth(options, { doorbell, connections, receive })
  let closing: Promise<void> | undefined
  const close = async () => {
    await Promise.all(listeners.map((listener) => listener.close()))
    await gather.settled()
  }
  return {
    addresses: listeners.flatMap(({ addresses }) => addresses),
    reload: () => listeners[0].reload(),
    close: () => (closing ??= close()),
  }
}

interface Inside<F extends Framing> {
  readonly doorbell: Doorbell
  readonly connections: FrameConnections<F>
  readonly receive: (datagram: Buffer, peer: string) => void
}

type Opened = { readonly addresses: readonly string[]; close(): Promise<void> }

async function openBoth<F extends Framing>(
  { config, context }: FrameInputOptions<F>,
  { doorbell, connections, receive }: Inside<F>,
): Promise<[StreamListener, ...Opened[]]> {
  const { listen, tls, connection_limit, receive_buffer } = config
  const key = `inputs.${context.name}.listen`
  const allow = config.allow && createAllowList(config.allow)
  for (let tries = 1; ; tries += 1) {
    const stream = await listenStream({
      ...{ listen, key, tls, allow, context },
      connectionLimit: connection_limit,
      accept: (socket) => connections.accept(socket),
      knocked: ({ peer, code, details }) => doorbell.knocked(peer, code, details),
    })
    if (tls !== undefined || 'path' in stream.address) return [stream]
    try {
      const datagrams = await listenDatagrams({
        ...{ listen: stream.address, key, allow, context, sockets: 1, receiveBufferBytes: receive_buffer },
        receive: (datagram, { address }) => receive(datagram, peerAddress({ remoteAddress: address }) ?? address),
      })
      return [stream, datagrams]
    } catch (error) {
      await stream.close()
      const isFree = 'port' in listen && listen.port === 0
      if (!isFree || tries === FREE_PORT_TRIES) throw error
    }
  }
}
