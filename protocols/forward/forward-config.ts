/** What can be set of the forward input, under fluentd's names where it has the thing; what needs another setting. */
import type { ConfigFault, ConfigOf, Fields } from '../../server/core/fields.ts'
import { allowField, badNetworks, NETWORK_EXPECTED } from '../listening/allow-list.ts'
import { checkTls, tlsFields } from '../listening/tls.ts'
import { checkSecurity, securityFields } from './security.ts'

/** A prefix leaves room for a tag. */
const PREFIX = '^[^\\s]{1,128}$'
const KEY = '^.{1,128}$'

export const forwardFields = {
  listen: {
    kind: 'address',
    unix: true,
    default: '127.0.0.1:24224',
    doc: 'Where it listens, for TCP and for the UDP heartbeat; or a Unix socket, `unix:/path`.',
    example: '0.0.0.0:24224',
  },
  ...securityFields,
  tls: tlsFields,
  allow: allowField,
  tag: {
    kind: 'string',
    optional: true,
    pattern: PREFIX,
    doc: 'Tag that replaces what clients send.',
    example: 'edge',
  },
  add_tag_prefix: {
    kind: 'string',
    optional: true,
    pattern: PREFIX,
    doc: 'Put before each tag with a dot between, as fluentd does.',
    example: 'edge',
  },
  tag_prefix: {
    kind: 'string',
    optional: true,
    pattern: PREFIX,
    doc: 'Put before each tag with nothing between, as Fluent Bit does.',
    example: '"edge."',
  },
  source_address_key: {
    kind: 'string',
    optional: true,
    pattern: KEY,
    doc: "Key of each record that is given the sender's address.",
    example: 'source_address',
  },
  source_hostname_key: {
    kind: 'string',
    optional: true,
    pattern: KEY,
    doc: "Key of each record that is given the sender's name, by reverse look-up; its address where it has none.",
    example: 'source_host',
  },
  time_unit: {
    kind: 'enum',
    of: ['s', 'ms'],
    default: 's',
    doc: 'Unit of times that are plain numbers: `ms` for fluent-logger of Node with `milliseconds`.',
  },
  deny_keepalive: {
    kind: 'boolean',
    default: false,
    doc: 'Whether a connection is closed after its first message.',
  },
  chunk_size_limit: {
    kind: 'size',
    default: '256MiB',
    doc: 'The largest message; the connection of one that is larger is closed without an ack.',
  },
  decompression_size_limit: {
    kind: 'size',
    default: '256MiB',
    doc: 'The most that one compressed message may unpack to.',
  },
  connection_limit: {
    kind: 'integer',
    default: 10_000,
    min: 1,
    doc: 'Connections that may be open at a time; more are turned away.',
  },
  connection_limit_per_address: {
    kind: 'integer',
    optional: true,
    min: 1,
    doc: 'The same from one address; three quarters of `connection_limit` where it is left out.',
    example: '100',
  },
  unix_perm: {
    kind: 'string',
    default: '660',
    pattern: '^0?[0-7]{3}$',
    doc: 'Permissions of the file of a Unix socket, in octal; who may write to it may connect.',
    example: '"660"',
  },
} as const satisfies Fields

export type ForwardConfig = ConfigOf<typeof forwardFields>

export function checkForward(config: ForwardConfig): ConfigFault[] {
  const { listen, allow, tls } = config
  const isUnix = 'path' in listen
  const faults = [...checkTls(tls), ...checkSecurity(config, isUnix)]
  for (const { index, text } of badNetworks(allow ?? [])) {
    faults.push({ key: ['allow', index], code: 'LB-C002', details: { ...NETWORK_EXPECTED, found: `\`${text}\`` } })
  }
  if (allow !== undefined && isUnix) {
    const why = 'A Unix socket has no networks; `unix_perm` says who may connect.'
    faults.push({ key: ['allow'], code: 'LB-C014', details: { other: 'listen: host:port', why } })
  }
  return faults
}
