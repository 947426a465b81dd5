/**
 * Who may send: fluentd's `<security>` as configuration, its faults, and what is asked of a client by its address. What
 * is configured in part asks for everything or is a fault; it never opens the door.
 */
import { hostname } from 'node:os'
import type { ConfigFault, ConfigOf, Fields } from '../../server/core/fields.ts'
import { NETWORK_EXPECTED, parseNetwork } from '../listening/allow-list.ts'
import type { Demand } from './handshake.ts'

/** A name that fits into a PONG, and is a host name. */
const HOSTNAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$'

export const securityFields = {
  shared_key: {
    kind: 'secret',
    optional: true,
    mayBeEmpty: true,
    doc: 'Key that clients must know; with it every connection begins with the handshake. `""` is a key too.',
  },
  self_hostname: {
    kind: 'string',
    optional: true,
    pattern: HOSTNAME,
    doc: "Name that clients are told in the handshake; this host's where it is left out.",
    example: 'logs.example.com',
  },
  users: {
    kind: 'groups',
    optional: true,
    doc: 'Users of whom clients must be one; where it is left out, the key is enough.',
    fields: {
      username: { kind: 'string', doc: 'Name of the user.', example: 'alice' },
      password: { kind: 'secret', doc: 'Password of the user.' },
    },
  },
  clients: {
    kind: 'groups',
    optional: true,
    doc: 'Clients that are known by their address; the first that fits counts.',
    fields: {
      host: { kind: 'string', optional: true, doc: 'Name or address of one.', example: 'web1.example.com' },
      network: { kind: 'string', optional: true, doc: 'Network of several.', example: '10.0.0.0/8' },
      shared_key: {
        kind: 'secret',
        optional: true,
        mayBeEmpty: true,
        doc: 'Their key; that of the input where it is left out.',
      },
      users: {
        kind: 'strings',
        optional: true,
        doc: 'Users of `users` that they may be; all where it is left out.',
        example: '[alice]',
      },
    },
  },
  allow_anonymous_source: {
    kind: 'boolean',
    default: true,
    doc: 'Whether clients that are none of `clients` may send.',
  },
} as const satisfies Fields

export type SecurityConfig = ConfigOf<typeof securityFields>
export type ClientConfig = NonNullable<SecurityConfig['clients']>[number]

export function checkSecurity(config: SecurityConfig, listensOnPath: boolean): ConfigFault[] {
  const { clients = [] } = config
  return [
    ...keyFaults(config),
    ...clients.flatMap((client, index) => clientFaults(client, index, config)),
    ...(clients.length > 0 && listensOnPath ? [needs(['clients'], 'listen: host:port', NO_ADDRESS)] : []),
  ]
}

const NO_ADDRESS = 'Clients of a Unix socket have no address by which they could be known.'
const NO_HANDSHAKE = 'Without a key there is no handshake, and nobody would be asked.'

function needs(key: ConfigFault['key'], other: string, why: string): ConfigFault {
  return { key, code: 'LB-C014', details: { other, why } }
}

/** A client without a key of its own, or one that nobody knows, has to have one all the same. */
function keyFaults(config: SecurityConfig): ConfigFault[] {
  const { shared_key, clients = [], allow_anonymous_source } = config
  if (shared_key !== undefined) return []
  const isWhole = clients.length > 0 && clients.every((client) => client.shared_key !== undefined)
  if (isWhole && !allow_anonymous_source) return []
  if (isWhole)
    return [needs(['clients'], 'shared_key', 'Or set `allow_anonymous_source: false`, so that nobody else may send.')]
  const given = (['users', 'clients', 'self_hostname'] as const).filter((key) => config[key] !== undefined)
  const asking = allow_anonymous_source ? given : [...given, 'allow_anonymous_source']
  return asking.map((key) => needs([key], 'shared_key', NO_HANDSHAKE))
}

function clientFaults({ host, network, users }: ClientConfig, index: number, config: SecurityConfig): ConfigFault[] {
  const key = ['clients', index]
  const faults: ConfigFault[] = []
  if (host === undefined && network === undefined) {
    faults.push({ key: [...key, 'host'], code: 'LB-C003', details: { doc: 'Or give the `network`.' } })
  }
  if (host !== undefined && network !== undefined) {
    faults.push({ key: [...key, 'host'], code: 'LB-C012', details: { other: `clients[${index}].network` } })
  }
  if (network !== undefined && parseNetwork(network) === undefined) {
    const details = { ...NETWORK_EXPECTED, found: `\`${network}\`` }
    faults.push({ key: [...key, 'network'], code: 'LB-C002', details })
  }
  if (users === undefined) return faults
  if (config.users === undefined) return [...faults, needs([...key, 'users'], 'users', 'It says who they are.')]
  const known = new Set(config.users.map(({ username }) => username))
  for (const [at, name] of users.entries()) {
    if (known.has(name)) continue
    const details = { expected: 'a username of `users`', found: `\`${name}\``, example: [...known][0] ?? 'alice' }
    faults.push({ key: [...key, 'users', at], code: 'LB-C002', details })
  }
  return faults
}

export interface Security {
  readonly selfHostname: string
  /** What is asked of a client of `clients`, or of none; undefined: it may not send. */
  demandOf(client: ClientConfig | undefined): Demand | undefined
}

/** Undefined: nothing is asked, of nobody. */
export function createSecurity(config: SecurityConfig): Security | undefined {
  const { shared_key, clients, users, allow_anonymous_source } = config
  const asked = [shared_key, clients, users].some((value) => value !== undefined) || !allow_anonymous_source
  if (!asked) return undefined
  const passwords = users && new Map(users.map(({ username, password }) => [username, password]))
  const demands = new Map<ClientConfig | undefined, Demand>()
  for (const client of [undefined, ...(clients ?? [])]) {
    const sharedKey = client?.shared_key ?? shared_key
    if (sharedKey === undefined || (client === undefined && !allow_anonymous_source)) continue
    const names = client?.users
    const allowed = names === undefined ? passwords : only(names, passwords)
    demands.set(client, { sharedKey, users: allowed })
  }
  return { selfHostname: config.self_hostname ?? hostname(), demandOf: (client) => demands.get(client) }
}

function only(names: readonly string[], passwords: ReadonlyMap<string, string> = new Map()): Map<string, string> {
  return new Map([...passwords].filter(([name]) => names.includes(name)))
}
