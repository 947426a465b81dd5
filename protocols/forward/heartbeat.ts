/**
 * The UDP heartbeat on the port of the TCP listener: any datagram is answered with one byte 0x00. [Forward spec v1,
 * "Heartbeat"]
 */
import { createSocket } from 'node:dgram'
import type { HostPort } from '../../server/core/fields.ts'

const ANSWER = Uint8Array.of(0)

/** Resolves once it is bound; rejects with the system's error. @returns what closes it. */
export async function answerHeartbeats(address: HostPort): Promise<() => Promise<void>> {
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
  socket.on('message', (_, from) => socket.send(ANSWER, from.port, from.address, () => {}))
  return () => new Promise((resolve) => socket.close(() => resolve()))
}
