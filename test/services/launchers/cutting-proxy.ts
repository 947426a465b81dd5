/**
 * A TCP proxy that loses answers: the request has arrived, the server has done it, and the connection is cut before the
 * client hears of it.
 */
import { connect, createServer, type Socket } from 'node:net'

export interface CuttingProxy {
  readonly port: number
  /** Answers that were lost so far. */
  readonly cuts: number
  /** From now on each piece of an answer is lost with this probability, 0 to 1. */
  lose(probability: number): void
  /** From now on nothing is let through, and new connections are refused. */
  block(): void
  unblock(): void
  close(): Promise<void>
}

/**
 * @param random 0 to 1, seeded by the test.
 * @param port where it listens; 0: any.
 */
export async function startCuttingProxy(targetPort: number, random: () => number, port = 0): Promise<CuttingProxy> {
  const sockets = new Set<Socket>()
  let probability = 0
  let isBlocked = false
  let cuts = 0
  const server = createServer((client) => {
    if (isBlocked) return void client.destroy()
    const upstream = connect(targetPort, '127.0.0.1')
    const pair = [client, upstream]
    const end = () => {
      for (const socket of pair) socket.destroy()
    }
    for (const socket of pair) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.on('close', () => sockets.delete(socket))
    }
    client.pipe(upstream)
    upstream.on('end', () => client.end())
    upstream.on('data', (answer) => {
      if (random() < probability) {
        cuts += 1
        end()
      } else {
        client.write(answer)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const cutAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    get cuts() {
      return cuts
    },
    lose: (value) => {
      probability = value
    },
    block: () => {
      isBlocked = true
      cutAll()
    },
    unblock: () => {
      isBlocked = false
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      cutAll()
      await closed
    },
  }
}
