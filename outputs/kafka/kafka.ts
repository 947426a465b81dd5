/** Produces events as messages to Kafka. What a failure means stands in classify.ts. */
import { readFile } from 'node:fs/promises'
import type { Producer, ProducerOptions } from '@platformatic/kafka'
import { LogboomError } from '../../server/core/errors.ts'
import type { ConfigOf, Fields } from '../../server/core/fields.ts'
import {
  type Output,
  type OutputContext,
  OutputError,
  type Rejection,
  type WriteResult,
  type Writer,
} from '../output.ts'
import { classifyFailure } from './classify.ts'
import { createMessageMaker, ID_HEADER, type KafkaMessage, type KeyRule, type Messages } from './messages.ts'
import { parseTopic } from './topic.ts'

/** Times that the client itself sends a request again: it numbers it, so that the broker stores it once. */
const CLIENT_RETRIES = 3
const CLIENT_RETRY_DELAY_MS = 250
const CONNECT_TIMEOUT_MS = 5_000
/** Characters of the destination's words that are kept. */
const DETAIL_MAX = 1_000

const fields = {
  brokers: { kind: 'strings', doc: 'Addresses to begin with, host:port.', example: 'kafka:9092' },
  topic: {
    kind: 'string',
    doc: 'Topic of an event: a name, with {tag}, {tag[0]}, {tag[-1]} or {record.KEY} in it where it depends.',
    example: '"{tag[-1]}"',
  },
  default_topic: {
    kind: 'string',
    optional: true,
    pattern: '^[A-Za-z0-9._-]{1,249}$',
    doc: 'Where events go that lack what `topic` asks for; without it they are dead letters.',
  },
  create_topics: { kind: 'boolean', default: true, doc: 'Lets the broker make topics that do not exist.' },
  key: {
    kind: 'enum',
    of: ['event_id', 'tag', 'field', 'none'],
    default: 'event_id',
    doc: 'Key of a message, which decides on the partition: with `tag` the events of a tag keep their order.',
  },
  key_field: { kind: 'string', optional: true, doc: 'Key of the record whose value is the key, with `key: field`.' },
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

type KafkaConfig = ConfigOf<typeof fields>
type TextProducer = Producer<string, Buffer, string, string>

export const output: Output<typeof fields> = {
  name: 'kafka',
  summary: 'Produce events as messages to Apache Kafka, acknowledged by all replicas.',
  fields,
  example: 'levels: { type: kafka, match: "app.**", brokers: kafka:9092, topic: "{tag[-1]}" }',
  open,
}

async function open(config: KafkaConfig, context: OutputContext): Promise<Writer> {
  try {
    const makeMessages = createMessageMaker({
      topic: parseTopic(config.topic),
      defaultTopic: config.default_topic,
      key: keyRule(config),
      messageBytes: config.message_size_limit,
      sequence: context.sequence,
    })
    const connect = await producerMaker(config, context)
    return createWriter({ config, makeMessages, connect })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new LogboomError('LB-O004', { output: context.name, reason }, { cause: error })
  }
}

function keyRule({ key, key_field: field }: KafkaConfig): KeyRule {
  if (key !== 'field') return key
  if (field === undefined) throw new Error('`key: field` needs `key_field`')
  return { field }
}

async function producerMaker(config: KafkaConfig, context: OutputContext): Promise<() => TextProducer> {
  const { Producer, stringSerializer } = await import('@platformatic/kafka')
  const { username, password = '', sasl_mechanism: mechanism, tls } = config
  const ca = tls.ca_path === undefined ? {} : { ca: await readFile(tls.ca_path) }
  const noop = (data?: Buffer) => data
  const options: ProducerOptions<string, Buffer, string, string> = {
    clientId: `logboom-${context.name}`,
    bootstrapBrokers: [...config.brokers],
    serializers: { key: stringSerializer, value: noop, headerKey: stringSerializer, headerValue: stringSerializer },
    idempotent: true,
    acks: -1,
    retries: CLIENT_RETRIES,
    retryDelay: CLIENT_RETRY_DELAY_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: config.request_timeout,
    compression: config.compression,
    autocreateTopics: config.create_topics,
    ...(tls.enabled ? { tls: { ...ca, rejectUnauthorized: !tls.insecure } } : {}),
    ...(username === undefined ? {} : { sasl: { mechanism, username, password } }),
  }
  return () => new Producer(options)
}

interface Parts {
  readonly config: KafkaConfig
  readonly makeMessages: (batch: Parameters<Writer['write']>[0]) => Messages
  readonly connect: () => TextProducer
}

function createWriter({ config, makeMessages, connect }: Parts): Writer {
  let producer: TextProducer | undefined
  let isClosed = false

  async function send(messages: readonly KafkaMessage[], signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new OutputError('retry', 'other', 'the write was stopped')
    producer ??= connect()
    try {
      await Promise.race([producer.send({ messages: messages.map(toProduce) }), stoppedBy(signal)])
    } catch (error) {
      // After a failure the broker and the client may count differently: another one begins anew.
      const broken = producer
      producer = undefined
      void Promise.resolve(broken?.close(true)).catch(() => {})
      throw error instanceof OutputError ? error : classifyFailure(error)
    }
  }

  return {
    async write(batch, signal) {
      const { messages, rejected } = makeMessages(batch)
      const result = await sendAll(cutIntoSends(messages, config.message_size_limit), (part) => send(part, signal))
      return { ...result, rejected: [...rejected, ...result.rejected].sort((a, b) => a.index - b.index) }
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await producer?.close(true)
    },
  }
}

/** Rejects when the signal aborts: the client cannot be told to stop. */
function stoppedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(new OutputError('retry', 'other', 'the write was stopped'))
    signal.addEventListener('abort', stop, { once: true })
  })
}

