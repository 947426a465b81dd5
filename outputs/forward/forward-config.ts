/** What can be set of the forward output, under fluentd's names where it has the thing; what needs another setting. */
import type { ConfigFault, ConfigOf, Fields } from '../../server/core/fields.ts'

const serverFields = {
  host: { kind: 'string', doc: 'Name or address of the server.', example: 'primary.example.com' },
  port: { kind: 'integer', default: 24_224, min: 1, max: 65_535, doc: 'Its port, for TCP and the UDP heartbeat.' },
  name: {
    kind: 'string',
    optional: true,
    doc: 'What it is called in the log, and by its certificate where `host` is an address.',
    example: 'primary',
  },
  weight: { kind: 'integer', default: 60, min: 0, max: 1_000, doc: 'Its share of the messages; 0 for none.' },
  standby: { kind: 'boolean', default: false, doc: 'Used only while another server is lost.' },
  shared_key: { kind: 'secret', optional: true, mayBeEmpty: true, doc: 'Its key, where it is not that of the output.' },
  username: { kind: 'string', optional: true, doc: 'User to sign in as.' },
  password: { kind: 'secret', optional: true, doc: 'Password of `username`.' },
} as const satisfies Fields

export const forwardFields = {
  servers: { kind: 'groups', fields: serverFields, doc: 'Where events go: primaries, and those that stand by.' },
  shared_key: {
    kind: 'secret',
    optional: true,
    mayBeEmpty: true,
    doc: 'Key that both ends know; with it a Logboom at the other end keeps the event ids of this one.',
  },
  self_hostname: {
    kind: 'string',
    optional: true,
    doc: 'Name of this end in the handshake; else that of the machine.',
  },
  tls: {
    kind: 'group',
    doc: 'For servers that speak TLS.',
    fields: {
      enabled: { kind: 'boolean', default: false, doc: 'Speak TLS.' },
      ca_path: { kind: 'path', optional: true, doc: 'PEM file of the authority that signed their certificates.' },
      cert_path: {
        kind: 'path',
        optional: true,
        doc: 'PEM file of the certificate of this end, where one is asked for.',
      },
      private_key_path: { kind: 'path', optional: true, doc: 'PEM file of its private key.' },
      private_key_passphrase: { kind: 'secret', optional: true, doc: 'Passphrase of the private key.' },
      verify_hostname: {
        kind: 'boolean',
        default: true,
        doc: 'Whether a certificate must be for the name of its server.',
      },
      insecure: { kind: 'boolean', default: false, doc: 'Take any certificate. Only for tests.' },
    },
  },
  compress: { kind: 'enum', of: ['text', 'gzip', 'zstd'], default: 'text', doc: 'How entries are compressed.' },
  chunk_limit_size: {
    kind: 'size',
    default: '4MiB',
    min: '1KiB',
    max: '256MiB',
    doc: 'Entries of one message; a larger event goes alone. Fluent Bit takes 6 MB at most.',
  },
  require_ack_response: {
    kind: 'boolean',
    default: true,
    doc: 'Whether events count as delivered once they are acknowledged, or already when they are sent.',
  },
  ack_response_timeout: {
    kind: 'duration',
    default: '190s',
    min: '100ms',
    doc: 'Longest wait for the next ack, if it is less than `hard_timeout`; then the server is lost.',
  },
  send_timeout: {
    kind: 'duration',
    default: '60s',
    min: '100ms',
    doc: 'Longest time that nothing can be sent, if it is less than `hard_timeout`; then the server is lost.',
  },
  hard_timeout: {
    kind: 'duration',
    default: '60s',
    min: '100ms',
    doc: 'A server that gives no sign for so long is lost: no connection, handshake, ack or heartbeat.',
  },
  heartbeat_type: {
    kind: 'enum',
    of: ['transport', 'udp', 'none'],
    default: 'transport',
    doc: 'How servers are watched: by connecting and signing in, by a datagram they answer, or by their acks alone.',
  },
  heartbeat_interval: { kind: 'duration', default: '1s', min: '10ms', max: '1h', doc: 'Time between heartbeats.' },
  phi_failure_detector: { kind: 'boolean', default: true, doc: 'Whether the gaps between heartbeats are judged.' },
  phi_threshold: {
    kind: 'integer',
    default: 16,
    min: 1,
    doc: 'A server is lost when the detector is as sure as this; 16 is some 37 s at an interval of 1 s.',
  },
  recover_wait: {
    kind: 'duration',
    default: '10s',
    min: '10ms',
    doc: 'How long heartbeats must come before a lost server is used.',
  },
  keepalive: {
    kind: 'boolean',
    default: true,
    doc: 'Whether a connection is used for a minute; else for one message, as fluentd does and `deny_keepalive` wants.',
  },
  concurrency: { kind: 'integer', default: 1, min: 1, max: 64, doc: 'Batches in flight at a time; 1 keeps the order.' },
} as const satisfies Fields

export type ForwardConfig = ConfigOf<typeof forwardFields>
export type ServerConfig = ForwardConfig['servers'][number]

export function checkForward({ servers, shared_key, tls }: ForwardConfig): ConfigFault[] {
  const faults: ConfigFault[] = []
  const needs = (key: ConfigFault['key'], other: string, why: string) =>
    faults.push({ key, code: 'LB-C014', details: { other, why } })
  if (!servers.some(({ weight }) => weight > 0)) needs(['servers'], 'a server', 'With `host`, and a `weight` above 0.')
  if (tls.cert_path !== undefined && tls.private_key_path === undefined) {
    needs(['tls', 'cert_path'], 'private_key_path', 'A certificate is of no use without its key.')
  }
  for (const [index, server] of servers.entries()) {
    if (server.username === undefined || (server.shared_key ?? shared_key) !== undefined) continue
    needs(['servers', index, 'username'], 'shared_key', 'Without a key there is no handshake, and nobody signs in.')
  }
  return faults
}
