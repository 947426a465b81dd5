/**
 * The link of packets: a device of our own whose packets are turned round, so that what a client of this machine sends
 * to the far address comes back from there to a server of this machine. Nothing of it needs a network namespace.
 *
 *   client near:p ─► far:s ┐             ┌► far:p ─► near:s server
 *                          └─ device, Way ┘      (and back the same way)
 */
import { openDevice } from './device.ts'
import type { Link, LinkFaults } from './link.ts'
import { isConnect, portsOf, refusalOf, turnRound } from './packets.ts'
import { Way } from './way.ts'

interface Flight {
  readonly packet: Buffer
  readonly arrivesMs: number
}

/** Throws Unavailable where the machine has no TUN device for us. */
export async function startPacketLink(random: () => number): Promise<Link> {
  const servers = new Set<number>()
  const ways = { toServer: new Way(random), toClient: new Way(random) }
  let refuses = false
  let connects = 0
  const device = await openDevice((packet) => {
    const ports = portsOf(packet)
    if (ports === undefined) return
    const isToServer = servers.has(ports.destination)
    if (isToServer && isConnect(packet)) connects += 1
    const refusal = refuses && isToServer ? refusalOf(packet) : undefined
    if (refusal !== undefined) return device.write(refusal)
    const way = isToServer ? ways.toServer : ways.toClient
    for (const arrivesMs of way.send(packet.length, performance.now()))
      air.add({ packet: turnRound(packet), arrivesMs })
  })
  const air = new Air((packet) => device.write(packet))
  const set = (faults: LinkFaults) => {
    refuses = faults.refuses ?? false
    ways.toServer.set(faults.toServer ?? {})
    ways.toClient.set(faults.toClient ?? {})
  }
  return {
    kind: 'packets',
    lack: undefined,
    get connects() {
      return connects
    },
    async lead(port) {
      servers.add(port)
      return { host: device.far, port }
    },
    set,
    heal: () => set({}),
    async close() {
      air.clear()
      await device.close()
    },
  }
}

/** Packets on their way, the next to arrive first. */
class Air {
  readonly #land: (packet: Buffer) => void
  #flights: Flight[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(land: (packet: Buffer) => void) {
    this.#land = land
  }

  add(flight: Flight): void {
    const behind = this.#flights.findLastIndex(({ arrivesMs }) => arrivesMs <= flight.arrivesMs)
    this.#flights.splice(behind + 1, 0, flight)
    if (behind === -1) this.#fly()
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#flights = []
  }

  #fly(): void {
    const nowMs = performance.now()
    while (this.#flights.length > 0 && this.#flights[0]!.arrivesMs <= nowMs) this.#land(this.#flights.shift()!.packet)
    clearTimeout(this.#timer)
    const [next] = this.#flights
    if (next !== undefined) this.#timer = setTimeout(() => this.#fly(), Math.ceil(next.arrivesMs - nowMs))
  }
}
