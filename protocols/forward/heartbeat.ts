/**
 * The UDP heartbeat on the port of the TCP listener: any datagram is answered with one byte 0x00. [Forward spec v1,
 * "Heartbeat"]
 */
import { createSocket } from 'node:dgram'
import type { HostPort } from '../../server/core/fields.ts'
import { type AllowList, peerAddress } from '../listening/allow-list.ts'

const ANSWER = Uint8Array.of(0)

/**
 * Answers those of the allowed networks. Resolves once it is bound; rejects with the system's error.
 * @returns what closes it.
 */
export async function answerHeartbeats(address: HostPort, allow?: AllowList): Promise<() => Promise<void>> {
  const socket = createSocket(address.host.includes(':') ? 'udp6' : 'udp4')
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address: address.host, port: address.port, exclusive: true }, () => {
      socket.off('error', reject)
      resolve()
    })
  })
  // One client that cannot be answered is no reason to stop answering the others.
  socket.on('error', () => {})
  socket.on('message', (_, { address: from, port }) => {
    const isAllowed = allow === undefined || allow.has(peerAddress({ remoteAddress: from }))
    if (isAllowed) socket.send(ANSWER, port, from, () => {})
  })
  return () => new Promise((resolve) => socket.close(() => resolve()))
}
