/** The fields of `buffer` that count where its `type` is `kafka`. */
import type { Fields } from '../core/fields.ts'
import { KAFKA_CONNECTION_FIELDS, KAFKA_PRODUCE_FIELDS } from '../core/kafka-connection.ts'

export const KAFKA_BUFFER_FIELDS = {
  brokers: {
    kind: 'strings',
    optional: true,
    doc: 'Kafka: addresses to begin with, host:port.',
    example: 'kafka:9092',
  },
  topic: {
    kind: 'string',
    default: 'logboom',
    doc:
      'Kafka: topic of an event, a name with {tag}, {tag[0]} or {tag[-1]} in it where it depends. A record is ' +
      'an event ' +
      'stream: its value is msgpack, its headers are `tag`, `count`, `id` and `received`.',
    example: '"logs.{tag[-1]}"',
  },
  topics: {
    kind: 'strings',
    optional: true,
    doc: 'Kafka: the topics there are, which outputs read; needed where `topic` depends on the tag.',
    example: '[logs.info, logs.error]',
  },
  default_topic: {
    kind: 'string',
    default: 'logboom',
    pattern: '^[A-Za-z0-9._-]{1,249}$',
    doc: 'Kafka: where events go whose topic is none of `topics`; it is read too.',
  },
  group: {
    kind: 'string',
    default: 'logboom',
    pattern: '^[A-Za-z0-9._-]{1,180}$',
    doc:
      'Kafka: consumer group of an output, with its name behind it: `<group>.<output>`. Its offsets are ' +
      'committed after ' +
      'delivery; a new group begins at the oldest record.',
  },
  key: {
    kind: 'enum',
    of: ['tag', 'none'],
    default: 'tag',
    doc:
      'Kafka: what decides on the partition. With `tag` the events of a tag keep their order, and `sequence` is that ' +
      'order; `none` spreads them evenly. `sequence` is the same whoever delivers, and differs for each event ' +
      'of a topic.',
  },
  in_flight_limit: {
    kind: 'size',
    default: '64MiB',
    min: '1MiB',
    doc: 'Kafka: bytes that may wait for the acknowledgement of the brokers before inputs have to wait.',
  },
  offset_key: {
    kind: 'string',
    optional: true,
    pattern: '^.{1,200}$',
    doc:
      'Kafka: key of a record under which `topic`, `partition`, `offset` and `index` are put for the outputs; ' +
      '`index` ' +
      'tells the events of one Kafka record apart. With `kafka` a document has `kafka.offset` to be sorted by.',
    example: 'kafka',
  },
  ...KAFKA_PRODUCE_FIELDS,
  ...KAFKA_CONNECTION_FIELDS,
} as const satisfies Fields
