/** Asks servers again and again whether they are there. What follows from the answers is the matter of their state. */
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import type { Server } from './server.ts'

const DATAGRAM = Uint8Array.of(0)
/** A socket is not used for longer: the server's name is looked up anew. */
const SOCKET_AGE_MS = 60_000

export interface HeartbeatOptions {
  readonly type: 'transport' | 'udp' | 'none'
  readonly intervalMs: number
}

/** @returns what ends it. */
export function watchServers(servers: readonly Server[], { type, intervalMs }: HeartbeatOptions): () => void {
  const stop = new AbortController()
  const watches = servers.map((server) => {
    const beat = () => {
      if (server.state.beat(performance.now())) server.options.changed(server, 'back', 'its heartbeats are back')
    }
    const ask = type === 'udp' ? askByDatagram(server, beat, stop.signal) : askByConnection(server, beat, stop.signal)
    return () => {
      const news = server.state.tick(performance.now())
      if (news === 'lost') server.dropIdle()
      if (news !== undefined) server.options.changed(server, news, WORDS[news])
      if (type !== 'none') ask()
    }
  })
  const timer = setInterval(() => {
    for (const watch of watches) watch()
  }, intervalMs).unref()
  return () => {
    clearInterval(timer)
    stop.abort()
  }
}

const WORDS = { lost: 'its heartbeats do not come', back: 'it is tried again' } as const

/** One at a time: a server that does not answer is not asked ever more often. */
function askByConnection(server: Server, beat: () => void, signal: AbortSignal): () => void {
  let isAsking = false
  return () => {
    if (isAsking) return
    isAsking = true
    server
      .probe(signal)
      .then(beat, () => {})
      .finally(() => {
        isAsking = false
      })
  }
}

/** Any datagram from its port is an answer. [fluentd, out_forward.rb, on_udp_heatbeat_response_recv] */
function askByDatagram(server: Server, beat: () => void, signal: AbortSignal): () => void {
  let socket: Socket | undefined
  let openedMs = 0
  let isOpening = false
  const drop = (dropped: Socket | undefined) => {
    dropped?.close()
    if (socket === dropped) socket = undefined
  }
  const open = async () => {
    const opened = await openDatagrams(server.options)
    openedMs = performance.now()
    // A port that nobody listens on: the next heartbeat opens another.
    opened.once('error', () => drop(opened)).on('message', beat)
    if (signal.aborted) opened.close()
    else socket = opened
  }
  signal.addEventListener('abort', () => drop(socket), { once: true })
  return () => {
    if (socket !== undefined && performance.now() - openedMs > SOCKET_AGE_MS) drop(socket)
    socket?.send(DATAGRAM, () => {})
    if (socket !== undefined || isOpening) return
    isOpening = true
    open()
      .catch(() => {})
      .finally(() => {
        isOpening = false
      })
  }
}

/** Rejects with the system's error: the name is not known, the network is not there. */
async function openDatagrams({ host, port }: { host: string; port: number }): Promise<Socket> {
  const { address, family } = await lookup(host)
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4').unref()
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.connect(port, address, () => {
      socket.off('error', reject)
      resolve()
    })
  })
  return socket
}
