/** The fields of the configuration that belong to no component, and those that every input and every output has. */
import type { Fields } from '../core/fields.ts'
import { KAFKA_BUFFER_FIELDS } from './kafka-buffer-fields.ts'

/** Names of inputs and outputs become metric labels and folder names. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9_-]{0,62}$/

export const COMPONENT_SECTIONS = ['inputs', 'filters', 'outputs', 'tests'] as const

/** The top level of the file, but for COMPONENT_SECTIONS. */
export const SECTIONS = {
  node: {
    kind: 'group',
    doc: 'This instance among others.',
    fields: {
      id: {
        kind: 'string',
        optional: true,
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$',
        doc: "Name of this instance; the host's name where it is left out.",
        example: 'primary',
      },
      sequence: {
        kind: 'group',
        doc: 'How events are numbered: seed + position × step, so that two instances never give the same number.',
        fields: {
          seed: {
            kind: 'integer',
            default: 1,
            min: 0,
            max: 1_000_000,
            doc: 'First number; another one on each instance. The environment variable counter_seed sets it too.',
          },
          step: {
            kind: 'integer',
            default: 1,
            min: 1,
            max: 1_000_000,
            doc: 'At least the number of instances. The environment variable counter_increment sets it too.',
          },
        },
      },
    },
  },
  admin: {
    kind: 'group',
    doc: 'The console, the API, health and metrics.',
    fields: {
      listen: { kind: 'address', default: '127.0.0.1:8686', doc: 'Address to serve HTTP on.' },
      token: {
        kind: 'secret',
        optional: true,
        doc: 'Bearer token that is asked for; needed where others than this machine can reach the address.',
      },
    },
  },
  log: {
    kind: 'group',
    doc: "Logboom's own log, on stderr.",
    fields: {
      level: {
        kind: 'enum',
        of: ['debug', 'info', 'warn', 'error'],
        default: 'info',
        doc: 'Least level that is written.',
      },
    },
  },
  shutdown_limit: {
    kind: 'duration',
    default: '30s',
    max: '1h',
    doc: 'Longest time from TERM to the end of the process; what is not delivered then stays in the buffer.',
  },
  buffer: {
    kind: 'group',
    doc: 'The one log that every event enters: on disk, or in Kafka.',
    fields: {
      type: {
        kind: 'enum',
        of: ['file', 'kafka'],
        default: 'file',
        doc:
          'Where it is. With `kafka`, processes that have inputs produce to the topic, and those that have outputs ' +
          'are ' +
          'consumers of a group: any number of either.',
      },
      path: {
        kind: 'string',
        default: './logboom-data',
        doc: 'Folder of the buffer; a relative one starts at the folder of this file.',
        example: '/var/lib/logboom',
      },
      chunk_size: {
        kind: 'size',
        default: '16MiB',
        min: '4KiB',
        max: '1GiB',
        doc: 'Size at which a chunk file is closed and the next one begins.',
      },
      max_size: {
        kind: 'size',
        default: '2GiB',
        min: '8KiB',
        doc: 'Bytes on disk at which inputs have to wait; at least two chunks.',
      },
      ack: {
        kind: 'enum',
        of: ['durable', 'written'],
        default: 'durable',
        doc: 'When events are acknowledged: after fdatasync, or after write, when a power cut can still lose them.',
      },
      ...KAFKA_BUFFER_FIELDS,
    },
  },
} as const satisfies Fields

export const INPUT_FIELDS = {
  type: {
    kind: 'string',
    optional: true,
    doc: "The protocol; the input's name where it is left out.",
    example: 'forward',
  },
} as const satisfies Fields

/** What every filter has beside its one action. */
export const FILTER_FIELDS = {
  match: {
    kind: 'string',
    default: '**',
    doc: 'Tags of the events it is for, as the filters before it left them; others it does not look at.',
    example: '"docker.**"',
  },
} as const satisfies Fields

export const OUTPUT_FIELDS = {
  type: {
    kind: 'string',
    optional: true,
    doc: "The kind of destination; the output's name where it is left out.",
    example: 'elasticsearch',
  },
  match: {
    kind: 'string',
    default: '**',
    doc: 'Tags that are delivered: `*` is one part, `**` any number, `{a,b}` either; patterns are separated by spaces.',
    example: '"docker.**"',
  },
  batch: {
    kind: 'group',
    doc: 'When a batch is handed to the destination: at the first limit that is reached.',
    fields: {
      size: { kind: 'size', default: '2MiB', min: '1KiB', max: '256MiB', doc: 'Bytes of packed events.' },
      events: { kind: 'integer', default: 50_000, min: 1, max: 1_000_000, doc: 'Number of events.' },
      age: { kind: 'duration', default: '200ms', max: '1h', doc: 'Longest wait for more events.' },
    },
  },
  retry_limit: {
    kind: 'integer',
    optional: true,
    min: 0,
    doc:
      'Times that a batch is tried before its events go to the `secondary`, or become dead letters where there is ' +
      'none; without end where it is left out.',
    example: '20',
  },
  retry_max_interval: {
    kind: 'duration',
    default: '60s',
    min: '1s',
    max: '1h',
    doc:
      'Longest wait between two tries; it doubles from one second up to this, and is drawn at random below. What the ' +
      'destination asks for (`Retry-After`) may be longer.',
  },
  secondary: {
    kind: 'string',
    optional: true,
    doc:
      'Another output, which takes the events of a batch that has used up `retry_limit`, and all events once this ' +
      'destination has accepted nothing for `secondary_after`, until it does again. What that one refuses for good ' +
      'are dead letters of this one. An output that is named here and has no `match` of its own receives nothing else.',
    example: 'archive',
  },
  secondary_after: {
    kind: 'duration',
    default: '5m',
    min: '1s',
    doc: 'How long this destination may accept nothing before the `secondary` is used.',
  },
  dead_letters: {
    kind: 'group',
    doc: 'Events that this destination refused for good.',
    fields: {
      max_size: {
        kind: 'size',
        default: '256MiB',
        min: '1MiB',
        max: '1TiB',
        doc: 'Bytes on disk at which the output waits, until some are replayed or discarded (`logboom dlq`).',
      },
    },
  },
  on_lag: {
    kind: 'enum',
    of: ['block', 'park', 'skip'],
    default: 'block',
    doc:
      'What happens when this output lags: `block` makes the inputs wait once the buffer is full; `park` moves the ' +
      'oldest events beyond `lag_limit` out of the buffer, and delivers them when it keeps up again; `skip` drops ' +
      'them.',
  },
  lag_limit: {
    kind: 'group',
    doc: 'How far this output may lag where `on_lag` is `park` or `skip`; at the first that is reached.',
    fields: {
      size: {
        kind: 'size',
        optional: true,
        min: '1KiB',
        doc: 'Bytes of the buffer that wait for it.',
        example: '1GiB',
      },
      age: { kind: 'duration', optional: true, min: '1s', doc: 'Age of the oldest event that waits.', example: '1h' },
    },
  },
  park_limit: {
    kind: 'size',
    default: '1GiB',
    min: '1MiB',
    max: '1TiB',
    doc: 'Bytes of parked events on disk, beside the buffer, at which more wait in the buffer (`on_lag: park`).',
  },
} as const satisfies Fields

/** What runs where there is no file. */
export const EMBEDDED_DEFAULT = `
inputs:
  forward: { listen: 127.0.0.1:24224 }
  gelf: { listen: 127.0.0.1:12201 }
  http: { listen: 127.0.0.1:9880 }
outputs:
  local: {}
`