function toProduce({ topic, key, value, id, timeMs }: KafkaMessage) {
  return {
    topic,
    value,
    headers: { [ID_HEADER]: id },
    timestamp: BigInt(timeMs),
    ...(key === undefined ? {} : { key }),
  }
}

type Send = (messages: readonly KafkaMessage[]) => Promise<void>

/**
 * One send after the other, so that a partition keeps their order.
 * @throws OutputError when nothing was accepted.
 */
async function sendAll(sends: readonly (readonly KafkaMessage[])[], send: Send): Promise<WriteResult> {
  const rejected: Rejection[] = []
  const work = [...sends].reverse()
  let accepted = 0
  for (let part = work.pop(); part !== undefined; part = work.pop()) {
    try {
      await send(part)
      accepted += part.length
    } catch (error) {
      if (!(error instanceof OutputError)) throw error
      if (error.fault === 'split') {
        if (part.length > 1) work.push(part.slice(part.length >> 1), part.slice(0, part.length >> 1))
        else rejected.push({ index: part[0]!.index, reason: error.reason, detail: error.message.slice(0, DETAIL_MAX) })
        continue
      }
      if (accepted === 0 && rejected.length === 0) throw error
      const pending = [part, ...work.reverse()].flatMap((rest) => rest.map(({ index }) => index))
      const pendingReason = error.fault === 'blocked' ? 'blocked' : 'unavailable'
      return { rejected, pending: pending.sort((a, b) => a - b), pendingReason }
    }
  }
  return { rejected, pending: [] }
}

/** A send may go to one partition whole, and must not be larger than the topic lets it be. */
function cutIntoSends(messages: readonly KafkaMessage[], bytesMax: number): KafkaMessage[][] {
  const sends: KafkaMessage[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const message of messages) {
    bytes += message.bytes
    if (bytes > bytesMax) {
      sends.push([])
      bytes = message.bytes
    }
    sends.at(-1)!.push(message)
  }
  return sends
}
