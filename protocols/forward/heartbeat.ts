/**
 * The UDP heartbeat on the port of the TCP listener: any datagram is answered with one byte 0x00. [Forward spec v1,
 * "Heartbeat"]
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { HostPort } from '../../server/core/fields.ts'
import { type AllowList, peerAddress } from '../listening/allow-list.ts'
import type { InheritedSockets } from '../listening/inherited-sockets.ts'

const ANSWER = Uint8Array.of(0)

export interface HeartbeatOptions {
  readonly allow?: AllowList | undefined
  /** One of these serves where it has the address. */
  readonly inherited?: InheritedSockets | undefined
}

/**
 * Answers those of the allowed networks. Resolves once it is bound; rejects with the system's error.
 * @returns what closes it.
 */
export async function answerHeartbeats(
  address: HostPort,
  { allow, inherited }: HeartbeatOptions,
): Promise<() => Promise<void>> {
  const handedOver = await inherited?.datagrams(address)
  let socket: Socket
  const answer = (_: Buffer, { address: from, port }: RemoteInfo) => {
    const isAllowed = allow === undefined || allow.has(peerAddress({ remoteAddress: from }))
    if (isAllowed) socket.send(ANSWER, port, from, () => {})
  }
  if (handedOver !== undefined) {
    socket = handedOver.socket
    await handedOver.take(answer)
    return async () => handedOver.leave()
  }
  socket = await bind(address)
  socket.on('message', answer)
  return () => new Promise((resolve) => socket.close(() => resolve()))
}

async function bind({ host, port }: HostPort): Promise<Socket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off('error', reject)
      resolve()
    })
  })
  // One client that cannot be answered is no reason to stop answering the others.
  socket.on('error', () => {})
  return socket
}
