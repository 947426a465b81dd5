/** Produces events as messages to Kafka. What a failure means stands in classify.ts. */
import type { Producer, ProducerOptions } from '@platformatic/kafka'
import { LogboomError } from '../../server/core/errors.ts'
import type { ConfigOf, Fields } from '../../server/core/fields.ts'
import {
  KAFKA_CONNECTION_FIELDS,
  KAFKA_PRODUCE_FIELDS,
  kafkaClientOptions,
} from '../../server/core/kafka-connection.ts'
import { parseTopic } from '../../server/core/kafka-topic.ts'
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
  key: {
    kind: 'enum',
    of: ['event_id', 'tag', 'field', 'none'],
    default: 'event_id',
    doc: 'Key of a message, which decides on the partition: with `tag` the events of a tag keep their order.',
  },
  key_field: { kind: 'string', optional: true, doc: 'Key of the record whose value is the key, with `key: field`.' },
  ...KAFKA_PRODUCE_FIELDS,
  ...KAFKA_CONNECTION_FIELDS,
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
  const noop = (data?: Buffer) => data
  const options: ProducerOptions<string, Buffer, string, string> = {
    ...(await kafkaClientOptions(config, `logboom-${context.name}`)),
    serializers: { key: stringSerializer, value: noop, headerKey: stringSerializer, headerValue: stringSerializer },
    idempotent: true,
    acks: -1,
    compression: config.compression,
    autocreateTopics: config.create_topics,
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
