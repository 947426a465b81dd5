/**
 * A way between the clients and the servers of this machine that fails as asked, each direction by itself. Where the
 * machine lets us, a network device whose packets are lost, late, doubled and out of order; else a proxy.
 */
import type { TestContext } from 'node:test'
import { Unavailable } from '../../services/launchers/availability.ts'
import { ABSENT } from '../absent.ts'
import { startPacketLink } from './packet-link.ts'
import { startProxyLink } from './proxy-link.ts'

/** What becomes of packets that go one way. Of a proxy's bytes only `loss: 1` and what is marked can be had. */
export interface WayFaults {
  /** Share of packets that are lost, 0 to 1; with 1 nothing comes through (proxy too). */
  readonly loss?: number
  /** Share that comes twice. */
  readonly duplicate?: number
  /** Share that is overtaken by those behind it. */
  readonly reorder?: number
  /** How long each is on its way, ms (proxy too). */
  readonly delayMs?: number
  /** What goes over it at most (proxy too); what a short queue cannot hold is lost. */
  readonly bytesPerSecond?: number
}

export interface LinkFaults {
  readonly toServer?: WayFaults
  readonly toClient?: WayFaults
  /** Nobody listens: who connects or sends is reset at once. */
  readonly refuses?: boolean
}

export const CUT: WayFaults = { loss: 1 }

export interface Link {
  readonly kind: 'packets' | 'proxy'
  /** Why it is a proxy; undefined where it is not. */
  readonly lack: string | undefined
  /** Attempts of clients to connect so far, each try of the kernel included. */
  readonly connects: number
  /** @returns where clients reach the server that listens at this port of 0.0.0.0. */
  lead(port: number): Promise<{ readonly host: string; readonly port: number }>
  /** Replaces all faults. */
  set(faults: LinkFaults): void
  heal(): void
  close(): Promise<void>
}

/**
 * Packets where the machine has what they need. In CI a machine without it fails unless `absent.ts` lists `packets`.
 * LOGBOOM_TEST_LINK=proxy takes the proxy in any case.
 */
export async function startLink(t: Pick<TestContext, 'after'>, random: () => number): Promise<Link> {
  const link = await choose(random)
  t.after(() => link.close())
  return link
}

async function choose(random: () => number): Promise<Link> {
  if (process.env.LOGBOOM_TEST_LINK === 'proxy') return startProxyLink('asked for')
  try {
    return await startPacketLink(random)
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    if (process.env.CI === 'true' && ABSENT.packets === undefined) throw error
    return startProxyLink(error.message)
  }
}

/** For the line of a fault: how it was made. */
export function madeBy({ lack }: Link): string {
  return lack === undefined ? 'packets' : `by a proxy, no packets here: ${lack}`
}
