/** Hands the sockets of a stream listener to Node's HTTP, which then listens nowhere itself. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { AcceptedConnection } from './listen-stream.ts'

/** @param closingMs how long a request that is under way may take when the listener closes. */
export function acceptHttp(server: Server, socket: Socket, closingMs: number): AcceptedConnection {
  // It is at the socket's server that Node tells of bytes that it cannot read, `clientError`.
  Object.assign(socket, { server })
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  server.emit('connection', socket)
  return { closed, end: () => void setTimeout(() => socket.destroy(), closingMs).unref() }
}

/** Node checks the time limits of headers and requests only of a server that it thinks is listening. */
export function watchTimeLimits(server: Server): void {
  server.emit('listening')
}
