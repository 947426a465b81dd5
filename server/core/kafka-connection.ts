/** How a broker is reached: the fields that the kafka output and the kafka buffer share, and what a client is told. */
import { readFile } from 'node:fs/promises'
import type { ConfigOf, Fields } from './fields.ts'

/** Times that the client itself sends a request again: it numbers it, so that the broker stores it once. */
const CLIENT_RETRIES = 3
const CLIENT_RETRY_DELAY_MS = 250
const CONNECT_TIMEOUT_MS = 5_000

export const KAFKA_CONNECTION_FIELDS = {
  username: { kind: 'string', optional: true, doc: 'User for SASL.' },
  password: { kind: 'secret', optional: true, doc: 'Password of `username`.' },
  sasl_mechanism: {
    kind: 'enum',
    of: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'],
    default: 'SCRAM-SHA-512',
    doc: 'How `username` proves itself.',
  },
  tls: {
    kind: 'group',
    doc: 'For brokers that speak TLS.',
    fields: {
      enabled: { kind: 'boolean', default: false, doc: 'Speak TLS.' },
      ca_path: { kind: 'string', optional: true, doc: 'PEM file of the authority that signed the certificates.' },
      insecure: { kind: 'boolean', default: false, doc: 'Take any certificate. Only for tests.' },
    },
  },
  request_timeout: { kind: 'duration', default: '30s', doc: 'Longest wait for an answer.' },
} as const satisfies Fields

/** Largest message, and how messages are compressed: where they are produced. */
export const KAFKA_PRODUCE_FIELDS = {
  create_topics: { kind: 'boolean', default: true, doc: 'Lets the broker make topics that do not exist.' },
  compression: {
    kind: 'enum',
    of: ['none', 'gzip', 'lz4', 'zstd'],
    default: 'zstd',
    doc: 'How requests are compressed.',
  },
  message_size_limit: {
    kind: 'size',
    default: '1000000',
    min: '1KiB',
    max: '100MiB',
    doc: 'Largest message and largest set of messages to a partition (max.message.bytes of the topic).',
  },
} as const satisfies Fields

export type KafkaConnectionConfig = ConfigOf<typeof KAFKA_CONNECTION_FIELDS> & { readonly brokers: readonly string[] }

/** What every client of the library is told. Rejects when the file of the authority cannot be read. */
export async function kafkaClientOptions(config: KafkaConnectionConfig, clientId: string) {
  const { username, password = '', sasl_mechanism: mechanism, tls } = config
  const ca = tls.ca_path === undefined ? {} : { ca: await readFile(tls.ca_path) }
  return {
    clientId,
    bootstrapBrokers: [...config.brokers],
    retries: CLIENT_RETRIES,
    retryDelay: CLIENT_RETRY_DELAY_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: config.request_timeout,
    ...(tls.enabled ? { tls: { ...ca, rejectUnauthorized: !tls.insecure } } : {}),
    ...(username === undefined ? {} : { sasl: { mechanism, username, password } }),
  }
}
