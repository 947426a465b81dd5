/** Which of the configured `clients` an address belongs to. Names are looked up, again and again: addresses move. */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Logger } from '../../server/core/log.ts'
import { type AllowList, createAllowList } from '../listening/allow-list.ts'
import type { ClientConfig } from './security.ts'

/** How often names are looked up, in ms. */
const LOOKUP_MS = 60_000

export interface KnownClients {
  /** The first that fits; undefined when none does. */
  find(address: string | undefined): ClientConfig | undefined
  close(): void
}

interface Known {
  readonly client: ClientConfig
  networks: AllowList
}

/** Resolves when every name was looked up once. A name that is not found is nobody's, and is said in the log. */
export async function knowClients(clients: readonly ClientConfig[], log: Logger): Promise<KnownClients> {
  const known = clients.map((client): Known => ({ client, networks: createAllowList(literal(client)) }))
  const named = known.filter(({ client }) => client.host !== undefined && isIP(client.host) === 0)
  const lookUpAll = () => Promise.all(named.map((one) => lookUp(one, log)))
  await lookUpAll()
  const timer = named.length === 0 ? undefined : setInterval(lookUpAll, LOOKUP_MS).unref()
  return {
    find: (address) => known.find(({ networks }) => networks.has(address))?.client,
    close: () => clearInterval(timer),
  }
}

function literal({ host, network }: ClientConfig): string[] {
  if (network !== undefined) return [network]
  return host !== undefined && isIP(host) !== 0 ? [host] : []
}

/** A name that is not found any more keeps its last addresses. */
async function lookUp(known: Known, log: Logger): Promise<void> {
  const host = known.client.host!
  try {
    const found = await lookup(host, { all: true })
    known.networks = createAllowList(found.map(({ address }) => address.replace(/%.*$/, '')))
  } catch (error) {
    log.warn({ host, reason: (error as Error).message }, 'a client of the configuration cannot be looked up')
  }
}
