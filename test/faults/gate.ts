/** A TCP proxy in front of a sink that can be slow, deaf, or silent. */
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** pass: as it comes. hang: takes everything, answers nothing. stall: reads nothing, so that the window closes. */
export type GateMode = 'pass' | 'hang' | 'stall' | { readonly bytesPerSecond: number }

export interface Gate {
  readonly url: string
  /** Connections of the mode before are closed. */
  set(mode: GateMode): void
  close(): Promise<void>
}

const SLICES_PER_SECOND = 10

export async function startGate(target: string): Promise<Gate> {
  const { port: targetPort } = new URL(target)
  const sockets = new Set<Socket>()
  let mode: GateMode = 'pass'
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  }
  const server = createServer((client) => {
    keep(client)
    if (mode === 'hang') client.resume()
    else if (mode === 'stall') client.pause()
    else {
      const upstream = connect({ host: '127.0.0.1', port: Number(targetPort) })
      keep(upstream)
      client.once('close', () => upstream.destroy())
      upstream.once('close', () => client.destroy())
      upstream.pipe(client)
      if (mode === 'pass') client.pipe(upstream)
      else void trickle(client, upstream, mode.bytesPerSecond)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const closeAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${port}`,
    set(next) {
      mode = next
      closeAll()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        closeAll()
      }),
  }
}

/** Reads no more than the rate, so that the sender feels it. */
async function trickle(from: Socket, to: Socket, bytesPerSecond: number): Promise<void> {
  const slice = Math.ceil(bytesPerSecond / SLICES_PER_SECOND)
  from.pause()
  while (!from.destroyed) {
    const bytes = (from.read(Math.min(slice, from.readableLength)) ?? from.read(0)) as Buffer | null
    if (bytes !== null) to.write(bytes)
    await sleep(1_000 / SLICES_PER_SECOND)
  }
}
