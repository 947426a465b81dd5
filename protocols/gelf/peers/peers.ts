/**
 * The sockets, names and timers of the other instances; who owns what, and what is taken, is the exchange's matter.
 * Names are looked up again and again, since an instance that is replaced has another address.
 */
import { lookup } from 'node:dns/promises'
import { peerAddress } from '../../listening/allow-list.ts'
import type { Doorbell } from '../../listening/doorbell.ts'
import { type DatagramListener, listenDatagrams } from '../../listening/listen-datagrams.ts'
import type { InputContext } from '../../protocol.ts'
import { LIMITS } from '../limits.ts'
import { PeerExchange } from './exchange.ts'
import { type Member, Membership } from './membership.ts'
import { nameOf, type PeersConfig } from './peer-fields.ts'

export interface Peers {
  /** `0.0.0.0:12202 udp peers` */
  readonly addresses: readonly string[]
  /** @returns false when the chunk belongs to this instance; else it is done with. */
  handOn(chunk: Buffer, sender: string): boolean
  /** Says goodbye, and hands on nothing more. */
  close(): Promise<void>
}

export interface PeersOptions {
  readonly config: PeersConfig
  readonly context: InputContext
  readonly doorbell: Doorbell
  readonly receiveBufferBytes: number
  /** Takes a chunk that another instance has handed on. It must not throw. */
  readonly take: (chunk: Buffer, sender: string) => void
}

export async function openPeers(options: PeersOptions): Promise<Peers> {
  const peers = new OpenPeers(options)
  await peers.open()
  return peers
}

class OpenPeers implements Peers {
  readonly #options: PeersOptions
  readonly #exchange: PeerExchange
  /** By the member's name; one that cannot be looked up has none. */
  readonly #found = new Map<string, readonly string[]>()
  #listener: DatagramListener | undefined
  readonly #timers: NodeJS.Timeout[] = []

  constructor(options: PeersOptions) {
    const { config, context, doorbell, take } = options
    const { log, clock, stats } = context
    this.#options = options
    this.#exchange = new PeerExchange({
      ...{ doorbell, stats, take },
      membership: new Membership(config.members.map(nameOf), {
        self: config.self,
        sharedKey: config.shared_key,
        startedMs: clock.monotonic(),
      }),
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      send: (member, bytes) => this.#send(member, bytes),
      isAddressOf: ({ name }, address) => this.#found.get(name)?.includes(address) === true,
      changed({ name }, isPresent) {
        if (isPresent) log.info({ member: name }, `\`${name}\` is there and owns its share of the messages in chunks`)
        else log.warn({ member: name }, `\`${name}\` is away: the others own its share of the messages in chunks`)
      },
    })
  }

  get addresses(): readonly string[] {
    return (this.#listener?.addresses ?? []).map((address) => `${address} peers`)
  }

  async open(): Promise<void> {
    const { config, context, receiveBufferBytes } = this.#options
    this.#listener = await listenDatagrams({
      ...{ listen: config.listen, key: `inputs.${context.name}.peers.listen`, allow: undefined, context },
      ...{ sockets: 1, receiveBufferBytes },
      receive: (datagram, { address }) =>
        this.#exchange.receive(datagram, peerAddress({ remoteAddress: address }) ?? address),
    })
    this.#timers.push(
      setInterval(() => this.#exchange.beat(), LIMITS.peers.beatMs).unref(),
      setInterval(() => void this.#lookUp(), LIMITS.peers.lookUpMs).unref(),
    )
    // Not waited for: a name server that does not answer must keep nobody from listening.
    void this.#lookUp().then(() => this.#exchange.beat())
  }

  handOn(chunk: Buffer, sender: string): boolean {
    return this.#listener !== undefined && this.#exchange.handOn(chunk, sender)
  }

  async close(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer)
    const listener = this.#listener
    if (listener === undefined) return
    this.#exchange.leave()
    this.#listener = undefined
    await listener.close()
  }

  /** Literal addresses are their own. */
  async #lookUp(): Promise<void> {
    const { members, self } = this.#options.config
    await Promise.all(
      members
        .filter((member) => nameOf(member) !== self)
        .map(async (member) => {
          const addresses = await addressesOf(member.host)
          // A name that is not found for a moment keeps the addresses it had.
          if (addresses.length > 0) this.#found.set(nameOf(member), addresses)
        }),
    )
  }

  #send(member: Member, bytes: Buffer): string | undefined {
    const listener = this.#listener
    const host = reachable(this.#found.get(member.name) ?? [], this.#options.config.listen.host)
    if (listener === undefined || host === undefined) return 'it has no address that can be reached from here'
    if (listener.unsentBytes > LIMITS.peers.unsentBytes) return 'chunks come faster than the network takes them'
    listener.send(bytes, { host, port: this.#portOf(member) }, (error) => this.#exchange.failed(member, bytes, error))
    return undefined
  }

  #portOf({ name }: Member): number {
    return this.#options.config.members.find((member) => nameOf(member) === name)!.port
  }
}

/** All that a name stands for, since it is not known from which of them its owner sends. */
async function addressesOf(host: string): Promise<string[]> {
  try {
    const found = await lookup(host, { all: true })
    return found.map(({ address }) => peerAddress({ remoteAddress: address }) ?? address)
  } catch {
    return []
  }
}

/** A socket of IPv4 reaches IPv4 alone, one of IPv6 both. */
function reachable(addresses: readonly string[], listenHost: string): string | undefined {
  const isIpv4 = (address: string) => !address.includes(':')
  if (!listenHost.includes(':')) return addresses.find(isIpv4)
  const [first] = addresses
  return first !== undefined && isIpv4(first) ? `::ffff:${first}` : first
}
