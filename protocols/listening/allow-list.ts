/** Networks as they are written, `10.0.0.0/8`, `fd00::/8` or one address, and whether a peer is of one of them. */
import { BlockList, isIP } from 'node:net'

export interface Network {
  readonly address: string
  /** Leading bits that count: 0 to 32, to 128 for IPv6. */
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

export interface AllowList {
  /** `address` as `peerAddress` gives it. A peer without an address, of a Unix socket, is of no network. */
  has(address: string | undefined): boolean
}

/** The configuration field of every input that has one: `config.allow` is undefined where everybody may come. */
export const allowField = {
  kind: 'strings',
  optional: true,
  doc: 'Networks that may connect; where it is left out, every one. An empty list lets nobody in.',
  example: '[10.0.0.0/8, "fd00::/8", 192.0.2.7]',
} as const

/** What a network has to look like, for LB-C002. */
export const NETWORK_EXPECTED = { expected: 'a network or an address', example: '10.0.0.0/8' } as const

/** Undefined when the text is no network. */
export function parseNetwork(text: string): Network | undefined {
  const { address, prefix } = /^(?<address>[^/]+)(\/(?<prefix>\d{1,3}))?$/.exec(text)?.groups ?? {}
  const version = isIP(address ?? '')
  if (address === undefined || version === 0 || address.includes('%')) return undefined
  const bits = version === 4 ? 32 : 128
  const wanted = prefix === undefined ? bits : Number(prefix)
  return wanted > bits ? undefined : { address, prefix: wanted, family: version === 4 ? 'ipv4' : 'ipv6' }
}

/** @throws RangeError for a text that is no network: the configuration's check finds those first. */
export function createAllowList(networks: readonly string[]): AllowList {
  const list = new BlockList()
  for (const text of networks) {
    const network = parseNetwork(text)
    if (network === undefined) throw new RangeError(`${text} is no network`)
    list.addSubnet(network.address, network.prefix, network.family)
  }
  return {
    has: (address) => address !== undefined && list.check(address, address.includes(':') ? 'ipv6' : 'ipv4'),
  }
}

/** The entries of a list that are no networks, by their index. */
export function badNetworks(networks: readonly string[]): { readonly index: number; readonly text: string }[] {
  return networks.flatMap((text, index) => (parseNetwork(text) === undefined ? [{ index, text }] : []))
}

/** A peer's address as networks are compared with it: IPv4 within IPv6 plain, and no zone. Undefined: it has none. */
export function peerAddress({ remoteAddress }: { readonly remoteAddress?: string | undefined }): string | undefined {
  return remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
}
