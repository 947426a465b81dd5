/**
 * The link where there are no packets to be had: a proxy that stops one direction or the other, is late, or narrow.
 * What TCP would send again is held, so that it comes when the link is whole, as it would.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Link, LinkFaults, WayFaults } from './link.ts'

/** What is passed on at a time, so that a narrow way is narrow all the time. */
const PIECE_BYTES = 1_024

export function startProxyLink(lack: string): Link {
  const servers: Server[] = []
  const sockets = new Set<Socket>()
  const healed = new Set<() => void>()
  let faults: LinkFaults = {}
  let connects = 0
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  }
  /** Resolves when the way lets something through, or at the next change. */
  const open = async (way: 'toServer' | 'toClient'): Promise<WayFaults> => {
    for (;;) {
      const now = faults[way] ?? {}
      if (now.loss !== 1) return now
      await new Promise<void>((resolve) => healed.add(resolve))
    }
  }
  const carry = async (from: Socket, to: Socket, way: 'toServer' | 'toClient') => {
    for await (const read of from as AsyncIterable<Buffer>) {
      for (let at = 0; at < read.length; ) {
        const { delayMs = 0, bytesPerSecond } = await open(way)
        const piece = read.subarray(at, bytesPerSecond === undefined ? read.length : at + PIECE_BYTES)
        const lineMs = bytesPerSecond === undefined ? 0 : (piece.length / bytesPerSecond) * 1_000
        if (delayMs + lineMs > 0) await sleep(delayMs + lineMs)
        if (!to.write(piece)) await once(to, 'drain')
        at += piece.length
      }
    }
    await open(way)
    to.end()
  }
  const accept = (client: Socket, port: number) => {
    connects += 1
    if (faults.refuses === true) return void client.resetAndDestroy()
    const server = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
    const end = () => {
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) keep(socket)
    carry(client, server, 'toServer').catch(end)
    carry(server, client, 'toClient').catch(end)
  }
  const set = (next: LinkFaults) => {
    faults = next
    for (const resolve of healed) resolve()
    healed.clear()
    if (next.refuses === true) for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    kind: 'proxy',
    lack,
    get connects() {
      return connects
    },
    async lead(port) {
      const server = createServer({ allowHalfOpen: true }, (client) => accept(client, port))
      servers.push(server)
      await once(server.listen(0, '127.0.0.1'), 'listening')
      return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
    },
    set,
    heal: () => set({}),
    async close() {
      set({})
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
}
