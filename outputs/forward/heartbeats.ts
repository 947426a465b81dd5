/** Asks servers again and again whether they are there. What follows from the answers is the matter of their state. */
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import type { Server } from './server.ts'

const DATAGRAM = Uint8Array.of(0)

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
  const { host, port } = server.options
  let socket: Socket | undefined
  const open = async () => {
    const { address } = await lookup(host)
    const opened = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
    opened.unref()
    // A port that nobody listens on: the next datagram asks anew.
    opened.on('error', () => {
      opened.close()
      socket = undefined
    })
    opened.on('message', beat)
    await new Promise<void>((resolve) => opened.connect(port, address, () => resolve()))
    return opened
  }
  let opening = false
  signal.addEventListener('abort', () => socket?.close(), { once: true })
  return () => {
    if (socket !== undefined) {
      socket.send(DATAGRAM, () => {})
      return
    }
    if (opening) return
    opening = true
    open()
      .then((opened) => {
        if (signal.aborted) opened.close()
        else socket = opened
      })
      .catch(() => {})
      .finally(() => {
        opening = false
      })
  }
}
